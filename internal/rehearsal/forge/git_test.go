package forge_test

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

	"github.com/kubestellar/actions/internal/rehearsal/forge"
	"github.com/kubestellar/actions/internal/rehearsal/network"
	"github.com/kubestellar/actions/test/networktest"
)

func TestClonePushFetch(t *testing.T) {
	t.Parallel()
	w, first := networktest.Seeded(t, forge.Repository{})
	second := filepath.Join(t.TempDir(), "second")
	networktest.Git(t, w, ".", "clone", "--quiet", "https://github.com/"+networktest.Repository+".git", second)
	pushed := networktest.CommitFile(t, w, first, "big", noise(t, 3<<20)) // too big for one request without chunks
	networktest.Git(t, w, first, "push", "--quiet", "origin", "main")
	networktest.Git(t, w, second, "fetch", "--quiet", "origin")
	if got := networktest.Git(t, w, second, "rev-parse", "origin/main"); got != pushed {
		t.Errorf("fetched %s, want %s", got, pushed)
	}
	if got := networktest.Git(t, w, w.Forge.RepositoryDir(networktest.Repository), "rev-parse", "main"); got != pushed {
		t.Errorf("the bare repository has %s, want %s", got, pushed)
	}
	bySHA := filepath.Join(t.TempDir(), "bysha")
	networktest.Git(t, w, ".", "init", "--quiet", bySHA)
	// The older protocol requires the server to allow commits that no ref names.
	unnamed := networktest.Git(t, w, w.Forge.RepositoryDir(networktest.Repository), "rev-parse", "main~1")
	networktest.Git(t, w, bySHA, "-c", "protocol.version=0", "fetch", "--quiet", "https://github.com/"+networktest.Repository, unnamed)
	networktest.Git(t, w, bySHA, "fetch", "--quiet", "--depth=1", "https://github.com/"+networktest.Repository, pushed)
}

// Answers of git are kept, and every change of a ref must end that, however it is made.
func TestListedRefsAreCurrent(t *testing.T) {
	t.Parallel()
	w, clone := networktest.Seeded(t, forge.Repository{})
	bare := w.Forge.RepositoryDir(networktest.Repository)
	for _, step := range []struct {
		dir  string
		args []string
	}{
		{bare, []string{"update-ref", "refs/heads/a", "main"}},
		{clone, []string{"push", "--quiet", "origin", "main:refs/heads/b"}},
		{bare, []string{"tag", "--annotate", "--message", "one", "v1", "main"}},
		{bare, []string{"pack-refs", "--all"}},
		{bare, []string{"update-ref", "-d", "refs/heads/a"}},
		{bare, []string{"symbolic-ref", "HEAD", "refs/heads/b"}},
		{bare, []string{"update-ref", "refs/heads/a", "main"}},
	} {
		networktest.Git(t, w, step.dir, step.args...)
		want := networktest.Git(t, w, ".", "ls-remote", "--symref", bare)
		for _, version := range []string{"0", "2", "0", "2"} {
			got := networktest.Git(t, w, ".", "-c", "protocol.version="+version, "ls-remote", "--symref", "https://github.com/"+networktest.Repository)
			if got != want {
				t.Errorf("after git %q, version %s of the protocol lists\n%s\nwant\n%s", step.args, version, got, want)
			}
		}
	}
}

func TestOnlyTheSmartProtocol(t *testing.T) {
	t.Parallel()
	w, _ := networktest.Seeded(t, forge.Repository{})
	for query, want := range map[string]int{"": 403, "?service=git-upload-archive": 403, "?service=git-upload-pack": 200} {
		req, err := http.NewRequestWithContext(t.Context(), "GET", "https://github.com/"+networktest.Repository+".git/info/refs"+query, nil)
		if err != nil {
			t.Fatal(err)
		}
		if status, body := networktest.Do(t, w, req); status != want {
			t.Errorf("%q: %d %s, want %d", query, status, body, want)
		}
	}
}

// noise returns data that does not compress, so that it has the same size on the wire.
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
	w := networktest.New(t, network.Options{})
	for name, o := range map[string]forge.Repository{
		"o/public": {}, "o/private": {Private: true}, "o/readable": {Private: true, Rights: "read"}, "o/closed": {Private: true, Rights: "none"},
	} {
		if err := w.Forge.CreateRepository(name, o); err != nil {
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
		if status, body := networktest.Do(t, w, req); status != tc.want {
			t.Errorf("%s of %s with %q: %d %s, want %d", tc.service, tc.repository, tc.password, status, body, tc.want)
		}
	}
}

func TestPushWithoutRightsFails(t *testing.T) {
	t.Parallel()
	w := networktest.New(t, network.Options{})
	if err := w.Forge.CreateRepository(networktest.Repository, forge.Repository{Rights: "read"}); err != nil {
		t.Fatal(err)
	}
	clone := filepath.Join(t.TempDir(), "clone")
	networktest.Git(t, w, ".", "clone", "--quiet", "https://github.com/"+networktest.Repository, clone)
	networktest.CommitFile(t, w, clone, "a", "b")
	if out, err := networktest.TryGit(w, clone, "push", "origin", "main"); err == nil || !strings.Contains(err.Error(), "403") {
		t.Errorf("push: %s %v, want 403", out, err)
	}
	if out, err := networktest.TryGit(
		w,
		clone,
		"push",
		"git@github.com:"+networktest.Repository,
		"main",
	); err == nil ||
		!strings.Contains(err.Error(), "not allowed") {
		t.Errorf("push by ssh: %s %v, want that it is not allowed", out, err)
	}
}

// clones returns n clones, each with its own commit on main.
func clones(t *testing.T, w *networktest.Network, n int) []string {
	t.Helper()
	var dirs []string
	for i := range n {
		dir := filepath.Join(t.TempDir(), fmt.Sprint(i))
		networktest.Git(t, w, ".", "clone", "--quiet", "https://github.com/"+networktest.Repository, dir)
		networktest.CommitFile(t, w, dir, fmt.Sprint(i), fmt.Sprint(i))
		dirs = append(dirs, dir)
	}
	return dirs
}

func TestPushesAtTheSameTime(t *testing.T) {
	t.Parallel()
	w, _ := networktest.Seeded(t, forge.Repository{})
	dirs := clones(t, w, 6)
	var won atomic.Int32
	var all sync.WaitGroup
	for i, dir := range dirs {
		all.Go(func() {
			if out, err := networktest.TryGit(w, dir, "push", "origin", fmt.Sprintf("main:refs/heads/own-%d", i)); err != nil {
				t.Errorf("own branch: %s %v", out, err)
			}
			if _, err := networktest.TryGit(w, dir, "push", "origin", "main"); err == nil {
				won.Add(1)
			}
		})
	}
	all.Wait()
	if won.Load() != 1 {
		t.Errorf("%d of %d pushes to one branch won, want 1", won.Load(), len(dirs))
	}
	for i, dir := range dirs {
		want := networktest.Git(t, w, dir, "rev-parse", "HEAD")
		if got := networktest.Git(t, w, w.Forge.RepositoryDir(networktest.Repository), "rev-parse", fmt.Sprintf("own-%d", i)); got != want {
			t.Errorf("own-%d is %s, want %s", i, got, want)
		}
	}
	networktest.Git(t, w, w.Forge.RepositoryDir(networktest.Repository), "fsck", "--strict")
}

func TestCutPush(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name  string
		fault networktest.Fault
		done  bool
	}{
		{"before", networktest.Fault{CutBefore: true}, false},
		{"after", networktest.Fault{CutAfter: true}, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			w, clone := networktest.Seeded(t, forge.Repository{})
			head := networktest.CommitFile(t, w, clone, "a", "b")
			w.Intercept(func(r networktest.Request) networktest.Fault {
				if r.Effect {
					return tc.fault
				}
				return networktest.Fault{}
			})
			if out, err := networktest.TryGit(w, clone, "push", "origin", "main"); err == nil {
				t.Errorf("push saw no error: %s", out)
			}
			if got := networktest.Git(t, w, w.Forge.RepositoryDir(networktest.Repository), "rev-parse", "main"); (got == head) != tc.done {
				t.Errorf("main is %s, pushed was %s, want them equal: %t", got, head, tc.done)
			}
		})
	}
}

func TestRepositoryNames(t *testing.T) {
	t.Parallel()
	w := networktest.New(t, network.Options{})
	for _, bad := range []string{"", "one", "a/b/c", "../x", "a/b.git", "a/..", "-a/b"} {
		if err := w.Forge.CreateRepository(bad, forge.Repository{}); err == nil {
			t.Errorf("%q was taken as a name", bad)
		}
	}
	if err := w.Forge.CreateRepository("a/b", forge.Repository{Rights: "admin"}); err == nil || !strings.Contains(err.Error(), "want write, read or none") {
		t.Errorf("unknown rights: %v", err)
	}
	if err := w.Forge.CreateRepository("a/b", forge.Repository{}); err != nil {
		t.Fatal(err)
	}
	if err := w.Forge.CreateRepository("a/b", forge.Repository{}); err == nil || !strings.Contains(err.Error(), "taken") {
		t.Errorf("same name again: %v", err)
	}
	if _, err := os.Stat(filepath.Join(w.Forge.RepositoryDir("a/b"), "HEAD")); err != nil {
		t.Error(err)
	}
}
