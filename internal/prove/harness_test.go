package prove_test

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/kubestellar/actions/internal/delivery"
	"github.com/kubestellar/actions/internal/git"
	"github.com/kubestellar/actions/internal/goreleaser"
	"github.com/kubestellar/actions/internal/lookup"
	"github.com/kubestellar/actions/internal/oci"
	"github.com/kubestellar/actions/internal/prove"
	"github.com/kubestellar/actions/internal/ref"
	"github.com/kubestellar/actions/internal/rehearsal/network"
	"github.com/kubestellar/actions/internal/release"
	"github.com/kubestellar/actions/internal/report"
	"github.com/kubestellar/actions/test/testkit"
)

// The example, and where it is published.
const (
	owned   = "example/app"
	version = "0.2.0"
	before  = "0.1.0" // a published version for lies to name

	appImage    = "ghcr.io/example/app"
	engineImage = "quay.io/example/engine"
	clientImage = "quay.io/example/engine-client"
	agentChart  = "ghcr.io/example/charts/agent-chart"
	coreChart   = "ghcr.io/example/charts/core-chart"
	addonChart  = "ghcr.io/third/charts/addon"
	storeChart  = "ghcr.io/third/charts/store"
)

// stage is a network in which the example is released.
type stage struct {
	*testkit.Network
	clone   string
	env     []string
	commit  string // the released commit
	other   string // a later commit of the same repository
	file    *delivery.File
	rebuilt prove.Rebuilt
}

// newStage starts the network and runs a real release of the example in it.
func newStage(t *testing.T) *stage {
	t.Helper()
	n := testkit.Start(t, network.Options{}, owned, "example/engine", "third/addon", "third/store")
	s := &stage{Network: n, clone: filepath.Join(n.Dir, "clone"), env: slices.Concat(n.Env(), testkit.GoEnv(t), []string{"CGO_ENABLED=0"})}
	s.furnish(t)
	s.seed(t)
	s.release(t)
	s.age(t)
	return s
}

// furnish publishes the upstream artifacts that the example runs and contains.
func (s *stage) furnish(t *testing.T) {
	t.Helper()
	engine := s.CommitEmpty("example/engine", "refs/tags/v"+version)
	for _, at := range []string{engineImage, clientImage} {
		s.PushImage(at, version, testkit.Labels("example/engine", engine, version))
		s.PushImage(at, before, testkit.Labels("example/engine", engine, before))
	}
	for at, tag := range map[string]string{"quay.io/third/helm": "3.14.0", "quay.io/third/sidecar": "2.1.0", "quay.io/third/addon": "2.0.0",
		"quay.io/third/store": "1.5.0"} {
		s.PushImage(at, tag, nil)
	}
	addon := s.CommitEmpty("third/addon", "refs/tags/v2.0.0")
	s.placeChart(t, addonChart, "2.0.0", "addon", testkit.Labels("third/addon", addon, "2.0.0"))
	s.placeChart(t, storeChart, "1.5.0", "store", nil)
}

func (s *stage) git(t *testing.T, dir string, args ...string) string {
	t.Helper()
	return testkit.Git(t, testkit.Dated(git.Repo{Dir: dir, Env: s.env}), args...)
}

// placeChart publishes a chart that runs quay.io/third/NAME.
func (s *stage) placeChart(t *testing.T, at, tag, name string, annotations map[string]string) {
	t.Helper()
	files := fstest.MapFS{
		"Chart.yaml": {Data: []byte("apiVersion: v2\nname: " + name + "\nversion: " + tag + "\nappVersion: " + tag + "\n")},
		"templates/pod.yaml": {Data: []byte("apiVersion: v1\nkind: Pod\nmetadata: { name: " + name + " }\n" +
			"spec:\n  containers:\n  - name: main\n    image: quay.io/third/" + name + ":" + tag + "\n")},
	}
	s.For(t).PushChart(at, tag, files, annotations)
}

// seed pushes the example's files as main, then a later commit as other.
func (s *stage) seed(t *testing.T) {
	t.Helper()
	testkit.Must(t, os.CopyFS(s.clone, os.DirFS("testdata/example")))
	base, err := oci.BaseImage()
	testkit.Must(t, err)
	digest, err := base.Digest()
	testkit.Must(t, err)
	store, err := s.OCI().Digest(context.Background(), storeChart, "1.5.0")
	testkit.Must(t, err)
	toolchain, _, _ := strings.Cut(runtime.Version(), " ")
	testkit.Edit(t, s.clone+"/.goreleaser.yaml", "@BASE", "@"+digest.String())
	testkit.Edit(t, s.clone+"/delivery.yaml", "@STORE", "@"+store)
	testkit.Edit(t, s.clone+"/go.mod", "TOOLCHAIN", toolchain)
	s.git(t, s.clone, "init", "--quiet", "--initial-branch=main")
	s.git(t, s.clone, "remote", "add", "origin", "https://github.com/"+owned)
	s.commit = s.push(t, "main")
	testkit.Edit(t, s.clone+"/main.go", "commit", "the commit")
	testkit.Edit(t, s.clone+"/agent-chart/README.md", "agent", "later agent")
	testkit.Edit(t, s.clone+"/hooks/hook.yaml", "upgrade", "install")
	s.other = s.push(t, "other")
	s.git(t, s.clone, "reset", "--quiet", "--hard", s.commit)
}

// push commits the clone and pushes the commit to a branch.
func (s *stage) push(t *testing.T, branch string) (commit string) {
	t.Helper()
	s.git(t, s.clone, "add", ".")
	s.git(t, s.clone, "commit", "--quiet", "--message", "Change")
	s.git(t, s.clone, "push", "--quiet", "origin", "HEAD:refs/heads/"+branch)
	return s.git(t, s.clone, "rev-parse", "HEAD")
}

// release runs the real release, with the real goreleaser.
func (s *stage) release(t *testing.T) {
	t.Helper()
	command := testkit.Tool(t, "goreleaser")
	repo := git.Repo{Dir: s.clone, Env: s.env}
	tree, err := repo.Snapshot(context.Background(), s.commit)
	testkit.Must(t, err)
	t.Cleanup(func() { tree.Close() }) // ends a git process
	s.file, err = delivery.Load(tree, delivery.FileName)
	testkit.Must(t, err)
	releaser := &release.Releaser{
		Repo: repo, Commit: s.commit, Tree: tree, File: s.file, Version: parse(t, version), Registry: s.OCI(), Public: s.Anonymous(),
		Forge: s.For(t).GitHub(s.Token()), Downstreams: s.For(t).GitHub(s.Token()), Server: "https://github.com",
		Goreleaser:   goreleaser.Program{Command: command, Dir: s.clone, Env: s.env},
		Log:          &report.Log{Out: io.Discard, Now: time.Now},
		AllowPrivate: true,
	}
	_, err = releaser.Release(context.Background())
	testkit.Must(t, err)
}

// age publishes the previous version, and records the result of a rebuild.
func (s *stage) age(t *testing.T) {
	t.Helper()
	s.point(t, appImage, before, s.get(t, appImage, version))
	s.write(t, agentChart, before, s.rechart(t, agentChart, version, func(files fstest.MapFS) {
		replaceIn(t, files, "Chart.yaml", version, before)
	}))
	// A rebuild gives the same files as the release, as the test of the command shows.
	// Here they are copied while they are unaltered.
	s.rebuilt = prove.Rebuilt{How: "noted at set-up", Images: map[string]string{appImage: s.get(t, appImage, version).Digest.String()},
		Files: map[string]string{}}
	for _, a := range s.published(t).Assets {
		if !strings.HasSuffix(a.Name, ".yaml") {
			s.rebuilt.Files[a.Name] = a.Digest
		}
	}
}

func parse(t *testing.T, text string) ref.Version {
	t.Helper()
	v, err := ref.ParseVersion(text)
	testkit.Must(t, err)
	return v
}

// prover returns a Prover with the declaration only.
func (s *stage) prover(t *testing.T) *prove.Prover {
	t.Helper()
	repo := git.Repo{Dir: s.Dir, Env: s.env} // outside of any clone
	registry := s.Anonymous()
	return &prove.Prover{
		File: s.file, Config: delivery.FileName, Component: "app", Version: parse(t, version), Repo: repo, Server: "https://github.com",
		Registry: registry, Anonymous: s.Anonymous(), Forge: s.For(t).GitHub(""),
		Resolver: s.resolver(registry, repo),
		Rebuild:  func(context.Context, prove.Source) (prove.Rebuilt, error) { return s.rebuilt, nil },
	}
}

func (s *stage) resolver(registry *oci.Registry, repo git.Repo) lookup.Resolver {
	return lookup.Resolver{Registry: registry, Server: "https://github.com", Refs: repo.Refs("https://github.com"), HTTP: s.Transport(), Brief: true}
}

// owner returns a Prover with a clone, which saves a fetch.
func (s *stage) owner(t *testing.T) *prove.Prover {
	t.Helper()
	p := s.prover(t)
	p.Repo.Dir = s.clone
	return p
}

// prove proves the release in its current state.
func (s *stage) prove(t *testing.T) *report.Proof {
	t.Helper()
	return look(t, s.prover(t))
}

func look(t *testing.T, p *prove.Prover) *report.Proof {
	t.Helper()
	proof, err := p.Prove(context.Background())
	testkit.Must(t, err)
	return proof
}

// wholly fails unless a proof is completely proven.
func wholly(t *testing.T, proof *report.Proof) {
	t.Helper()
	for _, a := range proof.Associations {
		if a.State != report.Proven {
			t.Errorf("%s", line(a))
		}
	}
	if len(proof.Associations) == 0 {
		t.Error("nothing was checked")
	}
}

func line(a report.Association) string {
	return strings.Join([]string{string(a.State), a.Rule, a.Subject, a.Claim, a.Evidence, a.RestsOn}, " | ")
}
