package actions_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// A copy calls the same actions by the given name and ref. The rest of the copy is unchanged.
func TestMirroredWorkflowsCallTheSameActions(t *testing.T) {
	t.Parallel()
	commit, dir := strings.Repeat("0123456789", 4), t.TempDir()
	if out, err := mirror("corp/kubestellar-actions", commit, dir); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	originals, err := filepath.Glob(filepath.Join(root, ".github/workflows/reusable-*.yml"))
	if err != nil || len(originals) == 0 {
		t.Fatalf("saw %d reusable workflows, %v, want some", len(originals), err)
	}
	for _, original := range originals {
		before, err := os.ReadFile(original)
		if err != nil {
			t.Fatal(err)
		}
		after, err := os.ReadFile(filepath.Join(dir, filepath.Base(original)))
		if err != nil {
			t.Fatal(err)
		}
		at := "uses: corp/kubestellar-actions/actions/"
		restored := strings.ReplaceAll(strings.ReplaceAll(string(after), at, "uses: $/actions/"), "@"+commit, "")
		if !strings.Contains(string(after), at) || restored != string(before) {
			t.Errorf("%s: the copy is\n%s", filepath.Base(original), after)
		}
	}
}

func TestMirrorTakesWhatLasts(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{"corp/x", "main"}, {"corp/x", "v1"}, {"corp", "v1.2.3"}, {"a/b|e id", "v1.2.3"}, {"corp/x"}} {
		out, err := mirror(append(args, t.TempDir())...)
		if err == nil || !strings.Contains(out, "usage: ") {
			t.Errorf("%q: saw %v and %q, want an error", args, err, out)
		}
	}
}

func mirror(args ...string) (string, error) {
	out, err := exec.Command("bash", append([]string{filepath.Join(root, "hack", "mirror-workflows.sh")}, args...)...).CombinedOutput()
	return string(out), err
}
