package laws_test

import (
	"os/exec"
	"strings"
	"testing"
)

// tracked returns the paths of the files that git tracks, or would.
func tracked(t *testing.T) []string {
	t.Helper()
	cmd := exec.Command("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard")
	cmd.Dir = "../.."
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("git ls-files: %v", err)
	}
	names := strings.Split(strings.Trim(string(out), "\x00"), "\x00")
	if len(names) < 200 {
		t.Fatalf("git tracks only %d files", len(names))
	}
	return names
}
