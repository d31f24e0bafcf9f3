package world

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-github/v62/github"

	"github.com/kubestellar/actions/internal/rehearsal/contract"
)

const testRepository = "kubestellar/actions"

// newWorld starts a world that ends with the test.
func newWorld(t *testing.T, o Options) *World {
	t.Helper()
	w, err := Start(filepath.Join(t.TempDir(), "world"), o)
	if err != nil {
		t.Fatal(err)
	}
	w.Observe(contract.HoldForge(t))
	t.Cleanup(func() {
		if err := w.Close(); err != nil {
			t.Error(err)
		}
	})
	return w
}

// seeded is a world with one repository that has one commit on main, and a clone of it.
func seeded(t *testing.T, o Repository) (w *World, clone string) {
	t.Helper()
	w = newWorld(t, Options{})
	return w, seed(t, w, testRepository, o)
}

func seed(t *testing.T, w *World, name string, o Repository) string {
	t.Helper()
	if err := w.CreateRepository(name, o); err != nil {
		t.Fatal(err)
	}
	clone := filepath.Join(t.TempDir(), "clone")
	git(t, w, ".", "clone", "--quiet", "https://github.com/"+name, clone)
	commitFile(t, w, clone, "README.md", "first\n")
	git(t, w, clone, "push", "--quiet", "origin", "main")
	return clone
}

func commitFile(t *testing.T, w *World, clone, name, content string) string {
	t.Helper()
	if err := os.WriteFile(filepath.Join(clone, name), []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
	git(t, w, clone, "add", "--", name)
	git(t, w, clone, "commit", "--quiet", "-m", "change "+name)
	return git(t, w, clone, "rev-parse", "HEAD")
}

// tryGit runs git with the world's environment.
func tryGit(w *World, dir string, args ...string) (string, error) {
	cmd := exec.Command("git", args...)
	cmd.Dir = dir
	cmd.Env = append(w.Env(), "PATH="+os.Getenv("PATH"), "LC_ALL=C")
	out, err := cmd.CombinedOutput()
	if err != nil {
		err = fmt.Errorf("git %s: %w: %s", strings.Join(args, " "), err, out)
	}
	return strings.TrimSpace(string(out)), err
}

func git(t *testing.T, w *World, dir string, args ...string) string {
	t.Helper()
	out, err := tryGit(w, dir, args...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// get is a request without credentials.
func get(w *World, url string) (int, string, error) {
	resp, err := (&http.Client{Transport: w.Transport()}).Get(url)
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return resp.StatusCode, string(body), err
}

func hubAs(w *World, token string) *github.Client {
	client := github.NewClient(&http.Client{Transport: w.Transport()})
	if token == "" {
		return client
	}
	return client.WithAuthToken(token)
}

func hub(w *World) *github.Client { return hubAs(w, w.Token()) }

// statusOf is the status of the answer that a go-github error is about, or 0.
func statusOf(err error) int {
	var e *github.ErrorResponse
	if errors.As(err, &e) {
		return e.Response.StatusCode
	}
	return 0
}

func wantStatus(t *testing.T, what string, err error, want int) {
	t.Helper()
	if got := statusOf(err); got != want {
		t.Errorf("%s: status %d (%v), want %d", what, got, err, want)
	}
}

func TestRefusesAllOtherHosts(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Options{})
	for _, url := range []string{"https://example.com/", "https://gist.githubusercontent.com/x", "https://ghcr.io:8443/v2/"} {
		if _, _, err := get(w, url); err == nil {
			t.Errorf("%s: got an answer, want a refusal", url)
		}
	}
	status, body, err := get(w, "http://github.com/plain")
	if err != nil || status != http.StatusForbidden || !strings.Contains(body, "github.com") {
		t.Errorf("plain http: %d %q %v, want 403 with the name", status, body, err)
	}
	want := []string{"example.com", "gist.githubusercontent.com", "ghcr.io:8443", "github.com"}
	if got := w.Refused(); !slices.Equal(got, want) {
		t.Errorf("refused %q, want %q", got, want)
	}
	if got := w.Requests(); len(got) != 0 {
		t.Errorf("requests %v, want none", got)
	}
}

func TestRefusalSaysWhichHostAndWhy(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Options{})
	conn, err := net.Dial("tcp", w.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprint(conn, "CONNECT elsewhere.example:443 HTTP/1.1\r\nHost: elsewhere.example:443\r\n\r\n")
	answer, err := io.ReadAll(conn)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"403 Forbidden", "elsewhere.example", "only port 443 of api.github.com, ghcr.io, github.com, quay.io"} {
		if !strings.Contains(string(answer), want) {
			t.Errorf("answer %q lacks %q", answer, want)
		}
	}
}

func TestOnlyTheWorldsAuthorityIsTrusted(t *testing.T) {
	t.Parallel()
	w, other := newWorld(t, Options{}), newWorld(t, Options{})
	transport := other.Transport().(*http.Transport).Clone()
	transport.Proxy = w.transport.Proxy
	defer transport.CloseIdleConnections()
	if _, err := (&http.Client{Transport: transport}).Get("https://github.com/"); err == nil || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("another world's authority: %v, want a certificate error", err)
	}
}

func TestTakenPortIsNamed(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Options{})
	_, err := Start(filepath.Join(t.TempDir(), "second"), Options{Addr: w.Addr()})
	if err == nil || !strings.Contains(err.Error(), w.Addr()) || !strings.Contains(err.Error(), "another port") {
		t.Errorf("second world on %s: %v, want an error that names the address and what to do", w.Addr(), err)
	}
}

func TestUsedFolderIsRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Options{})
	if _, err := Start(w.dir, Options{}); err == nil || !strings.Contains(err.Error(), "want an empty folder") {
		t.Errorf("second world in one folder: %v, want an error", err)
	}
}

func TestDownAndUpKeepState(t *testing.T) {
	t.Parallel()
	w, clone := seeded(t, Repository{})
	head := git(t, w, clone, "rev-parse", "HEAD")
	if _, _, err := get(w, "https://api.github.com/rate_limit"); err != nil {
		t.Fatal(err) // leaves an idle connection, which has to be cut
	}
	w.Down("github.com")
	w.Down("api.github.com")
	if out, err := tryGit(w, clone, "fetch"); err == nil {
		t.Errorf("fetch from a dead host: %s, want an error", out)
	}
	if _, _, err := get(w, "https://api.github.com/rate_limit"); err == nil {
		t.Error("dead API answered")
	}
	if _, _, err := get(w, "https://ghcr.io/v2/"); err != nil {
		t.Errorf("the other hosts live: %v", err)
	}
	w.Up("github.com")
	w.Up("api.github.com")
	if got := git(t, w, clone, "ls-remote", "origin", "refs/heads/main"); !strings.HasPrefix(got, head) {
		t.Errorf("after Up main is %q, want %s", got, head)
	}
	if _, _, err := get(w, "https://api.github.com/rate_limit"); err != nil {
		t.Error(err)
	}
}

// dial opens a connection to a host through the proxy, before TLS.
func dial(t *testing.T, w *World, host string) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", w.Addr())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(conn, "CONNECT %[1]s:443 HTTP/1.1\r\nHost: %[1]s:443\r\n\r\n", host)
	answer := make([]byte, len("HTTP/1.1 200 Connection established\r\n\r\n"))
	if _, err := io.ReadFull(conn, answer); err != nil || !strings.Contains(string(answer), " 200 ") {
		t.Fatalf("CONNECT %s: %q (%v)", host, answer, err)
	}
	return conn
}

func TestDownCutsOpenConnections(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Options{})
	conn, other := dial(t, w, "ghcr.io"), dial(t, w, "quay.io")
	w.Down("ghcr.io")
	if _, err := conn.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("an open connection to a dead host: %v, want a reset", err)
	}
	if err := tls.Client(other, &tls.Config{ServerName: "quay.io", RootCAs: w.transport.TLSClientConfig.RootCAs}).Handshake(); err != nil {
		t.Errorf("an open connection to another host: %v", err)
	}
}

func TestDownCutsARequestUnderWay(t *testing.T) {
	t.Parallel()
	w, _ := seeded(t, Repository{})
	w.Intercept(func(r Request) Fault {
		if r.Host == "api.github.com" {
			w.Down(r.Host)
		}
		return Fault{}
	})
	if _, _, err := hub(w).Repositories.Dispatch(t.Context(), "kubestellar", "actions", dispatch("x")); err != nil && w.Dispatches(testRepository) == nil {
		return
	}
	t.Errorf("the host died before it handled the request; dispatches %v", w.Dispatches(testRepository))
}

func dispatch(event string) github.DispatchRequestOptions {
	return github.DispatchRequestOptions{EventType: event}
}

// send posts a dispatch, whose effect is easy to see.
func send(t *testing.T, w *World, fault Fault) error {
	t.Helper()
	w.Intercept(func(Request) Fault { return fault })
	defer w.Intercept(nil)
	_, _, err := hub(w).Repositories.Dispatch(t.Context(), "kubestellar", "actions", dispatch("told"))
	return err
}

func TestFaults(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name   string
		fault  Fault
		done   bool // the dispatch arrived
		reset  bool // the client saw a reset
		status int  // the client saw this status
		seen   int  // the record says this status
	}{
		{name: "none", done: true, seen: 204},
		{name: "delay", fault: Fault{Delay: time.Millisecond}, done: true, seen: 204},
		{name: "cut before", fault: Fault{CutBefore: true}, reset: true},
		{name: "cut after", fault: Fault{CutAfter: true}, done: true, reset: true, seen: 204},
		{name: "status", fault: Fault{Status: 503, Body: `{"message":"later"}`}, status: 503, seen: 503},
		{name: "status wins over cut after", fault: Fault{Status: 500, CutAfter: true}, status: 500, seen: 500},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			w, _ := seeded(t, Repository{})
			err := send(t, w, tc.fault)
			if got := len(w.Dispatches(testRepository)) == 1; got != tc.done {
				t.Errorf("done %t, want %t", got, tc.done)
			}
			if got := errors.Is(err, syscall.ECONNRESET); got != tc.reset {
				t.Errorf("reset %t (%v), want %t", got, err, tc.reset)
			}
			wantStatus(t, "answer", err, tc.status)
			last := w.Requests()[len(w.Requests())-1]
			if last.Path != "/repos/kubestellar/actions/dispatches" || !last.Effect || last.Status != tc.seen {
				t.Errorf("recorded %+v, want status %d and an effect", last, tc.seen)
			}
		})
	}
}

// TestFaultAnswersWhoFirstSendsAll has a client that, like git, reads when it has written.
func TestFaultAnswersWhoFirstSendsAll(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Options{})
	w.Intercept(func(Request) Fault {
		return Fault{Status: 429, Header: http.Header{"Retry-After": {"7"}}, Body: "later"}
	})
	conn := tls.Client(dial(t, w, "ghcr.io"), &tls.Config{ServerName: "ghcr.io", RootCAs: w.transport.TLSClientConfig.RootCAs})
	body := strings.Repeat("x", 16<<20)
	if _, err := fmt.Fprintf(conn, "POST /v2/a/blobs/uploads/ HTTP/1.1\r\nHost: ghcr.io\r\nContent-Length: %d\r\n\r\n%s", len(body), body); err != nil {
		t.Fatal(err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if b, err := io.ReadAll(resp.Body); err != nil || resp.StatusCode != 429 || resp.Header.Get("Retry-After") != "7" || string(b) != "later" {
		t.Errorf("saw %d %q (%v), Retry-After %q", resp.StatusCode, b, err, resp.Header.Get("Retry-After"))
	}
}

func TestRequestsAreNumberedAndTold(t *testing.T) {
	t.Parallel()
	w, clone := seeded(t, Repository{})
	commitFile(t, w, clone, "a", "b")
	before := len(w.Requests())
	git(t, w, clone, "push", "--quiet", "origin", "main")
	git(t, w, clone, "fetch", "--quiet", "origin")
	effects := 0
	for i, r := range w.Requests() {
		if r.N != i+1 {
			t.Errorf("request %d has number %d", i+1, r.N)
		}
		if i >= before && r.Effect {
			effects++
			if r.Host != "github.com" || !strings.HasSuffix(r.Path, "/git-receive-pack") || r.Method != "POST" {
				t.Errorf("saw an effect of %+v, want the push alone", r)
			}
		}
	}
	if effects != 1 {
		t.Errorf("saw %d effects of a push and a fetch, want 1", effects)
	}
}

func TestManyConnectionsAtOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Options{})
	hosts := w.doors.names()
	var all sync.WaitGroup
	for i := range 64 {
		all.Go(func() {
			host := hosts[i%len(hosts)]
			transport := w.transport.Clone() // a connection of its own
			defer transport.CloseIdleConnections()
			resp, err := (&http.Client{Transport: transport}).Get("https://" + host + "/v2/")
			if err != nil {
				t.Error(err)
				return
			}
			resp.Body.Close()
		})
	}
	all.Wait()
	if got := len(w.Requests()); got != 64 {
		t.Errorf("%d requests recorded, want 64", got)
	}
}

// TestCloseLeavesNothing runs alone: it counts the goroutines of the process.
func TestCloseLeavesNothing(t *testing.T) {
	before := runtime.NumGoroutine()
	w, err := Start(filepath.Join(t.TempDir(), "world"), Options{})
	if err != nil {
		t.Fatal(err)
	}
	clone := seed(t, w, testRepository, Repository{})
	commitFile(t, w, clone, "a", "b")
	half, err := net.Dial("tcp", w.Addr()) // says nothing
	if err != nil {
		t.Fatal(err)
	}
	defer half.Close()
	asking, entered := make(chan error, 1), make(chan struct{})
	w.Intercept(func(Request) Fault { close(entered); return Fault{Delay: time.Hour} })
	go func() {
		_, _, err := get(w, "https://quay.io/v2/")
		asking <- err
	}()
	<-entered
	if err := w.Close(); err != nil {
		t.Error(err)
	}
	if err := <-asking; err == nil {
		t.Error("a request under way was answered by a closed world")
	}
	if _, err := net.Dial("tcp", w.Addr()); err == nil {
		t.Error("the closed world listens")
	}
	until(t, "no goroutine is left over", func() bool { return runtime.NumGoroutine() <= before })
	if err := w.Close(); err != nil {
		t.Errorf("second Close: %v", err)
	}
}

// until waits a bounded time for what no channel tells.
func until(t *testing.T, what string, is func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	for !is() {
		if runtime.Gosched(); ctx.Err() != nil {
			stacks := make([]byte, 1<<20)
			t.Fatalf("not so: %s\n%s", what, stacks[:runtime.Stack(stacks, true)])
		}
	}
}

func TestEnvironmentTrustsNothingElse(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Options{Token: "it's \"odd\" & $ecret"})
	env := map[string]string{}
	for _, pair := range w.Env() {
		key, value, _ := strings.Cut(pair, "=")
		env[key] = value
	}
	for _, key := range []string{"SSL_CERT_DIR", "GIT_SSL_CAPATH"} {
		if entries, err := os.ReadDir(env[key]); err != nil || len(entries) != 0 {
			t.Errorf("%s holds %v (%v), want nothing", key, entries, err)
		}
	}
	pem, err := os.ReadFile(env["SSL_CERT_FILE"])
	if err != nil || bytes.Count(pem, []byte("BEGIN")) != 1 || bytes.Contains(pem, []byte("PRIVATE")) {
		t.Errorf("SSL_CERT_FILE: %s (%v), want one certificate and no key", pem, err)
	}
	for _, key := range []string{"HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME", "XDG_DATA_HOME", "DOCKER_CONFIG", "GIT_CONFIG_GLOBAL"} {
		if rel, err := filepath.Rel(w.dir, env[key]); err != nil || !filepath.IsLocal(rel) {
			t.Errorf("%s is %q, want it inside the world's folder", key, env[key])
		}
	}
	seed(t, w, testRepository, Repository{Private: true}) // the odd token passes through git
}

func TestUnknownHostOfAMethodPanics(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Options{})
	for name, f := range map[string]func(){
		"down":    func() { w.Down("example.com") },
		"private": func() { w.SetPrivate("github.com", "a", true) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s with a wrong host went unnoticed", name)
				}
			}()
			f()
		}()
	}
}
