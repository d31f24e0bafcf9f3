package git

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"strconv"
	"strings"

	"github.com/kubestellar/actions/internal/tree"
)

// Snapshot is the tree of a commit as git stores it: nothing is checked out, and no line
// endings are converted. Submodules are left out. Files are read when they are opened.
type Snapshot struct {
	tree.FS
	files  *batch
	cancel context.CancelCauseFunc
}

// Snapshot returns the tree of a commit. Its files can be read until it is closed or the
// context ends.
func (r Repo) Snapshot(ctx context.Context, commit string) (*Snapshot, error) {
	blobs, err := r.blobs(ctx, commit)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	s := &Snapshot{files: &batch{repo: r, ctx: ctx, blobs: blobs}, cancel: cancel}
	files := make([]tree.File, len(blobs))
	for i, b := range blobs {
		open := func() (io.ReadCloser, error) { return s.files.open(i) }
		if b.size > small {
			open = func() (io.ReadCloser, error) { return r.stream(ctx, b.id) }
		}
		files[i] = tree.File{Name: b.name, Mode: b.mode, Size: b.size, Open: open}
	}
	if s.FS, err = tree.New(files); err != nil {
		cancel(err)
		return nil, fmt.Errorf("reading the files of commit %s: %w", commit, err)
	}
	return s, nil
}

// Close ends the git processes that read files.
func (s *Snapshot) Close() error {
	defer s.cancel(fs.ErrClosed)
	return s.files.close()
}

// blob is a file of a commit.
type blob struct {
	name, id string
	mode     fs.FileMode
	size     int64
}

// blobs lists the files of a commit.
func (r Repo) blobs(ctx context.Context, commit string) ([]blob, error) {
	out, err := r.Run(ctx, "ls-tree", "-r", "-l", "-z", "--full-tree", commit)
	if err != nil {
		return nil, err
	}
	var all []blob
	for entry := range strings.SplitSeq(strings.TrimSuffix(out, "\x00"), "\x00") {
		about, name, _ := strings.Cut(entry, "\t")
		fields := strings.Fields(about) // mode, type, id, size
		if len(fields) != 4 || fields[1] != "blob" {
			continue
		}
		size, err := strconv.ParseInt(fields[3], 10, 64)
		if err != nil {
			return nil, fmt.Errorf("git ls-tree: the size of %q is %q, want a number: is the object damaged?",
				name, fields[3])
		}
		all = append(all, blob{name, fields[2], modeOf(fields[0]), size})
	}
	return all, nil
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
