package apply

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// folder makes a folder of files, and lists what it holds when asked.
func folder(t *testing.T, files map[string]string) (dir string, holds func() map[string]string) {
	t.Helper()
	dir = t.TempDir()
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir, func() map[string]string {
		t.Helper()
		entries, err := os.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		now := map[string]string{}
		for _, e := range entries {
			data, err := os.ReadFile(filepath.Join(dir, e.Name()))
			if err != nil {
				t.Fatal(err)
			}
			now[e.Name()] = string(data)
		}
		return now
	}
}

func change(name, before, after string) Change {
	return Change{File: name, Before: []byte(before), After: []byte(after), Mode: 0o644}
}

func TestWrite(t *testing.T) {
	t.Parallel()
	made, gone := change("new", "", "made"), change("gone", "old", "")
	made.Before, gone.After = nil, nil
	dir, holds := folder(t, map[string]string{"a": "old", "gone": "old", "other": "o"})
	if err := Write(dir, []Change{change("a", "old", "new"), made, gone}); err != nil {
		t.Fatal(err)
	}
	if got := holds(); len(got) != 3 || got["a"] != "new" || got["new"] != "made" || got["other"] != "o" {
		t.Errorf("the folder holds %q", got)
	}
}

// If a change cannot be made, all files are restored, and no change of another program is lost.
func TestWriteTakesBack(t *testing.T) {
	t.Parallel()
	made := change("b", "", "made")
	made.Before = nil
	for name, test := range map[string]struct {
		there map[string]string
		last  Change
		says  string
	}{
		"changed since":       {map[string]string{"a": "old", "b": "theirs"}, change("b", "old", "new"), "it changed since it was read, or was removed"},
		"gone since":          {map[string]string{"a": "old"}, change("b", "old", "new"), "or was removed"},
		"there since":         {map[string]string{"a": "old", "b": "theirs"}, made, "it was created since the tree was read"},
		"the place is in use": {map[string]string{"a": "old", "b": "old", "b.ghhelper": "theirs"}, change("b", "old", "new"), "b.ghhelper: file exists"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir, holds := folder(t, test.there)
			err := Write(dir, []Change{change("a", "old", "new"), test.last})
			if err == nil || !strings.Contains(err.Error(), test.says) || !strings.Contains(err.Error(), "b") {
				t.Errorf("got %v, want %q", err, test.says)
			}
			now := holds()
			for file, text := range test.there {
				if now[file] != text {
					t.Errorf("%s holds %q, and held %q", file, now[file], text)
				}
			}
			if len(now) != len(test.there) {
				t.Errorf("the folder holds %q, and held %q", now, test.there)
			}
		})
	}
}
