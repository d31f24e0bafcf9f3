package find

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"runtime"
	"slices"

	"golang.org/x/sync/errgroup"

	"github.com/kubestellar/actions/internal/delivery"
	"github.com/kubestellar/actions/internal/ref"
)

// largest is the largest file that is looked at, in bytes; it bounds what one
// search holds in memory.
const largest = 64 << 20

// Files finds the references in the named files of a tree, in the order of the
// names. Links, submodules and files that have vanished hold no text of it.
func (f *Finder) Files(ctx context.Context, fsys fs.FS, names []string) (Found, error) {
	all := make([]Found, len(names))
	var group errgroup.Group
	group.SetLimit(runtime.GOMAXPROCS(0))
	const batch = 64 // files that share a buffer
	for first := 0; first < len(names); first += batch {
		group.Go(func() error {
			var r reader
			defer r.close()
			for i := first; i < min(first+batch, len(names)); i++ {
				err := ctx.Err()
				if err != nil {
					return err
				}
				if all[i], err = f.one(fsys, names[i], &r); err != nil {
					return fmt.Errorf("looking for references: %w", err)
				}
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return Found{}, err
	}
	return f.gather(all), nil
}

// Tree finds the references in all files of a tree, in the order of their
// paths; see Files.
func (f *Finder) Tree(ctx context.Context, fsys fs.FS) (Found, error) {
	names, err := Names(fsys)
	if err != nil {
		return Found{}, fmt.Errorf("looking for references: %w", err)
	}
	return f.Files(ctx, fsys, names)
}

// Names lists the files of a tree by their paths, without what git keeps for
// itself.
func Names(fsys fs.FS) ([]string, error) {
	if folder, ok := fsys.(Folder); ok {
		fsys = folder.listing()
	}
	var names []string
	err := fs.WalkDir(fsys, ".", func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.Name() == ".git" && entry.IsDir():
			return fs.SkipDir
		case !entry.IsDir():
			names = append(names, name)
		}
		return nil
	})
	return names, err
}

func (f *Finder) one(fsys fs.FS, name string, r *reader) (Found, error) {
	if !fs.ValidPath(name) {
		return Found{Unread: []Unread{{name, "its name is no text in UTF-8"}}}, nil
	}
	data, err := r.read(fsys, name)
	if errors.Is(err, errTooLarge) {
		return Found{Unread: []Unread{{name, err.Error()}}}, nil
	}
	if err != nil {
		return Found{}, err
	}
	return f.Look(name, data), nil
}

var errTooLarge = fmt.Errorf("it is larger than %d MiB; excuse it in %s if it holds no reference", largest>>20, delivery.FileName)

// Folder is a tree on disk: links do not lead out of it.
type Folder struct {
	fs.FS
	root *os.Root
}

// OpenFolder opens a folder as a tree.
func OpenFolder(dir string) (Folder, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return Folder{}, err
	}
	return Folder{root.FS(), root}, nil
}

// listing is a file system that is as good for listing, which follows no links,
// and faster.
func (f Folder) listing() fs.FS { return os.DirFS(f.root.Name()) }

// reader reads files one after the other into one buffer.
type reader struct {
	buffer []byte
	// The folder of the file that was read last stays open: to walk to each
	// file from the root anew takes longer than to read it.
	folder *os.Root
	path   string
}

func (r *reader) close() {
	if r.folder != nil {
		r.folder.Close()
	}
}

// enter is the tree in which a file is called by its base name, or the whole
// tree, and what the file is called there.
func (r *reader) enter(fsys fs.FS, name string) (fs.FS, string) {
	tree, ok := fsys.(Folder)
	if !ok {
		return fsys, name
	}
	if dir := path.Dir(name); r.folder == nil || r.path != dir {
		r.close()
		r.folder = nil
		folder, err := tree.root.OpenRoot(dir)
		if err != nil {
			return fsys, name // what is wrong with it shows when the file is opened
		}
		r.folder, r.path = folder, dir
	}
	return r.folder.FS(), path.Base(name)
}

// read is the text of a regular file, and nothing for all else. It is valid
// until the next read.
func (r *reader) read(fsys fs.FS, name string) ([]byte, error) {
	in, base := r.enter(fsys, name)
	info, err := fs.Lstat(in, base)
	if errors.Is(err, fs.ErrNotExist) || err == nil && !info.Mode().IsRegular() {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	file, err := in.Open(base)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	const head = 8 << 10
	r.buffer = slices.Grow(r.buffer[:0], head+1)
	n, err := io.ReadFull(file, r.buffer[:min(head, int(info.Size())+1)])
	data := r.buffer[:n]
	if err != nil || IsBinary(data) {
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			err = nil
		}
		return data, err
	}
	if info.Size() > largest {
		return nil, errTooLarge
	}
	return r.rest(file, data, int(info.Size()))
}

// rest reads on to the end of a file of about this size.
func (r *reader) rest(file io.Reader, data []byte, size int) ([]byte, error) {
	data = slices.Grow(data, max(0, size-len(data))+1)
	for {
		n, err := file.Read(data[len(data):cap(data)])
		data = data[:len(data)+n]
		r.buffer = data
		if errors.Is(err, io.EOF) {
			return data, nil
		}
		if err != nil || len(data) > largest {
			return nil, errors.Join(err, errTooLarge)
		}
		data = slices.Grow(data, 1)
	}
}

// gather puts together what the files hold.
func (f *Finder) gather(all []Found) Found {
	var sum Found
	used := make([]bool, len(f.excuses))
	for _, one := range all {
		sum.References = append(sum.References, one.References...)
		sum.Suspects = append(sum.Suspects, one.Suspects...)
		sum.Idle = append(sum.Idle, one.Idle...)
		for _, u := range one.Unread {
			if !f.excusesFile(u.File) {
				sum.Unread = append(sum.Unread, u)
			}
		}
		for i, u := range one.used {
			used[i] = used[i] || u
		}
	}
	for i, e := range f.excuses {
		if !used[i] && e.Target == "" {
			sum.Idle = append(sum.Idle, Idle{ref.Site{File: delivery.FileName, Line: e.Excuse.Line, Column: 1}, "an entry of ignore covers no reference: " + describe(e.Excuse)})
		}
	}
	return sum
}

// describe says what an excuse is about.
func describe(e delivery.Excuse) string {
	text := ""
	for _, part := range [][2]string{{"files", e.Files}, {"pattern", e.Pattern}, {"component", e.Component}} {
		if part[1] != "" {
			text += fmt.Sprintf(" %s %q", part[0], part[1])
		}
	}
	return text[min(1, len(text)):]
}
