package networktest_test

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-github/v62/github"

	"github.com/kubestellar/actions/internal/rehearsal/forge"
	"github.com/kubestellar/actions/test/networktest"
)

func inRepo(path string) string { return "/repos/" + networktest.Repository + path }

// faulty applies f to every request to the API.
func faulty(w *networktest.Network, f networktest.Fault) {
	w.Intercept(func(r networktest.Request) networktest.Fault {
		if r.Host == "api.github.com" {
			return f
		}
		return networktest.Fault{}
	})
}

// askAPI returns the part of the body that could be read, and the error that ended it.
func askAPI(t *testing.T, w *networktest.Network, method, path, body string) (*http.Response, []byte, error) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, "https://api.github.com"+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", "Bearer "+w.Token())
	resp, err := (&http.Client{Transport: w.Transport()}).Do(req)
	if err != nil {
		return nil, nil, err
	}
	defer resp.Body.Close()
	read, err := io.ReadAll(resp.Body)
	return resp, read, err
}

// A scheduler of requests learns the sender of each, and its end, with every fault.
func TestDoneIsCalled(t *testing.T) {
	t.Parallel()
	w, _ := networktest.Seeded(t, forge.Repository{})
	for name, fault := range map[string]networktest.Fault{
		"answered": {}, "refused": {Status: 502}, "cut before": {CutBefore: true}, "cut after": {CutAfter: true},
	} {
		done := make(chan string, 1)
		w.Intercept(func(r networktest.Request) networktest.Fault {
			fault := fault
			fault.Done = func() { done <- r.Agent }
			return fault
		})
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "https://api.github.com"+inRepo("/labels"), strings.NewReader(`{"name":"x"}`))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("User-Agent", "client/1")
		if resp, err := w.Transport().RoundTrip(req); err == nil {
			resp.Body.Close()
		}
		select {
		case agent := <-done:
			if agent != "client/1" {
				t.Errorf("%s: sent by %q, want client/1", name, agent)
			}
		case <-time.After(time.Minute):
			t.Fatalf("%s: Done was not called", name)
		}
	}
}

func TestTruncatedAnswer(t *testing.T) {
	t.Parallel()
	w, _ := networktest.Seeded(t, forge.Repository{})
	_, whole, err := askAPI(t, w, "GET", inRepo(""), "")
	if err != nil {
		t.Fatal(err)
	}
	faulty(w, networktest.Fault{Truncated: true})
	resp, half, err := askAPI(t, w, "GET", inRepo(""), "")
	if !errors.Is(err, io.ErrUnexpectedEOF) || resp.StatusCode != 200 || string(half) != string(whole[:len(whole)/2]) {
		t.Errorf("%v, %d of %d bytes (%v), want half of them and an early end", resp, len(half), len(whole), err)
	}
	if _, _, err := askAPI(t, w, "POST", inRepo("/labels"), `{"name":"done"}`); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("a write: %v, want an early end", err)
	}
	if _, _, err := askAPI(t, w, "POST", inRepo("/dispatches"), `{"event_type":"x"}`); err == nil {
		t.Error("an answer without a body came, want none")
	}
	w.Intercept(nil)
	labels, _, err := networktest.Hub(w).Issues.ListLabels(t.Context(), "kubestellar", "actions", nil)
	if err != nil || len(labels) != 1 || len(w.Forge.Dispatches(networktest.Repository)) != 1 {
		t.Errorf("labels %v (%v) and %d dispatches, want the writes done", labels, err, len(w.Forge.Dispatches(networktest.Repository)))
	}
	for _, r := range w.Requests() {
		if r.Path == inRepo("/labels") && r.Effect && r.Status != 201 {
			t.Errorf("recorded %+v, want the forge's answer", r)
		}
	}
}

func TestTrickledAnswer(t *testing.T) {
	t.Parallel()
	w, _ := networktest.Seeded(t, forge.Repository{})
	_, whole, err := askAPI(t, w, "GET", "/rate_limit", "")
	if err != nil {
		t.Fatal(err)
	}
	const pause = 5 * time.Millisecond
	faulty(w, networktest.Fault{Trickle: pause})
	begin := time.Now()
	_, body, err := askAPI(t, w, "GET", "/rate_limit", "")
	pieces := (len(whole) + networktest.TrickleSize - 1) / networktest.TrickleSize
	if took := time.Since(begin); err != nil || len(body) != len(whole) || took < time.Duration(pieces)*pause {
		t.Errorf("%d bytes in %s (%v), want %d in %d pieces", len(body), took, err, len(whole), pieces)
	}
	slow := networktest.TooManyRequests(time.Second)
	slow.Trickle = pause
	faulty(w, slow)
	begin = time.Now()
	resp, body, err := askAPI(t, w, "GET", "/rate_limit", "")
	least := time.Duration(len(body)/networktest.TrickleSize) * pause
	if took := time.Since(begin); err != nil || resp.StatusCode != 429 || string(body) != slow.Body || took < least {
		t.Errorf("%v %s in %s (%v), want a slow refusal", resp, body, took, err)
	}
}

// TestLimits checks that go-github recognises the answers as GitHub's limits.
func TestLimits(t *testing.T) {
	t.Parallel()
	w, _ := networktest.Seeded(t, forge.Repository{})
	reset := time.Now().Add(time.Hour).Truncate(time.Second)
	for _, tc := range []struct {
		name  string
		fault networktest.Fault
		want  func(error) bool
	}{
		{"429", networktest.TooManyRequests(1500 * time.Millisecond), func(err error) bool {
			var e *github.ErrorResponse
			return errors.As(err, &e) && e.Response.StatusCode == 429 && e.Response.Header.Get("Retry-After") == "2"
		}},
		{"secondary", networktest.SecondaryLimit(time.Minute), func(err error) bool {
			var e *github.AbuseRateLimitError
			return errors.As(err, &e) && e.GetRetryAfter() == time.Minute
		}},
		{"secondary that does not tell", networktest.SecondaryLimit(0), func(err error) bool {
			var e *github.AbuseRateLimitError
			return errors.As(err, &e) && e.RetryAfter == nil && e.Response.Header.Get("X-RateLimit-Remaining") != "0"
		}},
		{"primary", networktest.PrimaryLimit(reset), func(err error) bool {
			var e *github.RateLimitError
			return errors.As(err, &e) && e.Rate.Remaining == 0 && e.Rate.Reset.Equal(github.Timestamp{Time: reset})
		}},
	} {
		faulty(w, tc.fault)
		if _, _, err := networktest.Hub(w).Repositories.Get(t.Context(), "kubestellar", "actions"); !tc.want(err) {
			t.Errorf("%s: go-github returned %T %v", tc.name, err, err)
		}
	}
}
