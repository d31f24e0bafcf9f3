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
	"sync"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/kubestellar/actions/internal/delivery"
	"github.com/kubestellar/actions/internal/gh"
	"github.com/kubestellar/actions/internal/git"
	"github.com/kubestellar/actions/internal/goreleaser"
	"github.com/kubestellar/actions/internal/oci"
	"github.com/kubestellar/actions/internal/ref"
	"github.com/kubestellar/actions/internal/rehearsal/network"
	"github.com/kubestellar/actions/internal/release"
	"github.com/kubestellar/actions/internal/report"
	"github.com/kubestellar/actions/test/testkit"
)

// stage is a network with everything that the tiny repository needs, and a clone of it.
type stage struct {
	*testkit.Network
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
	n := testkit.Start(t, network.Options{}, owned, "example/engine", "example/consumer", "example/tool")
	s := &stage{n, git.Repo{Dir: filepath.Join(n.Dir, "clone"), Env: append(n.Env(), testkit.GoEnv(t)...)}}
	bare, engine := s.Forge.RepositoryDir(owned), s.Forge.RepositoryDir("example/engine")
	s.prepare("stage", []string{s.clone.Dir, bare, engine}, func() {
		s.seed(filepath.Join(n.Dir, "seed"))
		s.CommitEmpty("example/engine", "refs/tags/"+needed)
		s.Git(s.Dir, "clone", "--quiet", "https://github.com/"+owned, s.clone.Dir)
	})
	refs, err := s.Forge.Refs("example/engine")
	s.Must(err)
	s.PushImage("quay.io/example/engine", "0.2.0", testkit.Labels("example/engine", refs["refs/tags/"+needed], "0.2.0"))
	s.PushImage("quay.io/example/tool", "v1.4.0", nil)
	for _, at := range packages {
		s.PushImage(at, "0.1.0", nil)
	}
	return s
}

// prepared holds the names of the copies that prepare has made.
var prepared struct {
	sync.Mutex
	names map[string]bool
}

// prepare fills folders with repositories. Only the first stage runs git for that, in about 30 processes.
// The other stages copy its folders.
func (s *stage) prepare(name string, dirs []string, fill func()) {
	s.T.Helper()
	copied := func(i int) string { return filepath.Join(bin, fmt.Sprintf("%s-%d", name, i)) }
	prepared.Lock()
	defer prepared.Unlock()
	if prepared.names[name] {
		for i, dir := range dirs {
			s.Must(os.RemoveAll(dir))
			s.Must(os.CopyFS(dir, os.DirFS(copied(i))))
		}
		return
	}
	fill()
	for i, dir := range dirs {
		s.Must(os.CopyFS(copied(i), os.DirFS(dir)))
	}
	if prepared.names == nil {
		prepared.names = map[string]bool{}
	}
	prepared.names[name] = true
}

// seed pushes the tiny repository's files as main, always as the same commit.
func (s *stage) seed(dir string) {
	s.T.Helper()
	s.Must(os.CopyFS(dir, os.DirFS("testdata/tiny")))
	base, err := oci.BaseImage()
	s.Must(err)
	digest, err := base.Digest()
	s.Must(err)
	testkit.Edit(s.T, filepath.Join(dir, ".goreleaser.yaml"), "@BASE", "@"+digest.String())
	s.Git(dir, "init", "--quiet", "--initial-branch=main")
	s.Git(dir, "add", ".")
	s.commit(dir, "Begin")
	s.Git(dir, "push", "--quiet", "https://github.com/"+owned, "main")
}

func (s *stage) commit(dir, message string) {
	s.T.Helper()
	testkit.Git(s.T, testkit.Dated(git.Repo{Dir: dir, Env: s.clone.Env}), "commit", "--quiet", "--message", message)
}

// change edits a file of the clone and pushes that as a commit to main.
func (s *stage) change(file, old, replacement string) {
	s.T.Helper()
	testkit.Edit(s.T, filepath.Join(s.clone.Dir, file), old, replacement)
	s.Git(s.clone.Dir, "add", ".")
	s.commit(s.clone.Dir, "Change "+file)
	s.Git(s.clone.Dir, "push", "--quiet", "origin", "main")
}

// release releases the current commit of the clone.
func (s *stage) release(version string) (*report.Report, error) {
	s.T.Helper()
	return s.releaser(version).Release(context.Background())
}

func (s *stage) releaser(version string) *release.Releaser {
	s.T.Helper()
	v, err := ref.ParseVersion(version)
	s.Must(err)
	commit, err := s.clone.Head(context.Background())
	s.Must(err)
	tree, err := s.clone.Snapshot(context.Background(), commit)
	s.Must(err)
	s.T.Cleanup(func() { tree.Close() }) // ends a git process
	file, err := delivery.Load(tree, delivery.FileName)
	s.Must(err)
	forge := s.GitHub(s.Token())
	return &release.Releaser{
		Repo: s.clone, Commit: commit, Tree: tree, File: file, Version: v, Registry: s.OCI(), Public: s.Anonymous(),
		Forge: forge, Downstreams: forge, Server: "https://github.com",
		Goreleaser: goreleaser.Program{Command: testkit.Tool(s.T, "goreleaser"), Dir: s.clone.Dir, Env: s.clone.Env},
		Log:        &report.Log{Out: io.Discard, Now: time.Now},
	}
}

// state returns everything that is public, and the drafts.
func (s *stage) state() string {
	s.T.Helper()
	var b strings.Builder
	fmt.Fprintln(&b, s.Git(s.Forge.RepositoryDir(owned), "for-each-ref", "--format=%(refname) %(objecttype) %(*objectname)", "refs/tags"))
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
	s.T.Helper()
	repository, err := name.NewRepository(at)
	s.Must(err)
	tags, err := remote.List(repository, s.Remote()...)
	if err != nil {
		return at + ": nothing\n"
	}
	var b strings.Builder
	slices.Sort(tags)
	for _, tag := range tags {
		desc, err := remote.Head(repository.Tag(tag), s.Remote()...)
		s.Must(err)
		fmt.Fprintf(&b, "%s:%s %s\n", at, tag, desc.Digest)
	}
	return b.String()
}

func (s *stage) releases() []gh.Release {
	s.T.Helper()
	req, err := http.NewRequest(http.MethodGet, "https://api.github.com/repos/"+owned+"/releases?per_page=100", nil)
	s.Must(err)
	req.Header.Set("Authorization", "Bearer "+s.Token())
	resp, err := (&http.Client{Transport: s.Transport()}).Do(req)
	s.Must(err)
	defer resp.Body.Close()
	var releases []gh.Release
	s.Must(json.NewDecoder(resp.Body).Decode(&releases))
	return releases
}
