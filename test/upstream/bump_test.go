package upstream_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/kubestellar/actions/internal/apply"
	"github.com/kubestellar/actions/internal/bump"
	"github.com/kubestellar/actions/internal/decide"
	"github.com/kubestellar/actions/internal/delivery"
	"github.com/kubestellar/actions/internal/find"
	"github.com/kubestellar/actions/internal/outcome"
	"github.com/kubestellar/actions/internal/ref"
)

// released publishes another version of o/up whose chart runs this image.
func (s *stage) released(t *testing.T, version, runs string) {
	t.Helper()
	if _, err := s.git(s.Forge.RepositoryDir("o/up")).Run(t.Context(), "update-ref", "refs/tags/v"+version, s.commit); err != nil {
		t.Fatal(err)
	}
	s.chart(t, "v"+version, runs)
}

// planned plans the bump of up to a version in a folder.
func (s *stage) planned(t *testing.T, f *delivery.File, dir, version string) (bump.Bump, *bump.Plan, error) {
	t.Helper()
	v, err := ref.ParseVersion(version)
	if err != nil {
		t.Fatal(err)
	}
	tree, err := find.OpenFolder(dir)
	if err != nil {
		t.Fatal(err)
	}
	names, err := find.Names(tree)
	if err != nil {
		t.Fatal(err)
	}
	b := bump.Bump{File: f, Tree: tree, Names: names, Move: decide.Move{Component: "up", Version: v}, Ask: s.asker(t, f), Env: os.Environ()}
	p, err := b.Plan(t.Context())
	return b, p, err
}

// tree writes files into a new folder.
func tree(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func read(t *testing.T, dir, name string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// A new release whose chart runs a missing image is refused. The finding names both.
func TestRefusesAChartThatCannotRun(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.image(t, "1.3.0")
	s.released(t, "1.3.0", "ghcr.io/o/up:1.3.0-never")
	dir := tree(t, map[string]string{"install.sh": "helm install x oci://ghcr.io/o/up-chart --version v1.2.3\n"})
	_, p, err := s.planned(t, parsed(t, declared), dir, "1.3.0")
	if err != nil {
		t.Fatal(err)
	}
	failed := p.Err(false)
	if outcome.Of(failed) != outcome.Wrong || len(p.Changes) != 0 || len(p.Findings) != 1 ||
		!strings.Contains(p.Findings[0].Saw, "ghcr.io/o/up:1.3.0-never") || !strings.Contains(p.Findings[0].Saw, "ghcr.io/o/up-chart:v1.3.0") {
		t.Errorf("%v, %d changes, findings %+v", failed, len(p.Changes), p.Findings)
	}
}

// A release without a git tag is refused, whatever the registry contains.
func TestRefusesWithoutAGitTag(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.image(t, "1.3.0")
	dir := tree(t, map[string]string{"a.yaml": "image: ghcr.io/o/up:1.2.3\n"})
	_, p, err := s.planned(t, parsed(t, declared), dir, "1.3.0")
	if err != nil || len(p.Findings) != 1 || !strings.Contains(p.Findings[0].Saw, "git tag v1.3.0 of o/up") || len(p.Changes) != 0 {
		t.Errorf("%v, %+v", err, p)
	}
}

// If a registry cannot be queried, nothing is written, and there is no finding.
func TestWritesNothingUnasked(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.Down("ghcr.io")
	dir := tree(t, map[string]string{"a.yaml": "image: ghcr.io/o/up:1.0.0\n"})
	_, p, err := s.planned(t, parsed(t, declared), dir, "1.2.3")
	if err != nil || len(p.Findings) != 0 || len(p.Changes) != 0 || outcome.Of(p.Err(false)) != outcome.Unchecked {
		t.Errorf("%v, %+v", err, p)
	}
}

// A version moves together with the digest or commit beside it.
func TestMovesLocks(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	old := "sha256:" + strings.Repeat("0", 64)
	dir := tree(t, map[string]string{
		"a.yaml":                   "image: ghcr.io/o/up:1.0.0@" + old + "\n",
		".github/workflows/ci.yml": "- uses: o/up/x@" + strings.Repeat("1", 40) + " # v1.0.0\n",
		"late.yaml":                "image: ghcr.io/o/up:1.0.0\n",
		"delivery.yaml":            "source: src\ndependencies: [\"ghcr.io/o/up-chart:v1.0.0@" + old + "\"]\n",
		"src/Chart.yaml":           "dependencies: [{name: up-chart, version: v1.0.0, repository: 'oci://ghcr.io/o'}]\n",
	})
	f := parsed(t, strings.Replace(declared, "repository: o/up\n", "repository: o/up\n    digests: true\n", 1))
	_, p, err := s.planned(t, f, dir, "1.2.3")
	if err != nil || p.Err(false) != nil {
		t.Fatal(err, p.Err(false), p.Unchecked)
	}
	if err := apply.Write(dir, p.Changes); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"a.yaml":                   "image: ghcr.io/o/up:1.2.3@" + s.digest + "\n",
		".github/workflows/ci.yml": "- uses: o/up/x@" + s.commit + " # v1.2.3\n",
		"late.yaml":                "image: ghcr.io/o/up:1.2.3@" + s.digest + "\n",
		"delivery.yaml":            "source: src\ndependencies: [\"ghcr.io/o/up-chart:v1.2.3@" + s.chartDigest + "\"]\n",
		"src/Chart.yaml":           "dependencies: [{name: up-chart, version: v1.2.3, repository: 'oci://ghcr.io/o'}]\n",
	} {
		if got := read(t, dir, name); got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
	if _, p, err := s.planned(t, f, dir, "1.2.3"); err != nil || len(p.Edits) != 0 {
		t.Errorf("a second time: %v, %+v", err, p.Edits)
	}
}

// The commands that derive files run in a copy, and their changes belong to the bump. If one fails, or
// undoes the edit, nothing changes.
func TestDerives(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	for name, test := range map[string]struct{ command, says string }{
		"fine":            {"cp values.yaml derived.yaml", ""},
		"fails":           {"false", `deriving files by "false": exit status 1`},
		"is not there":    {"no-such-command", "no command no-such-command found on PATH"},
		"undoes the edit": {"cp old.yaml values.yaml", "the command undoes the edit"},
		"undoes one edit": {"cp half.yaml values.yaml", "the command undoes the edit"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			const values = "image: ghcr.io/o/up:1.0.0\nother: ghcr.io/o/up:1.0.0\n"
			const moved = "image: ghcr.io/o/up:1.2.3\nother: ghcr.io/o/up:1.2.3\n"
			half := "image: none\nother: ghcr.io/o/up:1.2.3\n"
			dir := tree(t, map[string]string{"values.yaml": values, "old.yaml": "none\n", "half.yaml": half})
			f := parsed(t, strings.Replace(declared, "repository: o/up\n", "repository: o/up\n    derived: [\""+test.command+"\"]\n", 1))
			_, p, err := s.planned(t, f, dir, "1.2.3")
			if test.says != "" {
				if err == nil || !strings.Contains(err.Error(), test.says) || read(t, dir, "values.yaml") != values {
					t.Errorf("%v; values.yaml is %q", err, read(t, dir, "values.yaml"))
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if err := apply.Write(dir, p.Changes); err != nil {
				t.Fatal(err)
			}
			if got := read(t, dir, "derived.yaml"); got != moved || read(t, dir, "values.yaml") != got {
				t.Errorf("derived.yaml is %q", got)
			}
		})
	}
}
