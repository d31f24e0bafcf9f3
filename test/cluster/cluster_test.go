//go:build cluster

package cluster_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"k8s.io/client-go/dynamic"

	"github.com/kubestellar/actions/internal/delivery"
	"github.com/kubestellar/actions/internal/git"
	"github.com/kubestellar/actions/internal/oci"
	"github.com/kubestellar/actions/internal/outcome"
	"github.com/kubestellar/actions/internal/ref"
	"github.com/kubestellar/actions/internal/rehearsal"
	"github.com/kubestellar/actions/test/cluster"
	"github.com/kubestellar/actions/test/testkit"
)

const release = "9.8.7"

var bin, _ = filepath.Abs("../../.tools/bin")

// released rehearses the release of HEAD and calls do in the network that it keeps.
func released(t *testing.T, do func(context.Context, *scene)) {
	dir := filepath.Join(t.TempDir(), "clone")
	if out, err := exec.Command("git", "clone", "--quiet", "../..", dir).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	file, err := delivery.Load(os.DirFS(dir), delivery.FileName)
	if err != nil {
		t.Fatal(err)
	}
	version, err := ref.ParseVersion(release)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	ran := false
	r := &rehearsal.Rehearsal{Repo: git.Repo{Dir: dir, Env: os.Environ()}, Config: delivery.FileName, File: file, Version: version,
		Executable: filepath.Join(bin, "ghhelper"), Out: &out, Now: time.Now,
		Kept: func(ctx context.Context, k rehearsal.Kept) {
			if ran = !k.Failed; k.Failed {
				return
			}
			do(ctx, &scene{t: t, Kept: k, file: file, version: version, tree: dir})
		}}
	ctx, stop := signal.NotifyContext(t.Context(), os.Interrupt) // so that everything is cleaned up
	defer stop()
	if _, err := r.Run(ctx); err != nil || !ran {
		t.Fatalf("%v\n%s", err, out.String())
	}
}

// scene is a fake network with a release in it.
type scene struct {
	rehearsal.Kept
	t       *testing.T
	file    *delivery.File
	version ref.Version
	tree    string
}

func (s *scene) anonymous() *oci.Registry {
	return &oci.Registry{Keychain: authn.NewMultiKeychain(), Transport: s.Network.Transport()}
}

// declared returns the arrows that must be followed.
func (s *scene) declared(ctx context.Context) []cluster.Arrow {
	names, err := git.Repo{Dir: s.tree, Env: os.Environ()}.Files(ctx)
	if err != nil {
		s.t.Fatal(err)
	}
	arrows, err := cluster.Declared(ctx, s.file, os.DirFS(s.tree), names, s.version, s.anonymous())
	if err != nil {
		s.t.Fatal(err)
	}
	return arrows
}

// follower returns a Follower in a control plane with a kubelet.
func (s *scene) follower(ctx context.Context) *cluster.Follower {
	t := s.t
	plane, err := cluster.StartControlPlane(ctx, filepath.Join(t.TempDir(), "plane"), bin)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(plane.Close)
	if err := s.Network.Tunnel("kubernetes.default.svc", plane.Addr); err != nil {
		t.Fatal(err)
	}
	client, err := dynamic.NewForConfig(plane.Config())
	if err != nil {
		t.Fatal(err)
	}
	events := make(chan cluster.Event, 1000)
	kubelet := &cluster.Kubelet{Client: client, Registry: s.anonymous(), Programs: programs(t), Entrypoints: entrypoints,
		Env: []string{"HTTPS_PROXY=http://" + s.Addr}, Authority: s.authority(), Dir: readable(t), Tell: func(e cluster.Event) {
			if e.Container == "clusteradm" && e.What == cluster.Done && e.Log != asked[e.Owner.Name] {
				t.Errorf("%s: clusteradm was asked %s, want %s", e.Owner, e.Log, asked[e.Owner.Name])
			}
			events <- e
		}}
	over, stop := context.WithCancel(ctx)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		kubelet.Run(over)
	}()
	t.Cleanup(func() {
		stop()
		<-ended
	})
	shell := cluster.Shell{Bin: bin, Env: append(slices.Clone(s.Env), "KUBECONFIG="+plane.Kubeconfig)}
	return &cluster.Follower{File: s.file, Version: s.version, Shell: shell, Events: events}
}

// readable returns a folder that other users may read, unlike test folders.
func readable(t *testing.T) string {
	dir, err := os.MkdirTemp("", "cluster-*")
	if err == nil {
		err = os.Chmod(dir, 0o755)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	return dir
}

func (s *scene) authority() []byte {
	for _, entry := range s.Exports {
		if path, ok := strings.CutPrefix(entry, "SSL_CERT_FILE="); ok {
			pem, err := os.ReadFile(path)
			if err != nil {
				s.t.Fatal(err)
			}
			return pem
		}
	}
	s.t.Fatal("the network names no authority")
	return nil
}

// asked are the arguments that the stand-in for clusteradm prints for each hook.
var asked = map[string]string{
	"its": `["init" "-v=2" "--wait"]` + "\n",
	"ocm": `["init" "--wait"]` + "\n",
}

var entrypoints = map[string]string{
	"quay.io/kubestellar/helm":             "helm",
	"quay.io/kubestellar/kubectl":          "kubectl",
	"quay.io/kubestellar/clusteradm":       "clusteradm",
	"ghcr.io/kubestellar/kubeflex/manager": "manager",
}

func programs(t *testing.T) map[string]map[string]string {
	clusteradm := filepath.Join(t.TempDir(), "clusteradm")
	if out, err := exec.Command("go", "build", "-o", clusteradm, "./clusteradm").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	in := func(name string) string { return filepath.Join(bin, name) }
	return map[string]map[string]string{
		"quay.io/kubestellar/helm":             {"helm": in("helm")},
		"quay.io/kubestellar/kubectl":          {"kubectl": in("kubectl"), "sh": in("gosh")},
		"quay.io/kubestellar/clusteradm":       {"clusteradm": clusteradm},
		"ghcr.io/kubestellar/kubeflex/manager": {"manager": in("kubeflex-manager")},
	}
}

func TestCluster(t *testing.T) {
	released(t, func(ctx context.Context, s *scene) {
		declared := s.declared(ctx)
		s.addPostgreSQL(ctx)
		f := s.follower(ctx)
		for _, test := range []struct {
			name string
			do   func(*testing.T)
		}{
			{"every arrow is followed", func(t *testing.T) { s.everyArrow(ctx, t, f, declared) }},
			{"what is missing is missed at its arrow", func(t *testing.T) { s.everyArrowIsNeeded(ctx, t, f, declared) }},
			{"every rendering is accepted", func(t *testing.T) { renderingsAreAccepted(ctx, t, f.Shell) }},
		} {
			if !t.Run(test.name, test.do) {
				return // the rest would fail for the same reason
			}
		}
	})
}

func (s *scene) everyArrow(ctx context.Context, t *testing.T, f *cluster.Follower, declared []cluster.Arrow) {
	f.Out = t.Output()
	if err := f.Follow(ctx); err != nil {
		t.Error(err)
	}
	if diff := cmp.Diff(declared, f.Followed()); diff != "" {
		t.Errorf("arrows declared (-) and followed (+):\n%s", diff)
	}
	fmt.Fprintf(f.Out, `%d arrows followed, of %d in delivery.yaml and the charts that it names.
Left out: control planes of type k8s and vcluster, for which a database and a cluster in pods would have to run;
ingress, since nothing comes from outside. In place of the real ones: PostgreSQL's chart, clusteradm, and the images
of the controllers that come from other repositories, which are looked for and not run.
`, len(f.Followed()), len(declared))
}

// everyArrowIsNeeded removes all images and charts from the registries, and restores each only when
// it is missed. The chain must break at an arrow to each of them.
func (s *scene) everyArrowIsNeeded(ctx context.Context, t *testing.T, f *cluster.Follower, declared []cluster.Arrow) {
	withheld := s.withhold(ctx, t, declared)
	want := len(withheld)
	if want < 10 {
		t.Fatalf("withheld only %d artifacts", want)
	}
	var mu sync.Mutex
	f.Out = io.Discard
	f.OnBroken = func(_ context.Context, a cluster.Arrow, err error) error {
		mu.Lock()
		defer mu.Unlock()
		key := a.To + " " + a.Version
		giveBack, ok := withheld[key]
		byUser := a.From == "" && a.To == s.file.Self+"/core-chart"
		if !ok || !byUser && !slices.Contains(declared, a) || !saysAbsent(err) {
			return &cluster.BrokenError{Arrow: a, Err: err}
		}
		delete(withheld, key)
		fmt.Fprintf(t.Output(), "  ✗ %s\n", a)
		return giveBack()
	}
	if err := f.Follow(ctx); err != nil {
		t.Error(err)
	}
	if len(withheld) > 0 {
		t.Errorf("no container has missed %v", slices.Sorted(maps.Keys(withheld)))
	}
	fmt.Fprintf(t.Output(), "%d artifacts missed, each at its arrow, and the chain followed to its end after that\n", want)
}

// saysAbsent reports whether an error is about something missing in the registry, in our words or
// helm's. No other error means a missing artifact.
func saysAbsent(err error) bool {
	return errors.Is(err, outcome.ErrAbsent) || strings.Contains(err.Error(), "FetchReference") && strings.Contains(err.Error(), ": not found")
}

// withhold deletes the artifacts that arrows lead to, and returns a function for each that restores
// it. A contained chart stays: it is not queried at installation, and the release checks it.
func (s *scene) withhold(ctx context.Context, t *testing.T, arrows []cluster.Arrow) map[string]func() error {
	all := map[string]func() error{}
	own := s.file.Self + "/core-chart"
	for _, a := range append(arrows, cluster.Arrow{To: own, Version: s.version.String()}) {
		component, name, _ := strings.Cut(a.To, "/")
		artifact := s.file.Components[component].Artifacts[name]
		version, err := ref.ParseVersion(a.Version)
		if err != nil {
			t.Fatal(err)
		}
		key := a.To + " " + a.Version
		if all[key] != nil || artifact.Kind == delivery.Chart && a.From == own && component == "kubeflex" {
			continue
		}
		giveBack, err := s.take(ctx, artifact.At, artifact.TagFor(version))
		if err != nil {
			t.Fatal(err)
		}
		all[key] = giveBack
	}
	return all
}

// take deletes a manifest and returns a function that restores it.
func (s *scene) take(ctx context.Context, at, tag string) (giveBack func() error, err error) {
	tagged, err := name.NewTag(at + ":" + tag)
	if err != nil {
		return nil, err
	}
	options := []remote.Option{remote.WithContext(ctx), remote.WithTransport(s.Network.Transport()),
		remote.WithAuthFromKeychain(testkit.Login(s.Network.Token()))}
	manifest, err := remote.Get(tagged, options...)
	if err != nil {
		return nil, err
	}
	host, repository, _ := strings.Cut(at, "/")
	registry, err := s.Network.Registry(host)
	if err != nil {
		return nil, err
	}
	if err := registry.DeleteManifest(repository, tag); err != nil {
		return nil, err
	}
	return func() error { return remote.Put(tagged, manifest, options...) }, nil
}

// renderingsAreAccepted checks the golden renderings of our charts against the schemas of the API
// server and of KubeFlex, whose kinds exist since core-chart was installed. It checks their pods
// against the standard "restricted", for which the server prints warnings.
func renderingsAreAccepted(ctx context.Context, t *testing.T, shell cluster.Shell) {
	if _, err := shell.Run(ctx, "", "kubectl", "create", "namespace", "ks-ns"); err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob("../charts/testdata/golden/*.yaml")
	if err != nil || len(files) < 10 {
		t.Fatalf("found %d golden renderings: %v", len(files), err)
	}
	accepted := func(text string) error {
		_, err := shell.Run(ctx, text, "kubectl", "apply", "--namespace", "ks-ns", "--dry-run=server", "--validate=strict", "--warnings-as-errors",
			"--filename", "-")
		return err
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if err := accepted(string(text)); err != nil {
			t.Errorf("%s: %v", file, err)
		}
	}
	fmt.Fprintf(t.Output(), "%d renderings accepted\n", len(files))
	text, err := os.ReadFile("../charts/testdata/golden/core-chart-both-on-the-host.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for right, wrong := range map[string]string{
		"backoffLimit: ":                  "backOffLimit: ", // in a Job
		"postCreateHook: its":             "postCreateHooks: its",
		"allowPrivilegeEscalation: false": "allowPrivilegeEscalation: true",
	} {
		spoiled := strings.ReplaceAll(string(text), right, wrong)
		if err := accepted(spoiled); err == nil || spoiled == string(text) {
			t.Errorf("a rendering with %q was accepted", wrong)
		}
	}
}
