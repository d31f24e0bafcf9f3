package git_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kubestellar/actions/internal/git"
	"github.com/kubestellar/actions/internal/history"
	"github.com/kubestellar/actions/test/testkit"
)

const pinned = "a b/värsion.mk"

// told is a clone with a history of one place, told by the subjects of its commits.
func told(t *testing.T) git.Repo {
	t.Helper()
	one, _ := clones(t)
	testkit.Must(t, os.MkdirAll(filepath.Join(one.Dir, "a b"), 0o755))
	commit := func(subject, text string) {
		testkit.Write(t, filepath.Join(one.Dir, pinned), text)
		testkit.Git(t, one, "add", ".")
		testkit.Git(t, one, "commit", "--quiet", "--allow-empty", "-m", subject)
	}
	commit("add", "WEB := v1.0.0\n-- a/x 1.0.0\n")
	commit("move", "# a remark\nWEB := v1.1.0\n-- a/x 1.0.0\n")
	commit("indent", "# a remark\n  WEB  := v1.1.0\r\n-- a/x 1.0.0\n")
	testkit.Git(t, one, "checkout", "--quiet", "-b", "side")
	commit("side", "# a remark\n  WEB  := v1.1.1\n-- a/x 1.0.0\n")
	commit("merged", "# a remark\n  WEB  := v1.2.0\n-- a/x 1.2.0")
	testkit.Git(t, one, "checkout", "--quiet", "-")
	testkit.Git(t, one, "merge", "--quiet", "--no-ff", "-m", "merge", "side")
	commit("add another", "# a remark\n  WEB  := v1.2.0\nWEB := 1.3.0\n-- a/x 1.2.0\n")
	return one
}

// events returns what a log holds of a line: the subject of each commit, and the versions.
func events(t *testing.T, one git.Repo, log *history.Log, file, line string) string {
	t.Helper()
	shape, _ := history.Shape(line)
	var all []string
	for _, e := range log.Events(history.Place{File: file, Shape: shape}) {
		subject := testkit.Git(t, one, "log", "-1", "--format=%s", e.Commit)
		all = append(all, subject+": "+strings.Join(e.From, ",")+" → "+strings.Join(e.To, ","))
	}
	return strings.Join(all, "; ")
}

func TestHistory(t *testing.T) {
	t.Parallel()
	one := told(t)
	lines := map[string]string{
		"WEB := v1.0.0": "add another:  → 1.3.0; merge: 1.1.0 → 1.2.0; move: 1.0.0 → 1.1.0; add:  → 1.0.0",
		"-- a/x 1.0.0":  "merge: 1.0.0 → 1.2.0; add:  → 1.0.0",
		"OTHER 1.0.0":   "",
	}
	var places []history.Place
	for line := range lines {
		shape, _ := history.Shape(line)
		places = append(places, history.Place{File: pinned, Shape: shape})
	}
	for _, name := range []string{"diff.noprefix", "diff.mnemonicPrefix", "log.showSignature", "color.ui", "diff.renames"} {
		testkit.Git(t, one, "config", name, "true")
	}
	log, err := one.History(t.Context(), "HEAD", places)
	testkit.Must(t, err)
	for line, want := range lines {
		if diff := cmp.Diff(want, events(t, one, log, pinned, line)); diff != "" {
			t.Errorf("%s: -want +got:\n%s", line, diff)
		}
	}
	if log.Partial != "" {
		t.Errorf("partial: %s", log.Partial)
	}
}

// Names are relative to the folder of the tree, as those of its files are.
func TestHistoryInAFolder(t *testing.T) {
	t.Parallel()
	one := told(t)
	sub := one
	sub.Dir = filepath.Join(one.Dir, "a b")
	shape, _ := history.Shape("WEB := v1.0.0")
	log, err := sub.History(t.Context(), "HEAD", []history.Place{{File: "värsion.mk", Shape: shape}})
	testkit.Must(t, err)
	if got := events(t, one, log, "värsion.mk", "WEB := v1.0.0"); !strings.HasSuffix(got, "add:  → 1.0.0") {
		t.Errorf("events %q", got)
	}
}

// Everything is new in the first commit of a shallow clone, so it tells nothing.
func TestHistoryOfAShallowClone(t *testing.T) {
	t.Parallel()
	one := told(t)
	shallow := one
	shallow.Dir = filepath.Join(t.TempDir(), "shallow")
	testkit.Git(t, one, "clone", "--quiet", "--depth=2", "file://"+one.Dir, shallow.Dir)
	shape, _ := history.Shape("WEB := v1.0.0")
	log, err := shallow.History(t.Context(), "HEAD", []history.Place{{File: pinned, Shape: shape}})
	testkit.Must(t, err)
	if got := events(t, shallow, log, pinned, "WEB := v1.0.0"); got != "add another:  → 1.3.0" || log.Partial == "" {
		t.Errorf("events %q, partial %q", got, log.Partial)
	}
}

func TestHistoryWithoutARepository(t *testing.T) {
	t.Parallel()
	one, _ := clones(t)
	one.Dir = t.TempDir()
	log, err := one.History(t.Context(), "HEAD", []history.Place{{File: "x", Shape: "y"}})
	if err != nil || log.Partial == "" {
		t.Errorf("%v, %+v; want a log that tells that there is no history", err, log)
	}
}
