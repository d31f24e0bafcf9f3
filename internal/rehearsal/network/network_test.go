package network_test

import (
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/kubestellar/actions/internal/rehearsal/forge"
	"github.com/kubestellar/actions/internal/rehearsal/network"
	"github.com/kubestellar/actions/test/networktest"
)

func TestRefusesAllOtherHosts(t *testing.T) {
	t.Parallel()
	w := networktest.New(t, network.Options{})
	for _, url := range []string{"https://example.com/", "https://gist.githubusercontent.com/x", "https://ghcr.io:8443/v2/"} {
		if _, _, err := networktest.Get(w, url); err == nil {
			t.Errorf("%s: got an answer, want a refusal", url)
		}
	}
	status, body, err := networktest.Get(w, "http://github.com/plain")
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
	w := networktest.New(t, network.Options{})
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

func TestOnlyTheNetworksAuthorityIsTrusted(t *testing.T) {
	t.Parallel()
	w, other := networktest.New(t, network.Options{}), networktest.New(t, network.Options{})
	transport := other.Transport().(*http.Transport).Clone()
	transport.Proxy = w.Transport().(*http.Transport).Proxy
	defer transport.CloseIdleConnections()
	if _, err := (&http.Client{Transport: transport}).Get("https://github.com/"); err == nil || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("another network's authority: %v, want a certificate error", err)
	}
}

func TestTakenPortIsNamed(t *testing.T) {
	t.Parallel()
	w := networktest.New(t, network.Options{})
	_, err := networktest.Start(filepath.Join(t.TempDir(), "second"), network.Options{Addr: w.Addr()})
	if err == nil || !strings.Contains(err.Error(), w.Addr()) || !strings.Contains(err.Error(), "another port") {
		t.Errorf("second network on %s: %v, want an error that names the address and what to do", w.Addr(), err)
	}
}

func TestUsedFolderIsRefused(t *testing.T) {
	t.Parallel()
	w := networktest.New(t, network.Options{})
	if _, err := networktest.Start(folderOf(w), network.Options{}); err == nil || !strings.Contains(err.Error(), "want an empty folder") {
		t.Errorf("second network in one folder: %v, want an error", err)
	}
}

func TestDownAndUpKeepState(t *testing.T) {
	t.Parallel()
	w, clone := networktest.Seeded(t, forge.Repository{})
	head := networktest.Git(t, w, clone, "rev-parse", "HEAD")
	if _, _, err := networktest.Get(w, "https://api.github.com/rate_limit"); err != nil {
		t.Fatal(err) // leaves an idle connection, which has to be cut
	}
	w.Down("github.com")
	w.Down("api.github.com")
	if out, err := networktest.TryGit(w, clone, "fetch"); err == nil {
		t.Errorf("fetch from a dead host: %s, want an error", out)
	}
	if _, _, err := networktest.Get(w, "https://api.github.com/rate_limit"); err == nil {
		t.Error("dead API answered")
	}
	if _, _, err := networktest.Get(w, "https://ghcr.io/v2/"); err != nil {
		t.Errorf("the other hosts live: %v", err)
	}
	w.Up("github.com")
	w.Up("api.github.com")
	if got := networktest.Git(t, w, clone, "ls-remote", "origin", "refs/heads/main"); !strings.HasPrefix(got, head) {
		t.Errorf("after Up main is %q, want %s", got, head)
	}
	if _, _, err := networktest.Get(w, "https://api.github.com/rate_limit"); err != nil {
		t.Error(err)
	}
}

func TestDownCutsOpenConnections(t *testing.T) {
	t.Parallel()
	w := networktest.New(t, network.Options{})
	conn, other := networktest.Dial(t, w, "ghcr.io"), networktest.Dial(t, w, "quay.io")
	w.Down("ghcr.io")
	if _, err := conn.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("an open connection to a dead host: %v, want a reset", err)
	}
	if err := tls.Client(other, &tls.Config{ServerName: "quay.io", RootCAs: w.Transport().(*http.Transport).TLSClientConfig.RootCAs}).Handshake(); err != nil {
		t.Errorf("an open connection to another host: %v", err)
	}
}

func TestManyConnectionsAtOnce(t *testing.T) {
	t.Parallel()
	w := networktest.New(t, network.Options{})
	hosts := w.HostNames()
	var all sync.WaitGroup
	for i := range 64 {
		all.Go(func() {
			host := hosts[i%len(hosts)]
			transport := w.Transport().(*http.Transport).Clone() // a connection of its own
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
	networktest.SkipIfShort(t)
	before := runtime.NumGoroutine()
	w, err := networktest.Start(filepath.Join(t.TempDir(), "network"), network.Options{})
	if err != nil {
		t.Fatal(err)
	}
	clone := networktest.Seed(t, w, networktest.Repository, forge.Repository{})
	networktest.CommitFile(t, w, clone, "a", "b")
	half, err := net.Dial("tcp", w.Addr()) // sends nothing
	if err != nil {
		t.Fatal(err)
	}
	defer half.Close()
	asking, entered := make(chan error, 1), make(chan struct{})
	w.Intercept(func(networktest.Request) networktest.Fault {
		close(entered)
		return networktest.Fault{Delay: time.Hour}
	})
	go func() {
		_, _, err := networktest.Get(w, "https://quay.io/v2/")
		asking <- err
	}()
	<-entered
	if err := w.Close(); err != nil {
		t.Error(err)
	}
	if err := <-asking; err == nil {
		t.Error("a closed network answered a request in progress")
	}
	if _, err := net.Dial("tcp", w.Addr()); err == nil {
		t.Error("the closed network listens")
	}
	networktest.Until(t, "no goroutine is left over", func() bool { return runtime.NumGoroutine() <= before })
	if err := w.Close(); err != nil {
		t.Errorf("second Close: %v", err)
	}
}

func TestEnvironmentTrustsNothingElse(t *testing.T) {
	t.Parallel()
	w := networktest.New(t, network.Options{Token: "it's \"odd\" & $ecret"})
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
		if rel, err := filepath.Rel(folderOf(w), env[key]); err != nil || !filepath.IsLocal(rel) {
			t.Errorf("%s is %q, want it inside the network's folder", key, env[key])
		}
	}
	networktest.Seed(t, w, networktest.Repository, forge.Repository{Private: true}) // the odd token passes through git
}

func TestUnknownHostOfAMethodPanics(t *testing.T) {
	t.Parallel()
	w := networktest.New(t, network.Options{})
	for name, f := range map[string]func(){
		"down":    func() { w.Down("example.com") },
		"private": func() { w.Registry("github.com").SetPrivate("a", true) },
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

// folderOf returns the folder of a network's state.
func folderOf(w *networktest.Network) string {
	for _, entry := range w.Env() {
		if ca, found := strings.CutPrefix(entry, "SSL_CERT_FILE="); found {
			return filepath.Dir(ca)
		}
	}
	panic("the environment names no authority")
}

func TestARegistryIsStartedOnce(t *testing.T) {
	t.Parallel()
	w := networktest.New(t, network.Options{Registries: []string{"gcr.io"}})
	servers := w.Servers()
	if err := w.AddRegistry("gcr.io"); err != nil || w.Servers() != servers {
		t.Errorf("added again: %v, and %d servers, want %d", err, w.Servers(), servers)
	}
	if err := w.AddRegistry("registry.k8s.io"); err != nil || w.Servers() != servers+1 {
		t.Errorf("added another: %v, and %d servers, want %d", err, w.Servers(), servers+1)
	}
}
