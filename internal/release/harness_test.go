package release_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/kubestellar/actions/internal/delivery"
	"github.com/kubestellar/actions/internal/gh"
	"github.com/kubestellar/actions/internal/git"
	"github.com/kubestellar/actions/internal/goreleaser"
	"github.com/kubestellar/actions/internal/oci"
	"github.com/kubestellar/actions/internal/ref"
	"github.com/kubestellar/actions/internal/rehearsal/forge"
	"github.com/kubestellar/actions/internal/rehearsal/network"
	"github.com/kubestellar/actions/internal/release"
	"github.com/kubestellar/actions/internal/report"
	"github.com/kubestellar/actions/test/networktest"
	"github.com/kubestellar/actions/test/networktest/contract"
	"github.com/kubestellar/actions/test/testkit"
)

// stage is a network with everything that the tiny repository needs, and a clone of it.
type stage struct {
	*networktest.Network
	t     *testing.T
	clone git.Repo
}

const (
	owned  = "example/tiny"
	needed = "v0.2.0" // the lock-step component's tag
)

// packages are the packages of earlier releases. A new package would be private.
var packages = []string{"ghcr.io/example/tiny", "ghcr.io/example/charts/zeta-chart", "ghcr.io/example/charts/edge-chart"}

// newStage returns a stage on which the tiny repository can be released as 0.2.0.
func newStage(t *testing.T) *stage {
	t.Helper()
	dir := t.TempDir()
	w, err := networktest.Start(filepath.Join(dir, "world"), network.Options{})
	if err != nil {
		t.Fatal(err)
	}
	w.Observe(contract.Hold(t))
	t.Cleanup(func() { w.Close() })
	s := &stage{w, t, git.Repo{Dir: filepath.Join(dir, "clone"), Env: append(w.Env(), testkit.GoEnv(t)...)}}
	for _, repository := range []string{owned, "example/engine", "example/consumer", "example/tool"} {
		s.must(w.Forge.CreateRepository(repository, forge.Repository{}))
	}
	s.seed(filepath.Join(dir, "seed"))
	engine := s.commitIn("example/engine", needed)
	s.place("quay.io/example/engine", "0.2.0", map[string]string{
		oci.KeyRevision: engine, oci.KeyVersion: "0.2.0", oci.KeySource: "https://github.com/example/engine",
	})
	s.place("quay.io/example/tool", "v1.4.0", nil)
	for _, at := range packages {
		s.place(at, "0.1.0", nil)
	}
	s.git(dir, "clone", "--quiet", "https://github.com/"+owned, s.clone.Dir)
	return s
}

func (s *stage) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

func (s *stage) git(dir string, args ...string) string {
	s.t.Helper()
	out, err := git.Repo{Dir: dir, Env: s.clone.Env}.Run(context.Background(), args...)
	s.must(err)
	return out
}

// seed pushes the tiny repository's files as main, always as the same commit.
func (s *stage) seed(dir string) {
	s.t.Helper()
	s.must(os.CopyFS(dir, os.DirFS("testdata/tiny")))
	base, err := oci.BaseImage()
	s.must(err)
	digest, err := base.Digest()
	s.must(err)
	testkit.Edit(s.t, filepath.Join(dir, ".goreleaser.yaml"), "@BASE", "@"+digest.String())
	s.git(dir, "init", "--quiet", "--initial-branch=main")
	s.git(dir, "add", ".")
	s.commit(dir, "Begin")
	s.git(dir, "push", "--quiet", "https://github.com/"+owned, "main")
}

func (s *stage) commit(dir, message string) {
	s.t.Helper()
	testkit.Git(s.t, testkit.Dated(git.Repo{Dir: dir, Env: s.clone.Env}), "commit", "--quiet", "--message", message)
}

// change edits a file of the clone and pushes that as a commit to main.
func (s *stage) change(file, old, replacement string) {
	s.t.Helper()
	testkit.Edit(s.t, filepath.Join(s.clone.Dir, file), old, replacement)
	s.git(s.clone.Dir, "add", ".")
	s.commit(s.clone.Dir, "Change "+file)
	s.git(s.clone.Dir, "push", "--quiet", "origin", "main")
}

// commitIn creates the first commit of a repository, and a tag on it.
func (s *stage) commitIn(repository, tag string) string {
	s.t.Helper()
	dir := s.Forge.RepositoryDir(repository)
	commit := s.git(dir, "commit-tree", "-m", "stand in", "4b825dc642cb6eb9a060e54bf8d69288fbee4904")
	s.git(dir, "update-ref", "refs/heads/main", commit)
	s.git(dir, "update-ref", "refs/tags/"+tag, commit)
	return commit
}

// place puts an image with labels into a registry.
func (s *stage) place(at, tag string, labels map[string]string) {
	s.t.Helper()
	image, err := mutate.ConfigFile(empty.Image, &v1.ConfigFile{OS: "linux", Architecture: "amd64", Config: v1.Config{Labels: labels}})
	s.must(err)
	_, err = s.registry().PushImage(context.Background(), at, tag, image)
	s.must(err)
}

func (s *stage) registry() *oci.Registry {
	return &oci.Registry{Keychain: testkit.Login(s.Token()), Transport: s.Transport(), Backoff: remote.Backoff{Steps: 1}}
}

// public queries without credentials.
func (s *stage) public() *oci.Registry {
	return &oci.Registry{Keychain: authn.NewMultiKeychain(), Transport: s.Transport(), Backoff: remote.Backoff{Steps: 1}}
}

// release releases the current commit of the clone.
func (s *stage) release(version string) (*report.Report, error) {
	s.t.Helper()
	return s.releaser(version).Release(context.Background())
}

func (s *stage) releaser(version string) *release.Releaser {
	s.t.Helper()
	v, err := ref.ParseVersion(version)
	s.must(err)
	commit, err := s.clone.Head(context.Background())
	s.must(err)
	tree, err := s.clone.Snapshot(context.Background(), commit)
	s.must(err)
	file, err := delivery.Load(tree, delivery.FileName)
	s.must(err)
	forge, err := gh.New(gh.Options{Token: s.Token(), Transport: s.Transport(), Wait: testkit.NoWait})
	s.must(err)
	return &release.Releaser{
		Repo: s.clone, Commit: commit, Tree: tree, File: file, Version: v, Registry: s.registry(), Public: s.public(),
		Forge: forge, Downstreams: forge, Server: "https://github.com",
		Goreleaser: goreleaser.Program{Command: testkit.Tool(s.t, "goreleaser"), Dir: s.clone.Dir, Env: s.clone.Env},
		Log:        &report.Log{Out: io.Discard, Now: time.Now},
	}
}

// state returns everything that is public, and the drafts.
func (s *stage) state() string {
	s.t.Helper()
	var b strings.Builder
	fmt.Fprintln(&b, s.git(s.Forge.RepositoryDir(owned), "for-each-ref", "--format=%(refname) %(objecttype) %(*objectname)", "refs/tags"))
	for _, repository := range append(slices.Clone(packages), "ghcr.io/kubestellar/actions/base") {
		b.WriteString(s.tags(repository))
	}
	for _, r := range s.releases() {
		fmt.Fprintf(&b, "release %s draft=%t\n", r.Tag, r.Draft)
		slices.SortFunc(r.Assets, func(a, b gh.Asset) int { return strings.Compare(a.Name, b.Name) })
		for _, a := range r.Assets {
			fmt.Fprintf(&b, "  %s %s\n", a.Name, a.Digest)
		}
	}
	fmt.Fprintf(&b, "%d dispatches\n", len(s.Forge.Dispatches("example/consumer")))
	return b.String()
}

func (s *stage) tags(at string) string {
	s.t.Helper()
	repository, err := name.NewRepository(at)
	s.must(err)
	options := []remote.Option{remote.WithTransport(s.Transport()), remote.WithAuth(&authn.Basic{Username: "test", Password: s.Token()})}
	tags, err := remote.List(repository, options...)
	if err != nil {
		return at + ": nothing\n"
	}
	var b strings.Builder
	slices.Sort(tags)
	for _, tag := range tags {
		desc, err := remote.Head(repository.Tag(tag), options...)
		s.must(err)
		fmt.Fprintf(&b, "%s:%s %s\n", at, tag, desc.Digest)
	}
	return b.String()
}

func (s *stage) releases() []gh.Release {
	s.t.Helper()
	req, err := http.NewRequest(http.MethodGet, "https://api.github.com/repos/"+owned+"/releases?per_page=100", nil)
	s.must(err)
	req.Header.Set("Authorization", "Bearer "+s.Token())
	resp, err := (&http.Client{Transport: s.Transport()}).Do(req)
	s.must(err)
	defer resp.Body.Close()
	var releases []gh.Release
	s.must(json.NewDecoder(resp.Body).Decode(&releases))
	return releases
}
