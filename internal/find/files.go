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
)

// largest is the size in bytes up to which a file is searched. It limits memory.
const largest = 64 << 20

// Files finds the references in the named files of a tree, in the order of the names.
// It skips links, submodules and files that no longer exist.
func (f *Finder) Files(ctx context.Context, fsys fs.FS, names []string) (Found, error) {
	all, err := f.search(ctx, fsys, names, f.Look)
	if err == nil {
		err = f.lookAgain(ctx, fsys, names, all)
	}
	if err != nil {
		return Found{}, err
	}
	return f.gather(all), nil
}

// lookAgain searches the files again that name charts with aliases of repositories that another file defines.
func (f *Finder) lookAgain(ctx context.Context, fsys fs.FS, names []string, all []Found) error {
	wider := *f
	wider.sources = sources{}
	for _, found := range all {
		for alias, folders := range found.sources {
			for _, folder := range folders {
				wider.sources.add(alias, folder)
			}
		}
	}
	isDefined := func(alias string) bool { return len(wider.sources[alias]) > 0 }
	var again []int
	var which []string
	for i, found := range all {
		if slices.ContainsFunc(found.asks, isDefined) {
			again, which = append(again, i), append(which, names[i])
		}
	}
	more, err := wider.search(ctx, fsys, which, wider.Look)
	for k, i := range again {
		all[i] = more[k]
	}
	return err
}

// search calls look for each of the named files, and returns the results in the same order.
func (f *Finder) search(
	ctx context.Context, fsys fs.FS, names []string, look func(name string, data []byte) Found,
) ([]Found, error) {
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
				if all[i], err = one(fsys, names[i], &r, look); err != nil {
					return fmt.Errorf("looking for references: %w", err)
				}
			}
			return nil
		})
	}
	return all, group.Wait()
}

// Tree finds the references in all files of a tree, in the order of their paths.
func (f *Finder) Tree(ctx context.Context, fsys fs.FS) (Found, error) {
	names, err := Names(fsys)
	if err != nil {
		return Found{}, fmt.Errorf("looking for references: %w", err)
	}
	return f.Files(ctx, fsys, names)
}

// Names lists the paths of the files in a tree. It skips folders named .git.
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

func one(fsys fs.FS, name string, r *reader, look func(name string, data []byte) Found) (Found, error) {
	if !fs.ValidPath(name) {
		return Found{Unread: []Unread{{name, "its name is not UTF-8"}}}, nil
	}
	data, err := r.read(fsys, name)
	if errors.Is(err, errTooLarge) {
		return Found{Unread: []Unread{{name, err.Error()}}}, nil
	}
	if err != nil {
		return Found{}, err
	}
	return look(name, data), nil
}

var errTooLarge = fmt.Errorf("it is larger than %d MiB; list it under ignore in %s if it contains no reference",
	largest>>20, delivery.FileName)

// Folder is a tree on disk. Links out of it are not followed.
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

// listing returns a file system that lists folders faster than os.Root. Listing follows
// no links.
func (f Folder) listing() fs.FS { return os.DirFS(f.root.Name()) }

// reader reads files into one buffer, one after the other.
type reader struct {
	buffer []byte
	// folder is the folder of the last file. It stays open, because opening a file by its
	// path from the root takes longer than reading it.
	folder *os.Root
	path   string
}

func (r *reader) close() {
	if r.folder != nil {
		r.folder.Close()
	}
}

// enter returns the folder of a file, or the whole tree, and the name of the file in it.
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
			return fsys, name // opening the file returns the error
		}
		r.folder, r.path = folder, dir
	}
	return r.folder.FS(), path.Base(name)
}

// read returns the content of a regular file, valid until the next read, and nothing
// for other files. Of a binary file it returns the beginning.
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

// rest reads a file of about this size to its end.
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

// gather merges the results of the files.
func (f *Finder) gather(all []Found) Found {
	var sum Found
	used := make([]bool, len(f.entries))
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
	for i, e := range f.entries {
		if !used[i] {
			sum.Idle = append(sum.Idle, e)
		}
	}
	return sum
}
