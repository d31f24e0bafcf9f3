package git

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
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
	const atOnce = 500 // files, because the length of a command is limited
	for some := range slices.Chunk(files, atOnce) {
		if err := index.stage(ctx, dir, some); err != nil {
			return "", fmt.Errorf("staging %s: %w", some[0].Name, err)
		}
	}
	return index.Run(ctx, "write-tree")
}

// stage applies the changes to the index, removals first, with one git process for each kind of step.
// The folder is for temporary files.
func (r Repo) stage(ctx context.Context, dir string, files []File) error {
	ids, err := r.writeBlobs(ctx, dir, files)
	if err != nil {
		return err
	}
	var added, removed []string
	for _, f := range files {
		if f.Data == nil {
			removed = append(removed, f.Name)
			continue
		}
		mode := "100644"
		if f.Mode&0o111 != 0 {
			mode = "100755"
		}
		added = append(added, "--cacheinfo", mode+","+ids[0]+","+f.Name)
		ids = ids[1:]
	}
	if len(removed) > 0 {
		if _, err := r.Run(ctx, append([]string{"update-index", "--force-remove", "--"}, removed...)...); err != nil {
			return err
		}
	}
	if len(added) > 0 {
		_, err = r.Run(ctx, append([]string{"update-index", "--add"}, added...)...)
	}
	return err
}

// writeBlobs writes the objects of the files that have data, and returns their ids.
func (r Repo) writeBlobs(ctx context.Context, dir string, files []File) ([]string, error) {
	var paths strings.Builder
	for i, f := range files {
		if f.Data == nil {
			continue
		}
		path := filepath.Join(dir, strconv.Itoa(i))
		if err := os.WriteFile(path, f.Data, 0o600); err != nil {
			return nil, err
		}
		paths.WriteString(strconv.Quote(path) + "\n")
	}
	if paths.Len() == 0 {
		return nil, nil
	}
	out, err := r.Input([]byte(paths.String())).Run(ctx, "hash-object", "-w", "--no-filters", "--stdin-paths")
	if err != nil {
		return nil, err
	}
	ids := strings.Fields(out)
	if written := strings.Count(paths.String(), "\n"); len(ids) != written {
		return nil, fmt.Errorf("git hash-object printed %d ids, want %d", len(ids), written)
	}
	return ids, nil
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
