package prove_test

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/kubestellar/actions/internal/chart"
	"github.com/kubestellar/actions/internal/delivery"
	"github.com/kubestellar/actions/internal/gh"
	"github.com/kubestellar/actions/internal/git"
	"github.com/kubestellar/actions/internal/goreleaser"
	"github.com/kubestellar/actions/internal/lookup"
	"github.com/kubestellar/actions/internal/oci"
	"github.com/kubestellar/actions/internal/prove"
	"github.com/kubestellar/actions/internal/ref"
	"github.com/kubestellar/actions/internal/rehearsal/forge"
	"github.com/kubestellar/actions/internal/rehearsal/network"
	"github.com/kubestellar/actions/internal/release"
	"github.com/kubestellar/actions/internal/report"
	"github.com/kubestellar/actions/test/networktest"
	"github.com/kubestellar/actions/test/networktest/contract"
	"github.com/kubestellar/actions/test/testkit"
)

// The example, and where it is published.
const (
	owned   = "example/app"
	version = "0.2.0"
	before  = "0.1.0" // is there too, for lies to name

	appImage    = "ghcr.io/example/app"
	engineImage = "quay.io/example/engine"
	clientImage = "quay.io/example/engine-client"
	agentChart  = "ghcr.io/example/charts/agent-chart"
	coreChart   = "ghcr.io/example/charts/core-chart"
	addonChart  = "ghcr.io/third/charts/addon"
	storeChart  = "ghcr.io/third/charts/store"
)

const emptyTree = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"

// stage is a world in which the train has released the example.
type stage struct {
	*networktest.Network
	dir, clone string
	env        []string
	commit     string // that is released
	other      string // a later commit of the same repository
	file       *delivery.File
	rebuilt    prove.Rebuilt
}

// newStage makes the world, and has the real train release the example in it.
func newStage(t *testing.T) *stage {
	t.Helper()
	dir := t.TempDir()
	w, err := networktest.Start(filepath.Join(dir, "world"), network.Options{})
	testkit.Must(t, err)
	w.Observe(contract.Hold(t))
	t.Cleanup(func() { w.Close() })
	s := &stage{Network: w, dir: dir, clone: filepath.Join(dir, "clone"), env: append(append(w.Env(), testkit.GoEnv(t)...), "CGO_ENABLED=0")}
	for _, repository := range []string{owned, "example/engine", "third/addon", "third/store"} {
		testkit.Must(t, w.Forge.CreateRepository(repository, forge.Repository{}))
	}
	s.furnish(t)
	s.seed(t)
	s.release(t)
	s.age(t)
	return s
}

// furnish publishes what others publish: what the example runs and contains.
func (s *stage) furnish(t *testing.T) {
	t.Helper()
	engine := s.commitIn(t, "example/engine", "v"+version)
	for _, at := range []string{engineImage, clientImage} {
		s.place(t, at, version, labels("example/engine", engine, version))
		s.place(t, at, before, labels("example/engine", engine, before))
	}
	for at, tag := range map[string]string{"quay.io/third/helm": "3.14.0", "quay.io/third/sidecar": "2.1.0", "quay.io/third/addon": "2.0.0", "quay.io/third/store": "1.5.0"} {
		s.place(t, at, tag, nil)
	}
	addon := s.commitIn(t, "third/addon", "v2.0.0")
	s.placeChart(t, addonChart, "2.0.0", "addon", labels("third/addon", addon, "2.0.0"))
	s.placeChart(t, storeChart, "1.5.0", "store", nil)
}

func labels(repository, commit, version string) map[string]string {
	return map[string]string{oci.KeyRevision: commit, oci.KeyVersion: version, oci.KeySource: "https://github.com/" + repository}
}

func (s *stage) git(t *testing.T, dir string, args ...string) string {
	t.Helper()
	return testkit.Git(t, testkit.Dated(git.Repo{Dir: dir, Env: s.env}), args...)
}

// commitIn gives a repository a first commit, of nothing, and a tag on it.
func (s *stage) commitIn(t *testing.T, repository, tag string) string {
	t.Helper()
	dir := s.Forge.RepositoryDir(repository)
	commit := s.git(t, dir, "commit-tree", "-m", "Begin", emptyTree)
	s.git(t, dir, "update-ref", "refs/heads/main", commit)
	s.git(t, dir, "update-ref", "refs/tags/"+tag, commit)
	return commit
}

// place publishes an image that holds nothing.
func (s *stage) place(t *testing.T, at, tag string, labels map[string]string) {
	t.Helper()
	image, err := mutate.ConfigFile(empty.Image, &v1.ConfigFile{OS: "linux", Architecture: "amd64", Config: v1.Config{Labels: labels}})
	testkit.Must(t, err)
	_, err = s.registry().PushImage(context.Background(), at, tag, image)
	testkit.Must(t, err)
}

// placeChart publishes a chart that runs quay.io/third/NAME.
func (s *stage) placeChart(t *testing.T, at, tag, name string, annotations map[string]string) {
	t.Helper()
	files := fstest.MapFS{
		"Chart.yaml":         {Data: []byte("apiVersion: v2\nname: " + name + "\nversion: " + tag + "\nappVersion: " + tag + "\n")},
		"templates/pod.yaml": {Data: []byte("apiVersion: v1\nkind: Pod\nmetadata: { name: " + name + " }\nspec:\n  containers:\n  - name: main\n    image: quay.io/third/" + name + ":" + tag + "\n")},
	}
	_, err := s.registry().PushImage(context.Background(), at, tag, chartImage(t, files, time.Unix(0, 0), annotations))
	testkit.Must(t, err)
}

func chartImage(t *testing.T, files fstest.MapFS, at time.Time, annotations map[string]string) v1.Image {
	t.Helper()
	c, err := chart.LoadFS(files, ".")
	testkit.Must(t, err)
	archive, err := c.Package(at)
	testkit.Must(t, err)
	image, err := oci.ChartImage(archive, c.Metadata(), annotations)
	testkit.Must(t, err)
	return image
}

// seed pushes the example's files as main, then a later commit as other.
func (s *stage) seed(t *testing.T) {
	t.Helper()
	testkit.Must(t, os.CopyFS(s.clone, os.DirFS("testdata/example")))
	base, err := oci.BaseImage()
	testkit.Must(t, err)
	digest, err := base.Digest()
	testkit.Must(t, err)
	store, err := s.registry().Digest(context.Background(), storeChart, "1.5.0")
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

// push commits the clone as it is, and pushes that as a branch.
func (s *stage) push(t *testing.T, branch string) (commit string) {
	t.Helper()
	s.git(t, s.clone, "add", ".")
	s.git(t, s.clone, "commit", "--quiet", "--message", "Change")
	s.git(t, s.clone, "push", "--quiet", "origin", "HEAD:refs/heads/"+branch)
	return s.git(t, s.clone, "rev-parse", "HEAD")
}

// release runs the real train, with the real goreleaser.
func (s *stage) release(t *testing.T) {
	t.Helper()
	command := testkit.Tool(t, "goreleaser")
	repo := git.Repo{Dir: s.clone, Env: s.env}
	tree, err := repo.Snapshot(context.Background(), s.commit)
	testkit.Must(t, err)
	s.file, err = delivery.Load(tree, delivery.FileName)
	testkit.Must(t, err)
	releaser := &release.Releaser{
		Repo: repo, Commit: s.commit, Tree: tree, File: s.file, Version: parse(t, version), Registry: s.registry(), Public: s.anybody(),
		Forge: s.forge(t, s.Token()), Downstreams: s.forge(t, s.Token()), Server: "https://github.com",
		Goreleaser:   goreleaser.Program{Command: command, Dir: s.clone, Env: s.env},
		Log:          &report.Log{Out: io.Discard, Now: time.Now},
		AllowPrivate: true,
	}
	_, err = releaser.Release(context.Background())
	testkit.Must(t, err)
}

// age publishes the version before, and notes what building would give again.
func (s *stage) age(t *testing.T) {
	t.Helper()
	s.point(t, appImage, before, s.get(t, appImage, version))
	s.write(t, agentChart, before, s.rechart(t, agentChart, version, func(files fstest.MapFS) {
		replaceIn(t, files, "Chart.yaml", version, before)
	}))
	// Building the release again gives what the train built, as the test of the
	// command shows; here it is taken from what is undisturbed yet.
	s.rebuilt = prove.Rebuilt{How: "noted at set-up", Images: map[string]string{appImage: s.get(t, appImage, version).Digest.String()}, Files: map[string]string{}}
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

func (s *stage) registry() *oci.Registry {
	return &oci.Registry{Keychain: testkit.Login(s.Token()), Transport: s.Transport(), Backoff: remote.Backoff{Steps: 1}}
}

// anybody looks without credentials.
func (s *stage) anybody() *oci.Registry {
	return &oci.Registry{Keychain: authn.NewMultiKeychain(), Transport: s.Transport(), Backoff: remote.Backoff{Steps: 1}}
}

func (s *stage) forge(t *testing.T, token string) *gh.Client {
	t.Helper()
	forge, err := gh.New(gh.Options{Token: token, Transport: s.Transport(), Wait: testkit.NoWait})
	testkit.Must(t, err)
	return forge
}

// prover is anybody, who has nothing at hand but the declaration.
func (s *stage) prover(t *testing.T) *prove.Prover {
	t.Helper()
	repo := git.Repo{Dir: s.dir, Env: s.env} // no repository of its own
	registry := s.anybody()
	return &prove.Prover{
		File: s.file, Config: delivery.FileName, Component: "app", Version: parse(t, version), Repo: repo, Server: "https://github.com",
		Registry: registry, Anybody: s.anybody(), Forge: s.forge(t, ""),
		Resolver: s.resolver(registry, repo),
		Rebuild:  func(context.Context, prove.Source) (prove.Rebuilt, error) { return s.rebuilt, nil },
	}
}

func (s *stage) resolver(registry *oci.Registry, repo git.Repo) lookup.Resolver {
	return lookup.Resolver{Registry: registry, Server: "https://github.com", Refs: repo.Refs("https://github.com"), HTTP: s.Transport(), Brief: true}
}

// owner is anybody in a clone, which spares a fetch.
func (s *stage) owner(t *testing.T) *prove.Prover {
	t.Helper()
	p := s.prover(t)
	p.Repo.Dir = s.clone
	return p
}

// prove looks at the release as the world has it now.
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

// wholly fails unless all of a proof is proven.
func wholly(t *testing.T, proof *report.Proof) {
	t.Helper()
	for _, a := range proof.Associations {
		if a.State != report.Proven {
			t.Errorf("%s", line(a))
		}
	}
	if len(proof.Associations) == 0 {
		t.Error("nothing was looked at")
	}
}

func line(a report.Association) string {
	return strings.Join([]string{string(a.State), a.Rule, a.Subject, a.Claim, a.Evidence, a.RestsOn}, " | ")
}
