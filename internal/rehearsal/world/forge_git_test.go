package world

import (
	"crypto/rand"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

func TestClonePushFetch(t *testing.T) {
	t.Parallel()
	w, first := seeded(t, Repository{})
	second := filepath.Join(t.TempDir(), "second")
	git(t, w, ".", "clone", "--quiet", "https://github.com/"+testRepository+".git", second)
	pushed := commitFile(t, w, first, "big", noise(t, 3<<20)) // too big for one request without chunks
	git(t, w, first, "push", "--quiet", "origin", "main")
	git(t, w, second, "fetch", "--quiet", "origin")
	if got := git(t, w, second, "rev-parse", "origin/main"); got != pushed {
		t.Errorf("fetched %s, want %s", got, pushed)
	}
	if got := git(t, w, w.RepositoryDir(testRepository), "rev-parse", "main"); got != pushed {
		t.Errorf("the bare repository has %s, want %s", got, pushed)
	}
	bySHA := filepath.Join(t.TempDir(), "bysha")
	git(t, w, ".", "init", "--quiet", bySHA)
	// The older protocol asks the server's leave for a commit that no ref names.
	unnamed := git(t, w, w.RepositoryDir(testRepository), "rev-parse", "main~1")
	git(t, w, bySHA, "-c", "protocol.version=0", "fetch", "--quiet", "https://github.com/"+testRepository, unnamed)
	git(t, w, bySHA, "fetch", "--quiet", "--depth=1", "https://github.com/"+testRepository, pushed)
}

// noise does not compress, so that it is as big on the wire.
func noise(t *testing.T, n int) string {
	t.Helper()
	b := make([]byte, n)
	if _, err := rand.Read(b); err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestGitAccess(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Options{})
	for name, o := range map[string]Repository{
		"o/public": {}, "o/private": {Private: true}, "o/readable": {Private: true, Rights: "read"}, "o/closed": {Private: true, Rights: "none"},
	} {
		if err := w.CreateRepository(name, o); err != nil {
			t.Fatal(err)
		}
	}
	for _, tc := range []struct {
		repository, service, password string
		want                          int
	}{
		{"public", "git-upload-pack", "", 200},
		{"public", "git-upload-pack", "wrong", 401},
		{"public", "git-receive-pack", "", 401},
		{"public", "git-receive-pack", w.Token(), 200},
		{"private", "git-upload-pack", "", 401},
		{"private", "git-upload-pack", w.Token(), 200},
		{"readable", "git-upload-pack", w.Token(), 200},
		{"readable", "git-receive-pack", w.Token(), 403},
		{"closed", "git-upload-pack", w.Token(), 404},
		{"absent", "git-upload-pack", "", 401},
		{"absent", "git-upload-pack", w.Token(), 404},
	} {
		req, err := http.NewRequestWithContext(t.Context(), "GET", "https://github.com/o/"+tc.repository+".git/info/refs?service="+tc.service, nil)
		if err != nil {
			t.Fatal(err)
		}
		if tc.password != "" {
			req.SetBasicAuth("x", tc.password)
		}
		if status, body := do(t, w, req); status != tc.want {
			t.Errorf("%s of %s with %q: %d %s, want %d", tc.service, tc.repository, tc.password, status, body, tc.want)
		}
	}
}

func TestPushWithoutRightsFails(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Options{})
	if err := w.CreateRepository(testRepository, Repository{Rights: "read"}); err != nil {
		t.Fatal(err)
	}
	clone := filepath.Join(t.TempDir(), "clone")
	git(t, w, ".", "clone", "--quiet", "https://github.com/"+testRepository, clone)
	commitFile(t, w, clone, "a", "b")
	if out, err := tryGit(w, clone, "push", "origin", "main"); err == nil || !strings.Contains(err.Error(), "403") {
		t.Errorf("push: %s %v, want 403", out, err)
	}
	if out, err := tryGit(w, clone, "push", "git@github.com:"+testRepository, "main"); err == nil || !strings.Contains(err.Error(), "not allowed") {
		t.Errorf("push by ssh: %s %v, want that it is not allowed", out, err)
	}
}

// clones makes n clones, each with a commit of its own on main.
func clones(t *testing.T, w *World, n int) []string {
	t.Helper()
	var dirs []string
	for i := range n {
		dir := filepath.Join(t.TempDir(), fmt.Sprint(i))
		git(t, w, ".", "clone", "--quiet", "https://github.com/"+testRepository, dir)
		commitFile(t, w, dir, fmt.Sprint(i), fmt.Sprint(i))
		dirs = append(dirs, dir)
	}
	return dirs
}

func TestPushesAtTheSameTime(t *testing.T) {
	t.Parallel()
	w, _ := seeded(t, Repository{})
	dirs := clones(t, w, 6)
	var won atomic.Int32
	var all sync.WaitGroup
	for i, dir := range dirs {
		all.Go(func() {
			if out, err := tryGit(w, dir, "push", "origin", fmt.Sprintf("main:refs/heads/own-%d", i)); err != nil {
				t.Errorf("own branch: %s %v", out, err)
			}
			if _, err := tryGit(w, dir, "push", "origin", "main"); err == nil {
				won.Add(1)
			}
		})
	}
	all.Wait()
	if won.Load() != 1 {
		t.Errorf("%d of %d pushes to one branch won, want 1", won.Load(), len(dirs))
	}
	for i, dir := range dirs {
		want := git(t, w, dir, "rev-parse", "HEAD")
		if got := git(t, w, w.RepositoryDir(testRepository), "rev-parse", fmt.Sprintf("own-%d", i)); got != want {
			t.Errorf("own-%d is %s, want %s", i, got, want)
		}
	}
	git(t, w, w.RepositoryDir(testRepository), "fsck", "--strict")
}

func TestCutPush(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name  string
		fault Fault
		done  bool
	}{
		{"before", Fault{CutBefore: true}, false},
		{"after", Fault{CutAfter: true}, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			w, clone := seeded(t, Repository{})
			head := commitFile(t, w, clone, "a", "b")
			w.Intercept(func(r Request) Fault {
				if r.Effect {
					return tc.fault
				}
				return Fault{}
			})
			if out, err := tryGit(w, clone, "push", "origin", "main"); err == nil {
				t.Errorf("push saw no error: %s", out)
			}
			if got := git(t, w, w.RepositoryDir(testRepository), "rev-parse", "main"); (got == head) != tc.done {
				t.Errorf("main is %s, pushed was %s, want them equal: %t", got, head, tc.done)
			}
		})
	}
}

func TestRepositoryNames(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Options{})
	for _, bad := range []string{"", "one", "a/b/c", "../x", "a/b.git", "a/..", "-a/b"} {
		if err := w.CreateRepository(bad, Repository{}); err == nil {
			t.Errorf("%q was taken as a name", bad)
		}
	}
	if err := w.CreateRepository("a/b", Repository{Rights: "admin"}); err == nil || !strings.Contains(err.Error(), "want write, read or none") {
		t.Errorf("unknown rights: %v", err)
	}
	if err := w.CreateRepository("a/b", Repository{}); err != nil {
		t.Fatal(err)
	}
	if err := w.CreateRepository("a/b", Repository{}); err == nil || !strings.Contains(err.Error(), "taken") {
		t.Errorf("same name again: %v", err)
	}
	if _, err := os.Stat(filepath.Join(w.RepositoryDir("a/b"), "HEAD")); err != nil {
		t.Error(err)
	}
}
