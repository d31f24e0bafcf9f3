package git

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// CommitFiles creates a commit on top of another, with changes to some files. A file
// without data is removed. The work tree and all branches stay unchanged. The committer
// signs the message off.
func (r Repo) CommitFiles(ctx context.Context, parent, message string, files []File) (commit string, err error) {
	tree, err := r.WriteTree(ctx, parent, files)
	if err != nil {
		return "", err
	}
	who, err := r.Committer(ctx)
	if err != nil {
		return "", err
	}
	return r.Run(ctx, "commit-tree", "-p", parent, "-m", message, "-m", "Signed-off-by: "+who, tree)
}

// WriteTree creates a tree from another, or from a commit's, with changes to some files.
// A file without data is removed. The work tree stays unchanged.
func (r Repo) WriteTree(ctx context.Context, of string, files []File) (tree string, err error) {
	dir, err := os.MkdirTemp("", "ghhelper-index-*")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(dir)
	index := r
	index.Env = append(r.environment(), "GIT_INDEX_FILE="+filepath.Join(dir, "index"))
	index.own = true
	if _, err := index.Run(ctx, "read-tree", of); err != nil {
		return "", err
	}
	for _, f := range files {
		if err := index.stage(ctx, f); err != nil {
			return "", fmt.Errorf("staging %s: %w", f.Name, err)
		}
	}
	return index.Run(ctx, "write-tree")
}

// stage adds a file to the index.
func (r Repo) stage(ctx context.Context, f File) error {
	if f.Data == nil {
		_, err := r.Run(ctx, "update-index", "--force-remove", "--", f.Name)
		return err
	}
	id, err := r.Input(f.Data).Run(ctx, "hash-object", "-w", "--stdin")
	if err != nil {
		return err
	}
	mode := "100644"
	if f.Mode&0o111 != 0 {
		mode = "100755"
	}
	_, err = r.Run(ctx, "update-index", "--add", "--cacheinfo", mode+","+id+","+f.Name)
	return err
}

// Committer returns the identity of new commits: Name <mail>.
func (r Repo) Committer(ctx context.Context) (string, error) {
	ident, err := r.Run(ctx, "var", "GIT_COMMITTER_IDENT")
	if err != nil {
		return "", err
	}
	end := strings.LastIndexByte(ident, '>')
	if end < 0 {
		return "", fmt.Errorf("git var GIT_COMMITTER_IDENT printed %q, want Name <mail> and a time", ident)
	}
	return ident[:end+1], nil
}
