package git

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
)

// Of large files, fewer commits are read.
func TestCommits(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for name, size := range map[string]int64{"small": 1 << 20, "large": 8 << 20, "huge": 1 << 30} {
		path := filepath.Join(dir, name)
		if err := errors.Join(os.WriteFile(path, nil, 0o600), os.Truncate(path, size)); err != nil {
			t.Fatal(err)
		}
	}
	for name, want := range map[string]int{"gone": 400, "small": 400, "large": 63, "huge": 20} {
		if got := commits(dir, []string{name}); got != want {
			t.Errorf("%s: %d commits, want %d", name, got, want)
		}
	}
}
