package git

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// File is a file that is not in a repository.
type File struct {
	Name string // with slashes
	Data []byte
	Mode fs.FileMode
}

// Diff returns a patch for git apply that turns some files into others. It needs no
// repository.
func (r Repo) Diff(ctx context.Context, before, after []File) (string, error) {
	dir, err := os.MkdirTemp("", "ghhelper-diff-*")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(dir)
	for side, files := range map[string][]File{"a": before, "b": after} {
		if err := writeAll(filepath.Join(dir, side), files); err != nil {
			return "", err
		}
	}
	here := Repo{Dir: dir, Env: r.Env}
	// The options override settings that would change the patch.
	out, err := here.Raw(ctx, "-c", "core.autocrlf=false", "-c", "core.quotePath=true", "diff", "--no-index",
		"--no-prefix", "--no-color", "--no-ext-diff", "--no-textconv", "--text", "--", "a", "b")
	var failed *Error
	if errors.As(err, &failed) && failed.Status == 1 { // there are differences
		return out, nil
	}
	return out, err
}

func writeAll(dir string, files []File) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	for _, f := range files {
		if err := root.MkdirAll(filepath.ToSlash(filepath.Dir(f.Name)), 0o755); err != nil {
			return err
		}
		if err := root.WriteFile(f.Name, f.Data, f.Mode); err != nil {
			return err
		}
	}
	return nil
}
