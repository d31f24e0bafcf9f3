package networktest_test

import (
	"bufio"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-github/v62/github"

	"github.com/kubestellar/actions/internal/rehearsal/forge"
	"github.com/kubestellar/actions/internal/rehearsal/network"
	"github.com/kubestellar/actions/test/networktest"
)

func TestDownCutsARequestUnderWay(t *testing.T) {
	t.Parallel()
	w, _ := networktest.Seeded(t, forge.Repository{})
	w.Intercept(func(r networktest.Request) networktest.Fault {
		if r.Host == "api.github.com" {
			w.Down(r.Host)
		}
		return networktest.Fault{}
	})
	_, _, err := networktest.Hub(w).Repositories.Dispatch(t.Context(), "kubestellar", "actions", dispatch("x"))
	if err != nil && w.Forge.Dispatches(networktest.Repository) == nil {
		return
	}
	t.Errorf("the host died before it handled the request; dispatches %v", w.Forge.Dispatches(networktest.Repository))
}

func dispatch(event string) github.DispatchRequestOptions {
	return github.DispatchRequestOptions{EventType: event}
}

// send posts a dispatch, whose effect is easy to check.
func send(t *testing.T, w *networktest.Network, fault networktest.Fault) error {
	t.Helper()
	w.Intercept(func(networktest.Request) networktest.Fault { return fault })
	defer w.Intercept(nil)
	_, _, err := networktest.Hub(w).Repositories.Dispatch(t.Context(), "kubestellar", "actions", dispatch("told"))
	return err
}

func TestFaults(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name   string
		fault  networktest.Fault
		done   bool // the dispatch arrived
		reset  bool // the client saw a reset
		status int  // the client saw this status
		seen   int  // the recorded status
	}{
		{name: "none", done: true, seen: 204},
		{name: "delay", fault: networktest.Fault{Delay: time.Millisecond}, done: true, seen: 204},
		{name: "cut before", fault: networktest.Fault{CutBefore: true}, reset: true},
		{name: "cut after", fault: networktest.Fault{CutAfter: true}, done: true, reset: true, seen: 204},
		{name: "status", fault: networktest.Fault{Status: 503, Body: `{"message":"later"}`}, status: 503, seen: 503},
		{name: "status wins over cut after", fault: networktest.Fault{Status: 500, CutAfter: true}, status: 500, seen: 500},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			w, _ := networktest.Seeded(t, forge.Repository{})
			err := send(t, w, tc.fault)
			if got := len(w.Forge.Dispatches(networktest.Repository)) == 1; got != tc.done {
				t.Errorf("done %t, want %t", got, tc.done)
			}
			if got := errors.Is(err, syscall.ECONNRESET); got != tc.reset {
				t.Errorf("reset %t (%v), want %t", got, err, tc.reset)
			}
			networktest.WantStatus(t, "answer", err, tc.status)
			last := w.Requests()[len(w.Requests())-1]
			if last.Path != "/repos/kubestellar/actions/dispatches" || !last.Effect || last.Status != tc.seen {
				t.Errorf("recorded %+v, want status %d and an effect", last, tc.seen)
			}
		})
	}
}

// TestFaultAnswersAfterTheWholeRequest has a client that, like git, reads after it has written.
func TestFaultAnswersAfterTheWholeRequest(t *testing.T) {
	t.Parallel()
	w := networktest.New(t, network.Options{})
	w.Intercept(func(networktest.Request) networktest.Fault {
		return networktest.Fault{Status: 429, Header: http.Header{"Retry-After": {"7"}}, Body: "later"}
	})
	conn := tls.Client(networktest.Dial(t, w, "ghcr.io"), &tls.Config{ServerName: "ghcr.io", RootCAs: w.Transport().(*http.Transport).TLSClientConfig.RootCAs})
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

func TestRequestsAreNumbered(t *testing.T) {
	t.Parallel()
	w, clone := networktest.Seeded(t, forge.Repository{})
	networktest.CommitFile(t, w, clone, "a", "b")
	before := len(w.Requests())
	networktest.Git(t, w, clone, "push", "--quiet", "origin", "main")
	networktest.Git(t, w, clone, "fetch", "--quiet", "origin")
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
