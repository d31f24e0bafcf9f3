package git

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"io/fs"
	"os/exec"
	"strings"
	"testing/fstest"
)

// Snapshot is the tree of a commit as git stores it: no checkout, nothing
// that git does not track, no line endings converted. Links stand in it as
// links; submodules are left out.
func (r Repo) Snapshot(ctx context.Context, commit string) (fs.FS, error) {
	listed, err := r.Run(ctx, "ls-tree", "-r", "-z", "--full-tree", commit)
	if err != nil {
		return nil, err
	}
	tree := fstest.MapFS{}
	var ids []string
	var files []*fstest.MapFile
	for _, entry := range strings.FieldsFunc(listed, func(c rune) bool { return c == 0 }) {
		about, name, _ := strings.Cut(entry, "\t")
		fields := strings.Fields(about) // mode, type, id
		if len(fields) != 3 || fields[1] != "blob" {
			continue
		}
		file := &fstest.MapFile{Mode: modeOf(fields[0])}
		tree[name] = file
		ids, files = append(ids, fields[2]), append(files, file)
	}
	contents, err := r.blobs(ctx, ids)
	if err != nil {
		return nil, fmt.Errorf("reading the files of commit %s: %w", commit, err)
	}
	for i, file := range files {
		file.Data = contents[i]
	}
	return tree, nil
}

func modeOf(mode string) fs.FileMode {
	switch mode {
	case "120000":
		return fs.ModeSymlink | 0o777
	case "100755":
		return 0o755
	}
	return 0o644
}

// Blob is the content of a file by its object's id.
func (r Repo) Blob(ctx context.Context, id string) ([]byte, error) {
	contents, err := r.blobs(ctx, []string{id})
	if err != nil {
		return nil, err
	}
	return contents[0], nil
}

// blobs reads objects by their ids, in one run of git.
func (r Repo) blobs(ctx context.Context, ids []string) ([][]byte, error) {
	var stdout, stderr bytes.Buffer
	cmd := exec.CommandContext(ctx, "git", "cat-file", "--batch")
	cmd.Dir, cmd.Env = r.Dir, r.environment()
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(strings.Join(ids, "\n")+"\n"), &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return nil, failure(cmd.Args[1:], cmd.ProcessState, stderr.String(), err)
	}
	in := bufio.NewReader(&stdout)
	var contents [][]byte
	for _, id := range ids {
		var name, kind string
		var size int64
		if _, err := fmt.Fscanf(in, "%s %s %d\n", &name, &kind, &size); err != nil || name != id {
			return nil, fmt.Errorf("git cat-file answered %q for %s: %w", name+" "+kind, id, err)
		}
		data := make([]byte, size)
		if _, err := io.ReadFull(in, data); err != nil {
			return nil, fmt.Errorf("git cat-file on %s: %w", id, err)
		}
		contents = append(contents, data)
		if _, err := in.Discard(1); err != nil { // the newline after each
			return nil, fmt.Errorf("git cat-file on %s: %w", id, err)
		}
	}
	return contents, nil
}
