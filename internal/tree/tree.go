// Package tree makes file systems of files that are listed in advance and read on demand.
package tree

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"
	"time"
)

// File is one file of a tree.
type File struct {
	Name string      // slash-separated, from the root of the tree
	Mode fs.FileMode // a symbolic link's target is its content
	Size int64
	Open func() (io.ReadCloser, error)
}

// FS is a tree of files. Symbolic links are followed, but never out of the tree.
// It may be used by several goroutines at once if the files' Open may.
type FS struct{ nodes map[string]*node }

var (
	_ fs.ReadDirFS  = FS{}
	_ fs.ReadFileFS = FS{}
	_ fs.ReadLinkFS = FS{}
	_ fs.StatFS     = FS{}
)

// New returns the tree of some files. It returns an error if two files have the same name,
// or if a name leads out of the tree. Names need not be UTF-8.
func New(files []File) (FS, error) {
	t := FS{map[string]*node{".": {File: File{Name: ".", Mode: fs.ModeDir | 0o555}}}}
	for _, f := range files {
		if !valid(f.Name) || t.nodes[f.Name] != nil {
			return FS{}, fmt.Errorf("the tree has a file named %q, want one path below its root for each file", f.Name)
		}
		if err := t.add(&node{File: f}); err != nil {
			return FS{}, err
		}
	}
	for _, n := range t.nodes {
		slices.SortFunc(n.children, func(a, b fs.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
	}
	return t, nil
}

// valid is fs.ValidPath without its rule that paths are UTF-8, which git does not have.
func valid(name string) bool { return fs.ValidPath(strings.ToValidUTF8(name, "?")) }

// Bytes returns a regular file with the given content.
func Bytes(name string, data []byte) File {
	open := func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(data)), nil }
	return File{name, 0o644, int64(len(data)), open}
}

// add adds a node and the folders above it.
func (t FS) add(n *node) error {
	t.nodes[n.File.Name] = n
	dir := path.Dir(n.File.Name)
	parent := t.nodes[dir]
	if parent == nil {
		parent = &node{File: File{Name: dir, Mode: fs.ModeDir | 0o555}}
		if err := t.add(parent); err != nil {
			return err
		}
	}
	if !parent.IsDir() {
		return fmt.Errorf("the tree has both a file %q and a file %q below it", dir, n.File.Name)
	}
	parent.children = append(parent.children, n)
	return nil
}

// node is a file or a folder; it describes itself.
type node struct {
	File
	children []fs.DirEntry
}

func (n *node) Name() string               { return path.Base(n.File.Name) }
func (n *node) Size() int64                { return n.File.Size }
func (n *node) Mode() fs.FileMode          { return n.File.Mode }
func (n *node) Type() fs.FileMode          { return n.File.Mode.Type() }
func (n *node) ModTime() time.Time         { return time.Time{} }
func (n *node) Sys() any                   { return nil }
func (n *node) Info() (fs.FileInfo, error) { return n, nil }
func (n *node) String() string             { return fs.FormatFileInfo(n) }

// IsDir reports whether the node is a folder.
func (n *node) IsDir() bool { return n.File.Mode.IsDir() }

// content returns the content of a file.
func (n *node) content() ([]byte, error) {
	in, err := n.File.Open()
	if err != nil {
		return nil, err
	}
	defer in.Close()
	data := make([]byte, n.File.Size)
	_, err = io.ReadFull(in, data)
	return data, err
}

// find returns the file or folder of a name, with symbolic links resolved as Linux does.
// It resolves a link in the last place only if follow is true.
func (t FS) find(op, name string, follow bool) (*node, error) {
	const most = 40 // links, as in Linux
	if !valid(name) {
		return nil, &fs.PathError{Op: op, Path: name, Err: fs.ErrInvalid}
	}
	at := name
	for range most {
		n := t.nodes[at]
		if n != nil && (!follow || n.Type() != fs.ModeSymlink) {
			return n, nil
		}
		link, rest := t.firstLink(at)
		if link == nil {
			return nil, &fs.PathError{Op: op, Path: name, Err: fs.ErrNotExist}
		}
		target, err := link.content()
		if err != nil {
			return nil, &fs.PathError{Op: op, Path: name, Err: err}
		}
		if path.IsAbs(string(target)) {
			return nil, &fs.PathError{Op: op, Path: name, Err: fs.ErrNotExist}
		}
		at = path.Join(path.Dir(link.File.Name), string(target), rest)
	}
	return nil, &fs.PathError{Op: op, Path: name, Err: errors.New("too many levels of symbolic links")}
}

// firstLink returns the first symbolic link on the way to a name, and the rest of the name.
func (t FS) firstLink(name string) (link *node, rest string) {
	for i := range len(name) + 1 {
		if i < len(name) && name[i] != '/' {
			continue
		}
		if n := t.nodes[name[:i]]; n != nil && n.Type() == fs.ModeSymlink {
			return n, name[i:]
		}
	}
	return nil, ""
}

// Open opens a file or a folder.
func (t FS) Open(name string) (fs.File, error) {
	n, err := t.find("open", name, true)
	if err != nil {
		return nil, err
	}
	info := named{n, path.Base(name)}
	if n.IsDir() {
		return &folder{named: info, rest: n.children}, nil
	}
	in, err := n.File.Open()
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: name, Err: err}
	}
	return &file{in, info}, nil
}

// ReadFile returns the content of a file.
func (t FS) ReadFile(name string) ([]byte, error) {
	n, err := t.find("read", name, true)
	if err != nil {
		return nil, err
	}
	if n.IsDir() {
		return nil, &fs.PathError{Op: "read", Path: name, Err: errors.New("it is a folder")}
	}
	data, err := n.content()
	if err != nil {
		return nil, &fs.PathError{Op: "read", Path: name, Err: err}
	}
	return data, nil
}

// ReadDir returns the entries of a folder, sorted by name.
func (t FS) ReadDir(name string) ([]fs.DirEntry, error) {
	n, err := t.find("readdir", name, true)
	if err != nil {
		return nil, err
	}
	if !n.IsDir() {
		return nil, &fs.PathError{Op: "readdir", Path: name, Err: errors.New("it is not a folder")}
	}
	return slices.Clone(n.children), nil
}

// Stat describes a file or a folder.
func (t FS) Stat(name string) (fs.FileInfo, error) {
	n, err := t.find("stat", name, true)
	if err != nil {
		return nil, err
	}
	return named{n, path.Base(name)}, nil
}

// Lstat describes a file, a folder or a symbolic link.
func (t FS) Lstat(name string) (fs.FileInfo, error) {
	n, err := t.find("lstat", name, false)
	if err != nil {
		return nil, err
	}
	return named{n, path.Base(name)}, nil
}

// ReadLink returns the target of a symbolic link.
func (t FS) ReadLink(name string) (string, error) {
	n, err := t.find("readlink", name, false)
	if err == nil && n.Type() != fs.ModeSymlink {
		err = &fs.PathError{Op: "readlink", Path: name, Err: fs.ErrInvalid}
	}
	if err != nil {
		return "", err
	}
	target, err := n.content()
	return string(target), err
}

// named is a node under the name that was asked for, which may be that of a link.
type named struct {
	*node
	name string
}

func (n named) Name() string { return n.name }

// file is an open file.
type file struct {
	io.ReadCloser
	info fs.FileInfo
}

func (f *file) Stat() (fs.FileInfo, error) { return f.info, nil }

// folder is an open folder.
type folder struct {
	named
	rest []fs.DirEntry
}

func (f *folder) Stat() (fs.FileInfo, error) { return f.named, nil }
func (f *folder) Close() error               { return nil }

func (f *folder) Read([]byte) (int, error) {
	return 0, &fs.PathError{Op: "read", Path: f.name, Err: errors.New("it is a folder")}
}

func (f *folder) ReadDir(n int) ([]fs.DirEntry, error) {
	if n <= 0 {
		n = len(f.rest)
	} else if len(f.rest) == 0 {
		return nil, io.EOF
	}
	entries := slices.Clone(f.rest[:min(n, len(f.rest))])
	f.rest = f.rest[len(entries):]
	return entries, nil
}
