package tag_test

import (
	"bytes"
	"context"
	"path/filepath"
	"testing"
	"time"

	"github.com/kubestellar/actions/internal/delivery"
	"github.com/kubestellar/actions/internal/find"
	"github.com/kubestellar/actions/internal/gh"
	"github.com/kubestellar/actions/internal/git"
	"github.com/kubestellar/actions/internal/lookup"
	"github.com/kubestellar/actions/internal/prove"
	"github.com/kubestellar/actions/internal/ref"
	"github.com/kubestellar/actions/internal/rehearsal/network"
	"github.com/kubestellar/actions/internal/report"
	"github.com/kubestellar/actions/internal/tag"
	"github.com/kubestellar/actions/internal/verify"
	"github.com/kubestellar/actions/test/networktest/faults"
	"github.com/kubestellar/actions/test/testkit"
)

const owned = "example/tiny"

// stage is a network in which a commit of example/tiny can be tagged as 0.2.0, with a clone.
type stage struct {
	*testkit.Network
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
	s := &stage{Network: testkit.Start(t, network.Options{}, owned, "example/engine", "example/tool")}
	s.Slow = faults.Slow
	s.clone = s.Repo(filepath.Join(s.Dir, "clone"))
	s.Git(s.Dir, "clone", "--quiet", "https://github.com/"+owned, s.clone.Dir)
	s.commit("delivery.yaml", declared)
	s.commit("values.yaml", "TOOL_VERSION: \"1.4.0\"\n")
	s.git("push", "--quiet", "origin", "main")
	s.PushImage("quay.io/example/tool", "1.4.0", nil)
	s.placeEngine("0.2.0")
	return s
}

func (s *stage) git(args ...string) string {
	s.T.Helper()
	return testkit.Git(s.T, s.clone, args...)
}

// commit writes a file and commits it.
func (s *stage) commit(name, text string) {
	s.T.Helper()
	testkit.Write(s.T, filepath.Join(s.clone.Dir, name), text)
	s.git("add", name)
	s.git("commit", "--quiet", "--message", "change "+name)
}

func (s *stage) head() string { return s.git("rev-parse", "HEAD") }

// tagged puts tags on a commit of the repository, by git.
func (s *stage) tagged(commit string, tags ...string) {
	s.T.Helper()
	for _, name := range tags {
		s.git("push", "--quiet", "origin", commit+":refs/tags/"+name)
	}
}

// placeEngine releases what is in lock step, at a version.
func (s *stage) placeEngine(version string) {
	s.T.Helper()
	commit := s.CommitEmpty("example/engine", "refs/tags/v"+version)
	s.PushImage("quay.io/example/engine", version, testkit.Labels("example/engine", commit, version))
}

// tag tags the clone's HEAD.
func (s *stage) tag(version string) (*gh.Tag, error) {
	s.T.Helper()
	return s.tagger(version).Tag(context.Background())
}

func (s *stage) tagger(version string) *tag.Tagger {
	s.T.Helper()
	v, err := ref.ParseVersion(version)
	s.Must(err)
	commit := s.head()
	tree, err := s.clone.Snapshot(context.Background(), commit)
	s.Must(err)
	s.T.Cleanup(func() { tree.Close() }) // ends a git process
	names, err := find.Names(tree)
	s.Must(err)
	file, err := delivery.Load(tree, delivery.FileName)
	s.Must(err)
	const server = "https://github.com"
	resolver := lookup.Resolver{Registry: s.OCI(), Refs: s.clone.Refs(server), Server: server, HTTP: s.Transport()}
	forge := s.GitHub(s.Token())
	s.out.Reset()
	return &tag.Tagger{
		Repo: s.clone, Commit: commit, Tree: tree, Names: names, File: file, Version: v, Forge: forge, Server: server, OwnRun: s.ownRun, DryRun: s.dryRun,
		Ask: &verify.Asker{File: file, Resolver: resolver, Charts: s.OCI().ChartArchive},
		Prover: &prove.Prover{File: file, Component: file.Self, Version: v, Repo: s.clone, Server: server, Registry: s.OCI(), Resolver: resolver, Forge: forge,
			Source: &prove.Source{Commit: commit, Tree: tree, File: file, Self: file.Self, Declares: true}},
		Log: &report.Log{Out: &s.out, Now: time.Now},
	}
}

// state is each tag of the repository, with its kind, its commit and its message.
func (s *stage) state() string { return s.stateOf(owned) }

func (s *stage) stateOf(repository string) string {
	s.T.Helper()
	const format = "--format=%(refname) %(objecttype) %(*objectname) %(taggername) %(contents:subject)"
	return testkit.Git(s.T, s.Bare(repository), "for-each-ref", format, "refs/")
}

// dispatched returns the id of a dispatched run on the commit.
func (s *stage) dispatched() int64 {
	s.T.Helper()
	s.Must(s.GitHub(s.Token()).Dispatch(context.Background(), owned, gh.NewEvent("engine", "0.2.0")))
	runs := s.Forge.Runs(owned)
	return runs[len(runs)-1].ID
}
