package git_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/fstest"
	"time"

	"github.com/kubestellar/actions/internal/delivery"
	"github.com/kubestellar/actions/internal/find"
	"github.com/kubestellar/actions/internal/git"
	"github.com/kubestellar/actions/test/testkit"
)

// committed is a clone whose HEAD has these files.
func committed(t *testing.T, files map[string]string) git.Repo {
	t.Helper()
	one, _ := clones(t)
	for name, text := range files {
		testkit.Write(t, filepath.Join(one.Dir, name), text)
	}
	testkit.Git(t, one, "add", ".")
	testkit.Git(t, one, "commit", "--quiet", "-m", "files")
	return one
}

func snapshot(ctx context.Context, t *testing.T, r git.Repo) *git.Snapshot {
	t.Helper()
	s, err := r.Snapshot(ctx, "HEAD")
	testkit.Must(t, err)
	t.Cleanup(func() {
		if err := s.Close(); err != nil && ctx.Err() == nil {
			t.Errorf("closing: %v", err)
		}
	})
	return s
}

// A snapshot has what is committed, as git stores it.
func TestSnapshot(t *testing.T) {
	t.Parallel()
	one := committed(t, map[string]string{"text": "a\r\nb\n", "empty": "", "ä b": "\x00\xff\n\n"})
	testkit.Must(t, os.Symlink("/etc/passwd", filepath.Join(one.Dir, "link")))
	testkit.Git(t, one, "add", ".")
	testkit.Git(t, one, "commit", "--quiet", "-m", "a link")
	for name, text := range map[string]string{"text": "changed", "untracked": "x"} {
		testkit.Write(t, filepath.Join(one.Dir, name), text)
	}
	testkit.Git(t, one, "config", "core.autocrlf", "true")
	tree := snapshot(t.Context(), t, one)
	for name, want := range map[string]string{"text": "a\r\nb\n", "empty": "", "ä b": "\x00\xff\n\n"} {
		if got, err := fs.ReadFile(tree, name); string(got) != want || err != nil {
			t.Errorf("%s: %q, %v, want %q", name, got, err, want)
		}
	}
	if info, err := fs.Lstat(tree, "link"); err != nil || info.Mode().IsRegular() {
		t.Errorf("the link: %v, %v", info, err)
	}
	if _, err := fs.ReadFile(tree, "link"); err == nil {
		t.Error("the link was followed out of the tree")
	}
	if _, err := fs.Stat(tree, "untracked"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("an untracked file: %v", err)
	}
	if _, err := one.Snapshot(t.Context(), "nothing"); err == nil {
		t.Error("a commit that is not there has a tree")
	}
}

// Folders are listed in order, whatever their files are called; submodules are left out.
func TestSnapshotLists(t *testing.T) {
	t.Parallel()
	one := committed(t, map[string]string{"a/z": "1", "a.b": "2", "a/b/c": "3", "a-": "4", "quote\"\\": "5", "new\nline/ä\t": "6", "run": "7"})
	testkit.Git(t, one, "update-index", "--chmod=+x", "run")
	testkit.Git(t, one, "update-index", "--add", "--cacheinfo", "160000,"+testkit.Git(t, one, "rev-parse", "HEAD")+",sub/module")
	id := testkit.Git(t, one.Input([]byte("a/b")), "hash-object", "-w", "--stdin")
	testkit.Git(t, one, "update-index", "--add", "--cacheinfo", "120000,"+id+",link")
	testkit.Git(t, one, "commit", "--quiet", "-m", "modes")
	tree := snapshot(t.Context(), t, one)
	var listed []string
	err := fs.WalkDir(tree, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		info, err := entry.Info()
		listed = append(listed, fmt.Sprintf("%s %d %q", info.Mode(), info.Size(), name))
		return err
	})
	want := []string{`-rw-r--r-- 1 "a/b/c"`, `-rw-r--r-- 1 "a/z"`, `-rw-r--r-- 1 "a-"`, `-rw-r--r-- 1 "a.b"`, `Lrwxrwxrwx 3 "link"`,
		`-rw-r--r-- 1 "new\nline/ä\t"`, `-rw-r--r-- 1 "quote\"\\"`, `-rwxr-xr-x 1 "run"`}
	slices.Sort(listed)
	slices.Sort(want)
	if !slices.Equal(listed, want) || err != nil {
		t.Errorf("listed %q, %v, want %q", listed, err, want)
	}
	if data, err := fs.ReadFile(tree, "quote\"\\"); string(data) != "5" || err != nil {
		t.Errorf("the quote: %q, %v", data, err)
	}
	if sub, err := fs.Sub(tree, "a"); err != nil {
		t.Error(err)
	} else if err := fstest.TestFS(sub, "z", "b/c"); err != nil {
		t.Error(err)
	}
	if data, err := fs.ReadFile(tree, "link/c"); string(data) != "3" || err != nil {
		t.Errorf("through the link: %q, %v", data, err)
	}
}

// A tree whose names lead out of it is refused.
func TestSnapshotRefusesNames(t *testing.T) {
	t.Parallel()
	one := committed(t, map[string]string{"a": "1"})
	id := testkit.Git(t, one, "rev-parse", "HEAD:a")
	inner := testkit.Git(t, one.Input([]byte("100644 blob "+id+"\tx\n")), "mktree")
	outer := testkit.Git(t, one.Input([]byte("040000 tree "+inner+"\t..\n")), "mktree")
	if _, err := one.Snapshot(t.Context(), outer); err == nil || !strings.Contains(err.Error(), `"../x"`) {
		t.Errorf("got %v", err)
	}
}

// A large file is not loaded: find reads its first bytes, and reports what it does not search.
func TestSnapshotStreamsLargeFiles(t *testing.T) {
	t.Parallel()
	const size = 64<<20 + 1
	text := strings.Repeat("0123456789abcde\n", size/16) + "x"
	one := committed(t, map[string]string{"large": text, "binary": "\x00" + text[1:], "small": "x"})
	tree := snapshot(t.Context(), t, one)
	finder := find.New(&delivery.File{})
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	found, err := finder.Tree(t.Context(), tree)
	if runtime.ReadMemStats(&after); after.TotalAlloc-before.TotalAlloc > size/2 {
		t.Errorf("%d bytes were loaded", after.TotalAlloc-before.TotalAlloc)
	}
	if len(found.Unread) != 1 || found.Unread[0].File != "large" || err != nil {
		t.Errorf("not searched: %v, %v", found.Unread, err)
	}
	if left := readers(t, one); len(left) != 1 { // of small files
		t.Errorf("processes are left: %v", left)
	}
	if data, err := fs.ReadFile(tree, "large"); string(data) != text || err != nil {
		t.Errorf("the whole of it: %d bytes, %v", len(data), err)
	}
	file, err := tree.Open("large")
	testkit.Must(t, err)
	if n, err := io.Copy(io.Discard, file); n != size || err != nil {
		t.Errorf("copied %d bytes, %v", n, err)
	}
	if n, err := file.Read(make([]byte, 1)); n != 0 || err != io.EOF {
		t.Errorf("after the end: %d bytes, %v", n, err)
	}
	if err := file.Close(); err != nil {
		t.Error(err)
	}
}

// Files are read by several goroutines, in any order, and none of them is another's.
func TestSnapshotIsReadAtOnce(t *testing.T) {
	t.Parallel()
	files := map[string]string{}
	random := rand.NewChaCha8([32]byte{})
	for i := range 300 {
		content := make([]byte, i*i) // from nothing to more than the bytes that are read in advance
		_, _ = random.Read(content)  // never fails
		files[fmt.Sprintf("%d/%d", i%7, i)] = string(content)
	}
	files["large"] = strings.Repeat("large\n", 1<<18)
	tree := snapshot(t.Context(), t, committed(t, files))
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			for name, want := range files { // in random order
				got, err := fs.ReadFile(tree, name)
				if string(got) != want || err != nil {
					t.Errorf("%s: %d bytes, %v, want %d", name, len(got), err, len(want))
				}
				clear(got) // which is the caller's own
			}
		})
	}
	group.Wait()
}

// A damaged object is an error in git's words. Other files can be read nevertheless.
func TestSnapshotWithDamagedFiles(t *testing.T) {
	t.Parallel()
	content := make([]byte, 3<<20)
	_, _ = rand.NewChaCha8([32]byte{}).Read(content) // never fails
	one := committed(t, map[string]string{"a": string(content[:10_000]), "b": "whole", "large": string(content)})
	for _, name := range []string{"a", "large"} {
		id := testkit.Git(t, one, "rev-parse", "HEAD:"+name)
		path := filepath.Join(one.Dir, ".git/objects", id[:2], id[2:])
		data, err := os.ReadFile(path)
		testkit.Must(t, err)
		copy(data[len(data)/2:], bytes.Repeat([]byte{0xff}, 1000))
		testkit.Must(t, errors.Join(os.Remove(path), os.WriteFile(path, data, 0o444)))
	}
	tree := snapshot(t.Context(), t, one)
	for range 2 {
		for _, name := range []string{"a", "large"} {
			_, err := fs.ReadFile(tree, name)
			var failed *git.Error
			if !errors.As(err, &failed) || failed.Args[0] != "cat-file" || !strings.Contains(err.Error(), name) ||
				!strings.Contains(failed.Stderr, "unable to stream") {
				t.Errorf("%s: %v", name, err)
			}
		}
		if data, err := fs.ReadFile(tree, "b"); string(data) != "whole" || err != nil {
			t.Errorf("b: %q, %v", data, err)
		}
	}
}

// A git that is killed is an error of the file that was to be read; the next one starts another.
func TestSnapshotWithKilledGit(t *testing.T) {
	t.Parallel()
	one := committed(t, map[string]string{"a": "1", "b": strings.Repeat("b", 1<<19)})
	tree := snapshot(t.Context(), t, one)
	_, err := fs.ReadFile(tree, "a")
	testkit.Must(t, err)
	for _, pid := range readers(t, one) {
		testkit.Must(t, syscall.Kill(pid, syscall.SIGKILL))
	}
	if _, err := fs.ReadFile(tree, "b"); err == nil || !strings.Contains(err.Error(), "git cat-file --batch: signal: killed") {
		t.Errorf("got %v", err)
	}
	if data, err := fs.ReadFile(tree, "b"); len(data) != 1<<19 || err != nil {
		t.Errorf("read again: %d bytes, %v", len(data), err)
	}
}

// No process is left when the context has ended or the snapshot is closed.
func TestSnapshotEnds(t *testing.T) {
	t.Parallel()
	for want, end := range map[error]func(*git.Snapshot, context.CancelFunc){
		fs.ErrClosed:     func(s *git.Snapshot, _ context.CancelFunc) { s.Close() },
		context.Canceled: func(_ *git.Snapshot, cancel context.CancelFunc) { cancel() },
	} {
		t.Run(want.Error(), func(t *testing.T) {
			t.Parallel()
			one := committed(t, map[string]string{"a": "1", "b": strings.Repeat("b", 1<<19), "large": strings.Repeat("large\n", 1<<20)})
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			tree := snapshot(ctx, t, one)
			_, err := fs.ReadFile(tree, "a")
			testkit.Must(t, err)
			large, err := tree.Open("large")
			testkit.Must(t, err)
			defer large.Close()
			if got := readers(t, one); len(got) != 2 {
				t.Fatalf("%d processes, want one for small files and one for the large one", len(got))
			}
			end(tree, cancel)
			for _, name := range []string{"b", "large"} {
				if _, err := fs.ReadFile(tree, name); !errors.Is(err, want) {
					t.Errorf("%s: %v, want %v", name, err, want)
				}
			}
			if _, err := io.Copy(io.Discard, large); !errors.Is(err, want) {
				t.Errorf("the open file: %v, want %v", err, want)
			}
			for start := time.Now(); len(readers(t, one)) > 0; time.Sleep(time.Millisecond) {
				if time.Since(start) > 10*time.Second {
					t.Fatalf("processes are left: %v", readers(t, one))
				}
			}
		})
	}
}

// readers returns the processes that read the objects of a repository.
func readers(t *testing.T, r git.Repo) []int {
	t.Helper()
	folders, err := filepath.Glob("/proc/[0-9]*")
	if err != nil || len(folders) == 0 {
		t.Skip("there is no /proc to find git's processes in")
	}
	var pids []int
	for _, folder := range folders {
		command, _ := os.ReadFile(filepath.Join(folder, "cmdline")) // it may have ended
		dir, _ := os.Readlink(filepath.Join(folder, "cwd"))
		if pid, err := strconv.Atoi(filepath.Base(folder)); err == nil && dir == r.Dir && bytes.HasPrefix(command, []byte("git\x00cat-file\x00")) {
			pids = append(pids, pid)
		}
	}
	return pids
}
