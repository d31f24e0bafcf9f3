package tree_test

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/kubestellar/actions/internal/tree"
)

func made(t *testing.T, files ...tree.File) tree.FS {
	t.Helper()
	made, err := tree.New(files)
	if err != nil {
		t.Fatal(err)
	}
	return made
}

func link(name, target string) tree.File {
	file := tree.Bytes(name, []byte(target))
	file.Mode = fs.ModeSymlink | 0o777
	return file
}

func TestIsAFileSystem(t *testing.T) {
	t.Parallel()
	fsys := made(t, tree.Bytes("b/c/d", []byte("text")), tree.Bytes("b/a", nil), tree.Bytes("a.b", nil), tree.Bytes("a/b", nil),
		link("link", "b/c"), link("b/c/up", "../../a.b"))
	if err := fstest.TestFS(fsys, "b/c/d", "b/a", "a.b", "a/b", "link", "b/c/up"); err != nil {
		t.Error(err)
	}
	if err := fstest.TestFS(made(t)); err != nil {
		t.Errorf("an empty tree: %v", err)
	}
}

func TestIsCopied(t *testing.T) {
	t.Parallel()
	script := tree.Bytes("run", []byte("#!/bin/sh\n"))
	script.Mode = 0o755
	dir := t.TempDir()
	if err := os.CopyFS(dir, made(t, script, tree.Bytes("a/b", []byte("text")), link("a/c", "b"))); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(filepath.Join(dir, "run")); err != nil || info.Mode() != 0o755 {
		t.Errorf("run: %v, %v", info, err)
	}
	if target, err := os.Readlink(filepath.Join(dir, "a/c")); target != "b" || err != nil {
		t.Errorf("a/c links to %q, %v", target, err)
	}
}

func TestLinks(t *testing.T) {
	t.Parallel()
	fsys := made(t, tree.Bytes("dir/file", []byte("text")), link("file", "dir/file"), link("folder", "dir"), link("dir/back", "../folder/file"),
		link("absolute", "/etc/passwd"), link("out", "../file"), link("gone", "nothing"), link("self", "self"), link("a", "b/x"), link("b", "a"))
	for _, name := range []string{"file", "folder/file", "folder/back", "dir/back"} {
		if data, err := fs.ReadFile(fsys, name); string(data) != "text" || err != nil {
			t.Errorf("%s: %q, %v", name, data, err)
		}
		if info, err := fs.Stat(fsys, name); err != nil || info.Size() != 4 || !info.Mode().IsRegular() || !strings.HasSuffix(name, info.Name()) {
			t.Errorf("%s: %v, %v", name, info, err)
		}
	}
	for _, name := range []string{"absolute", "out", "gone"} {
		if _, err := fsys.Open(name); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, name := range []string{"self", "a"} {
		if _, err := fsys.Open(name); err == nil || !strings.Contains(err.Error(), "too many levels") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if info, err := fs.Lstat(fsys, "folder/back"); err != nil || info.Mode().Type() != fs.ModeSymlink {
		t.Errorf("folder/back: %v, %v", info, err)
	}
	if _, err := fs.ReadLink(fsys, "dir/file"); !errors.Is(err, fs.ErrInvalid) {
		t.Errorf("dir/file: %v", err)
	}
}

func TestNamesStayInTheTree(t *testing.T) {
	t.Parallel()
	for _, names := range [][]string{
		{""}, {"."}, {"/a"}, {"a/"}, {"../a"}, {"a/../b"}, {"a//b"}, {"a/./b"}, {"a", "a"}, {"a", "a/b"}, {"a/b", "a"}, {"a/b/c", "a/b"},
	} {
		var files []tree.File
		for _, name := range names {
			files = append(files, tree.Bytes(name, nil))
		}
		if _, err := tree.New(files); err == nil {
			t.Errorf("%q is a tree", names)
		}
	}
}

// A name that is not UTF-8 is not a valid path, but it is listed and read.
func TestNamesOfBytes(t *testing.T) {
	t.Parallel()
	fsys := made(t, tree.Bytes("\xff/\xfe", []byte("text")), tree.Bytes("a", nil))
	var names []string
	err := fs.WalkDir(fsys, ".", func(name string, _ fs.DirEntry, err error) error {
		names = append(names, name)
		return err
	})
	if strings.Join(names, " ") != ". a \xff \xff/\xfe" || err != nil {
		t.Errorf("%q, %v", names, err)
	}
	if data, err := fs.ReadFile(fsys, "\xff/\xfe"); string(data) != "text" || err != nil {
		t.Errorf("%q, %v", data, err)
	}
}

// A file that cannot be read is an error with its name and its reason.
func TestErrors(t *testing.T) {
	t.Parallel()
	reason := errors.New("a reason")
	file := func(name string, open func() (io.ReadCloser, error)) tree.File {
		return tree.File{Name: name, Mode: 0o644, Size: 2, Open: open}
	}
	short := func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader("x")), nil }
	broken := link("broken", "x")
	broken.Open = func() (io.ReadCloser, error) { return nil, reason }
	fsys := made(t, file("a/b", broken.Open), file("short", short), broken)
	for _, name := range []string{"a/b", "broken", "broken/x"} {
		_, err := fs.ReadFile(fsys, name)
		if !errors.Is(err, reason) || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := fs.ReadFile(fsys, "short"); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("a file that is shorter than listed: %v", err)
	}
	if _, err := fs.ReadFile(fsys, "a"); err == nil {
		t.Error("a folder was read")
	}
	if _, err := fs.ReadDir(fsys, "short"); err == nil {
		t.Error("a file was listed")
	}
}
