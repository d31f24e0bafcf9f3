package tag_test

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/kubestellar/actions/internal/delivery"
	"github.com/kubestellar/actions/internal/find"
	"github.com/kubestellar/actions/internal/gh"
	"github.com/kubestellar/actions/internal/git"
	"github.com/kubestellar/actions/internal/lookup"
	"github.com/kubestellar/actions/internal/oci"
	"github.com/kubestellar/actions/internal/prove"
	"github.com/kubestellar/actions/internal/ref"
	"github.com/kubestellar/actions/internal/rehearsal/forge"
	"github.com/kubestellar/actions/internal/rehearsal/network"
	"github.com/kubestellar/actions/internal/report"
	"github.com/kubestellar/actions/internal/tag"
	"github.com/kubestellar/actions/internal/verify"
	"github.com/kubestellar/actions/test/networktest"
	"github.com/kubestellar/actions/test/networktest/contract"
	"github.com/kubestellar/actions/test/networktest/faults"
	"github.com/kubestellar/actions/test/testkit"
)

const owned = "example/tiny"

// stage is a world in which a commit of example/tiny can be tagged as 0.2.0, and
// a clone of it.
type stage struct {
	*networktest.Network
	t      *testing.T
	clone  git.Repo
	out    bytes.Buffer
	ownRun string
	dryRun bool
}

const declared = `version: 1
self: tiny
components:
  tiny: {repository: example/tiny}
  engine:
    repository: example/engine
    lockstep: tiny
    artifacts:
      image: {kind: image, at: quay.io/example/engine}
  tool:
    repository: example/tool
    artifacts:
      image: {kind: image, at: quay.io/example/tool}
    names: [TOOL_VERSION]
`

func newStage(t *testing.T) *stage {
	t.Helper()
	dir := t.TempDir()
	w, err := networktest.Start(filepath.Join(dir, "world"), network.Options{})
	if err != nil {
		t.Fatal(err)
	}
	w.Observe(contract.Hold(t))
	t.Cleanup(func() { w.Close() })
	s := &stage{Network: w, t: t, clone: git.Repo{Dir: filepath.Join(dir, "clone"), Env: append(w.Env(), "PATH="+os.Getenv("PATH"))}}
	for _, repository := range []string{owned, "example/engine", "example/tool"} {
		s.must(w.Forge.CreateRepository(repository, forge.Repository{}))
	}
	_, err = git.Repo{Dir: dir, Env: s.clone.Env}.Run(context.Background(), "clone", "--quiet", "https://github.com/"+owned, s.clone.Dir)
	s.must(err)
	s.commit("delivery.yaml", declared)
	s.commit("values.yaml", "TOOL_VERSION: \"1.4.0\"\n")
	s.git("push", "--quiet", "origin", "main")
	s.place("quay.io/example/tool", "1.4.0", nil)
	s.placeEngine("0.2.0")
	return s
}

func (s *stage) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

func (s *stage) git(args ...string) string {
	s.t.Helper()
	out, err := s.clone.Run(context.Background(), args...)
	s.must(err)
	return out
}

// commit writes a file and commits it.
func (s *stage) commit(name, text string) {
	s.t.Helper()
	s.must(os.WriteFile(filepath.Join(s.clone.Dir, name), []byte(text), 0o644))
	s.git("add", name)
	s.git("commit", "--quiet", "--message", "change "+name)
}

func (s *stage) head() string { return s.git("rev-parse", "HEAD") }

// tagged puts tags on a commit of the repository, by git.
func (s *stage) tagged(commit string, tags ...string) {
	s.t.Helper()
	for _, name := range tags {
		s.git("push", "--quiet", "origin", commit+":refs/tags/"+name)
	}
}

// placeEngine releases what is in lock step, at a version.
func (s *stage) placeEngine(version string) {
	s.t.Helper()
	bare := git.Repo{Dir: s.Forge.RepositoryDir("example/engine"), Env: s.clone.Env}
	commit, err := bare.Run(context.Background(), "commit-tree", "-m", "stand in", "4b825dc642cb6eb9a060e54bf8d69288fbee4904")
	s.must(err)
	_, err = bare.Run(context.Background(), "update-ref", "refs/tags/v"+version, commit)
	s.must(err)
	s.place("quay.io/example/engine", version, map[string]string{oci.KeyRevision: commit, oci.KeyVersion: version, oci.KeySource: "https://github.com/example/engine"})
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

func (s *stage) forge() *gh.Client {
	s.t.Helper()
	forge, err := gh.New(gh.Options{Token: s.Token(), TokenName: "X_TOKEN", Transport: s.Transport(), Slow: faults.Slow, Wait: testkit.NoWait})
	s.must(err)
	return forge
}

// tag tags the clone's HEAD.
func (s *stage) tag(version string) (*gh.Tag, error) {
	s.t.Helper()
	return s.tagger(version).Tag(context.Background())
}

func (s *stage) tagger(version string) *tag.Tagger {
	s.t.Helper()
	v, err := ref.ParseVersion(version)
	s.must(err)
	commit := s.head()
	tree, err := s.clone.Snapshot(context.Background(), commit)
	s.must(err)
	names, err := find.Names(tree)
	s.must(err)
	file, err := delivery.Load(tree, delivery.FileName)
	s.must(err)
	const server = "https://github.com"
	resolver := lookup.Resolver{Registry: s.registry(), Refs: s.clone.Refs(server), Server: server, HTTP: s.Transport()}
	forge := s.forge()
	s.out.Reset()
	return &tag.Tagger{
		Repo: s.clone, Commit: commit, Tree: tree, Names: names, File: file, Version: v, Forge: forge, Server: server, OwnRun: s.ownRun, DryRun: s.dryRun,
		Ask: &verify.Asker{File: file, Resolver: resolver, Charts: s.registry().ChartArchive},
		Prover: &prove.Prover{File: file, Component: file.Self, Version: v, Repo: s.clone, Server: server, Registry: s.registry(), Resolver: resolver, Forge: forge,
			Source: &prove.Source{Commit: commit, Tree: tree, File: file, Self: file.Self, Declares: true}},
		Log: &report.Log{Out: &s.out, Now: time.Now},
	}
}

// state is each tag of the repository, with its kind, its commit and its message.
func (s *stage) state() string { return s.stateOf(owned) }

func (s *stage) stateOf(repository string) string {
	s.t.Helper()
	bare := git.Repo{Dir: s.Forge.RepositoryDir(repository), Env: s.clone.Env}
	out, err := bare.Run(context.Background(), "for-each-ref", "--format=%(refname) %(objecttype) %(*objectname) %(taggername) %(contents:subject)", "refs/")
	s.must(err)
	return strings.TrimSpace(out)
}

// dispatched is a run on the commit that somebody has started from outside.
func (s *stage) dispatched() int64 {
	s.t.Helper()
	s.must(s.forge().Dispatch(context.Background(), owned, gh.NewEvent("engine", "0.2.0")))
	runs := s.Forge.Runs(owned)
	return runs[len(runs)-1].ID
}
