package gh_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/kubestellar/actions/internal/gh"
	"github.com/kubestellar/actions/internal/outcome"
	"github.com/kubestellar/actions/internal/ref"
	"github.com/kubestellar/actions/internal/rehearsal/forge"
	"github.com/kubestellar/actions/internal/web"
	"github.com/kubestellar/actions/test/networktest"
	"github.com/kubestellar/actions/test/testkit"
)

// waits records the durations of waits, without waiting.
type waits struct {
	mu   sync.Mutex
	all  []time.Duration
	then func()
}

func (w *waits) wait(ctx context.Context, d time.Duration) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.all = append(w.all, d)
	if w.then != nil {
		w.then()
	}
	return ctx.Err()
}

func (w *waits) sum() (sum time.Duration) {
	for _, d := range w.all {
		sum += d
	}
	return sum
}

// careful returns a client of the network that records its waits, without jitter.
func careful(t *testing.T, w *networktest.Network, over func(http.RoundTripper) http.RoundTripper) (*gh.Client, *waits) {
	t.Helper()
	noted := &waits{}
	c, err := gh.New(gh.Options{
		Token: w.Token(), TokenName: "X_TOKEN", Transport: over(w.Transport()),
		Wait: noted.wait, Random: func() float64 { return 0 },
	})
	if err != nil {
		t.Fatal(err)
	}
	return c, noted
}

func asItIs(next http.RoundTripper) http.RoundTripper { return next }

// first makes the first n requests of a method fail with a fault.
func first(w *networktest.Network, n int, method string, fault networktest.Fault) {
	var mu sync.Mutex
	w.Intercept(func(r networktest.Request) networktest.Fault {
		mu.Lock()
		defer mu.Unlock()
		if r.Method != method || n == 0 {
			return networktest.Fault{}
		}
		n--
		return fault
	})
}

func header(pairs ...string) http.Header {
	h := http.Header{}
	for i := 0; i < len(pairs); i += 2 {
		h.Set(pairs[i], pairs[i+1])
	}
	return h
}

const (
	denied    = `{"message":"Resource not accessible by integration"}`
	tooMany   = `{"message":"You have exceeded a secondary rate limit. Please wait a few minutes before you try again."}`
	exhausted = `{"message":"API rate limit exceeded for installation ID 1."}`
)

// Reads and writes recover from a fault that passes, after the right waits.
func TestFaultsThatPass(t *testing.T) {
	t.Parallel()
	const date = "Tue, 24 Nov 2026 20:00:00 GMT"
	s := time.Second
	for name, test := range map[string]struct {
		fault       networktest.Fault
		times       int
		read, write []time.Duration // nil: no retry
	}{
		"cut before":      {networktest.Fault{CutBefore: true}, 2, []time.Duration{s / 2, s}, nil},
		"an answer lost":  {networktest.Fault{CutAfter: true}, 1, []time.Duration{s / 2}, nil},
		"500":             {networktest.Fault{Status: 500}, 1, []time.Duration{s / 2}, nil},
		"502":             {networktest.Fault{Status: 502}, 1, []time.Duration{s / 2}, nil},
		"503 with a time": {networktest.Fault{Status: 503, Header: header("Retry-After", "7")}, 1, []time.Duration{7 * s}, nil},
		"504":             {networktest.Fault{Status: 504}, 4, []time.Duration{s / 2, s, 2 * s, 4 * s}, nil},
		"broken JSON": {
			networktest.Fault{Status: 200, Header: header("Content-Type", "application/json"), Body: `{"id":1,"na`},
			1, []time.Duration{s / 2}, nil,
		},
		"429": {networktest.Fault{Status: 429, Header: header("Retry-After", "2")}, 1, []time.Duration{2 * s}, []time.Duration{2 * s}},
		"429 with a date": {
			networktest.Fault{Status: 429, Header: header("Retry-After", "Tue, 24 Nov 2026 20:00:09 GMT", "Date", date)},
			1, []time.Duration{9 * s}, []time.Duration{9 * s},
		},
		"429 without a header": {networktest.Fault{Status: 429}, 2, []time.Duration{60 * s, 120 * s}, []time.Duration{60 * s, 120 * s}},
		"a secondary limit": {
			networktest.Fault{Status: 403, Header: header("Retry-After", "30"), Body: tooMany},
			1, []time.Duration{30 * s}, []time.Duration{30 * s},
		},
		"a secondary limit, as text": {networktest.Fault{Status: 403, Body: tooMany}, 1, []time.Duration{60 * s}, []time.Duration{60 * s}},
		"a primary limit": {
			networktest.Fault{Status: 403, Header: header("X-RateLimit-Remaining", "0", "X-RateLimit-Reset", "1795550430", "Date", date), Body: exhausted},
			1, []time.Duration{31 * s}, []time.Duration{31 * s}, // 20:00:30
		},
		"a primary limit by 429": {
			networktest.Fault{Status: 429, Header: header("X-RateLimit-Remaining", "0", "X-RateLimit-Reset", "1795550430", "Date", date)},
			1, []time.Duration{31 * s}, []time.Duration{31 * s},
		},
		"no right": {networktest.Fault{Status: 403, Body: denied}, 1, nil, nil},
		"401":      {networktest.Fault{Status: 401}, 1, nil, nil},
		"404":      {networktest.Fault{Status: 404}, 1, nil, nil},
		"501":      {networktest.Fault{Status: 501}, 1, nil, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, _ := start(t, forge.Repository{})
			c, noted := careful(t, w, asItIs)
			first(w, test.times, http.MethodGet, test.fault)
			_, err := c.DefaultBranch(context.Background(), repository)
			if !slices.Equal(noted.all, test.read) || (err == nil) != (test.read != nil) {
				t.Errorf("a read waited %v and returned %v, want %v", noted.all, err, test.read)
			}
			// A pull request from a missing branch cannot be opened, so the write has no effect.
			c, noted = careful(t, w, asItIs)
			first(w, test.times, http.MethodPost, test.fault)
			before := len(w.Requests())
			_, err = c.CreatePull(context.Background(), repository, gh.Proposal{Title: "t", Head: "none", Base: "main"})
			if err == nil || test.write != nil && (!slices.Equal(noted.all, test.write) || !strings.Contains(err.Error(), "422")) {
				t.Errorf("a write waited %v and returned %v, want %v", noted.all, err, test.write)
			}
			if after := w.Requests()[before+1:]; test.write == nil && len(after) > 0 && after[0].Method != http.MethodGet {
				t.Errorf("the write was repeated before its effect was checked: %+v", after)
			}
		})
	}
}

// The error of a permanent fault names its cause and, for a rate limit, its end.
func TestFaultsThatStay(t *testing.T) {
	t.Parallel()
	const date = "Tue, 24 Nov 2026 20:00:00 GMT"
	for name, test := range map[string]struct {
		fault    networktest.Fault
		says     string
		requests int
	}{
		"an hour": {
			networktest.Fault{Status: 403, Header: header("X-RateLimit-Remaining", "0", "X-RateLimit-Reset", "1795554000", "Date", date), Body: exhausted},
			"primary rate limit (requests per hour) is exceeded; run again after 2026-11-24 21:00:01 UTC: API rate limit exceeded", 1,
		},
		"ten minutes": {networktest.Fault{Status: 429, Header: header("Retry-After", "600")}, "secondary rate limit", 1},
		"for ever":    {networktest.Fault{Status: 429, Header: header("Retry-After", "99999999999999")}, "secondary rate limit", 1},
		"minutes":     {networktest.Fault{Status: 429}, "secondary rate limit", 3}, // waits of 1 and 2 minutes; 4 more are too long
		"seconds":     {networktest.Fault{Status: 429, Header: header("Retry-After", "1")}, "secondary rate limit", 5},
		"502":         {networktest.Fault{Status: 502}, "502", 5},
		"cuts":        {networktest.Fault{CutAfter: true}, "could not ask: ", 5},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, _ := start(t, forge.Repository{})
			// internal/web also retries; the retries must not multiply.
			c, noted := careful(t, w, func(next http.RoundTripper) http.RoundTripper { return web.New(next) })
			w.Intercept(func(networktest.Request) networktest.Fault { return test.fault })
			_, err := c.DefaultBranch(context.Background(), repository)
			if err == nil || !strings.Contains(err.Error(), test.says) || outcome.Of(err) != outcome.Unchecked {
				t.Errorf("saw %v (code %d), want %q", err, outcome.Of(err), test.says)
			}
			limited, is := errors.AsType[*gh.Limited](err)
			if is != strings.Contains(test.says, "rate limit") || is && limited.Until.IsZero() {
				t.Errorf("%v is a limit: %t", err, is)
			}
			// net/http itself repeats a read if the connection broke.
			if got := len(w.Requests()); got != test.requests && !test.fault.CutAfter || noted.sum() > 5*time.Minute {
				t.Errorf("%d requests and waits of %v, want %d", got, noted.all, test.requests)
			}
		})
	}
}

// After the last request within a limit, go-github refuses further ones based on the
// machine's clock. The client sends them to the server.
func TestLimitsAreLeftToTheServer(t *testing.T) {
	t.Parallel()
	w, _ := start(t, forge.Repository{})
	c, _ := careful(t, w, asItIs)
	first(w, 1, http.MethodGet, networktest.Fault{Status: 200, Header: header("X-RateLimit-Remaining", "0", "X-RateLimit-Reset", "99999999999"), Body: `{}`})
	for range 2 {
		if _, err := c.DefaultBranch(context.Background(), repository); err != nil {
			t.Error(err)
		}
	}
	if got := len(w.Requests()); got != 2 {
		t.Errorf("%d requests, want 2", got)
	}
}

// Errors explain a refusal and its remedy.
func TestRefusals(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		fault networktest.Fault
		says  string
	}{
		"a permission": {
			networktest.Fault{Status: 403, Header: header("X-Accepted-GitHub-Permissions", "contents=write"), Body: denied},
			"the token (X_TOKEN) lacks a permission, want contents=write: ",
		},
		"a scope": {
			networktest.Fault{Status: 403, Header: header("X-Accepted-OAuth-Scopes", "repo"), Body: denied},
			"lacks a scope, want one of repo: ",
		},
		"no header": {networktest.Fault{Status: 403, Body: denied}, "the token (X_TOKEN) lacks a permission: "},
		"single sign-on": {
			networktest.Fault{Status: 403, Header: header("X-GitHub-SSO", "required; url=https://github.com/orgs/o/sso?authorization_request=1")},
			"the token (X_TOKEN) is not authorized for the organisation's single sign-on: " +
				"authorize it at https://github.com/orgs/o/sso?authorization_request=1: ",
		},
		"a token that is none": {networktest.Fault{Status: 401, Body: `{"message":"Bad credentials"}`}, "the token (X_TOKEN) is missing, wrong or expired: "},
		"absent or hidden":     {networktest.Fault{Status: 404}, "not found, or the token has no access"},
		"another server": {
			networktest.Fault{Status: 302, Header: header("Location", "https://elsewhere.example/x?sig=secret")},
			"GitHub redirects to another server (elsewhere.example), which is not followed: is GITHUB_API_URL right? ",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, c := start(t, forge.Repository{})
			w.Intercept(func(networktest.Request) networktest.Fault { return test.fault })
			_, read := c.DefaultBranch(context.Background(), repository)
			write := c.Publish(context.Background(), repository, 1, ref.Version{})
			for _, err := range []error{read, write} {
				if err == nil || !strings.Contains(err.Error(), test.says) || strings.Contains(err.Error(), "secret") {
					t.Errorf("saw %v, want %q", err, test.says)
				}
			}
			if got := len(w.Requests()); got != 2 {
				t.Errorf("%d requests, want 2", got)
			}
		})
	}
}

// A server with an untrusted certificate gets no retries and no token.
func TestUntrusted(t *testing.T) {
	t.Parallel()
	w, _ := start(t, forge.Repository{})
	proxy := http.ProxyURL(&url.URL{Scheme: "http", Host: w.Addr()})
	c, noted := careful(t, w, func(http.RoundTripper) http.RoundTripper { return &http.Transport{Proxy: proxy} })
	_, err := c.DefaultBranch(context.Background(), repository)
	if err == nil || !strings.Contains(err.Error(), "SSL_CERT_FILE") || len(noted.all) > 0 || len(w.Requests()) > 0 {
		t.Errorf("saw %v after waits of %v and %d requests", err, noted.all, len(w.Requests()))
	}
}

// A write that was certainly not sent is retried.
func TestUnsentWritesAreRepeated(t *testing.T) {
	t.Parallel()
	w, _ := start(t, forge.Repository{})
	c, noted := careful(t, w, asItIs)
	w.Down("api.github.com")
	noted.then = func() {
		if len(noted.all) == 2 {
			w.Up("api.github.com")
		}
	}
	if err := c.Dispatch(context.Background(), repository, gh.Event{ID: "x"}); err != nil || len(noted.all) != 2 || len(w.Forge.Dispatches(repository)) != 1 {
		t.Errorf("%d dispatches after waits of %v, %v", len(w.Forge.Dispatches(repository)), noted.all, err)
	}
}

// line fails at some moment of a request, and calls net/http's hooks until then.
type line []string

func (l line) RoundTrip(req *http.Request) (*http.Response, error) {
	for _, moment := range l {
		switch trace := httptrace.ContextClientTrace(req.Context()); moment {
		case "looks for a connection":
			trace.GetConn(req.URL.Host)
		case "has it":
			trace.GotConn(httptrace.GotConnInfo{})
		}
	}
	return nil, errors.New("the line broke")
}

// The result of a failed write is certain only if no connection was used.
func TestSentWritesAreUncertain(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		line line
		sent bool
	}{
		{line{}, true}, // no hooks are called
		{line{"looks for a connection"}, false},
		{line{"looks for a connection", "has it"}, true},
		{line{"looks for a connection", "has it", "looks for a connection"}, false}, // nothing was written to the first
	} {
		c, err := gh.New(gh.Options{Transport: test.line, Wait: testkit.NoWait})
		if err != nil {
			t.Fatal(err)
		}
		err = c.Dispatch(context.Background(), repository, gh.Event{ID: "x"})
		if _, open := errors.AsType[*gh.Uncertain](err); open != test.sent || !strings.Contains(err.Error(), "the line broke") {
			t.Errorf("%q: saw %v, want it uncertain: %t", test.line, err, test.sent)
		}
	}
}

// server returns a client of a server that cuts off responses and stalls, as answer does.
func server(t *testing.T, o gh.Options, answer http.HandlerFunc) *gh.Client {
	t.Helper()
	s := httptest.NewServer(answer)
	t.Cleanup(s.Close)
	o.APIURL, o.Transport = s.URL, &http.Transport{}
	if o.Wait == nil {
		o.Wait = testkit.NoWait
	}
	c, err := gh.New(o)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// A response that stalls or ends early counts as none.
func TestAnswersThatDoNotEnd(t *testing.T) {
	t.Parallel()
	stall := func(rw http.ResponseWriter, r *http.Request) {
		rw.Write([]byte(`{"default_branch":`))
		rw.(http.Flusher).Flush()
		<-r.Context().Done()
	}
	for name, test := range map[string]struct {
		answer http.HandlerFunc
		says   string
	}{
		"silence": {func(_ http.ResponseWriter, r *http.Request) { io.Copy(io.Discard, r.Body); <-r.Context().Done() }, "no complete response in time (300ms)"},
		"a stall": {stall, "no complete response in time (300ms)"},
		"a cut": {func(rw http.ResponseWriter, _ *http.Request) {
			rw.Header().Set("Content-Length", "100")
			rw.Write([]byte(`{"default_branch":"main"}`))
		}, "the response was cut off after 25 bytes"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			// ask returns a client of a server whose nth and later responses are sound.
			ask := func(sound int32) (c *gh.Client, writes *atomic.Int32) {
				var asked atomic.Int32
				writes = &atomic.Int32{}
				return server(t, gh.Options{Slow: 300 * time.Millisecond}, func(rw http.ResponseWriter, r *http.Request) {
					if r.Method != http.MethodGet {
						writes.Add(1)
					}
					if asked.Add(1) >= sound {
						io.WriteString(rw, `{"default_branch":"main"}`)
						return
					}
					test.answer(rw, r)
				}), writes
			}
			c, _ := ask(3)
			if got, err := c.DefaultBranch(context.Background(), repository); got != "main" || err != nil {
				t.Errorf("the third response was %q, %v", got, err)
			}
			c, _ = ask(99)
			if _, err := c.DefaultBranch(context.Background(), repository); err == nil || !strings.Contains(err.Error(), test.says) {
				t.Errorf("saw %v, want %q", err, test.says)
			}
			// The effect of the write cannot be checked.
			c, writes := ask(99)
			err := c.Publish(context.Background(), repository, 1, ref.Version{})
			if _, is := errors.AsType[*gh.Uncertain](err); !is || !strings.Contains(err.Error(), test.says) || writes.Load() != 1 {
				t.Errorf("%d writes, %v", writes.Load(), err)
			}
		})
	}
}

// A download must be complete, and each part of it in time.
func TestDownloadsThatStall(t *testing.T) {
	t.Parallel()
	c := server(t, gh.Options{Slow: 500 * time.Millisecond}, func(rw http.ResponseWriter, r *http.Request) {
		for range 4 { // longer in total than the limit for one part
			rw.Write([]byte("text"))
			rw.(http.Flusher).Flush()
			time.Sleep(200 * time.Millisecond)
		}
		if strings.HasSuffix(r.URL.Path, "/2") {
			<-r.Context().Done()
		}
	})
	ctx := context.Background()
	var b strings.Builder
	if err := c.Download(ctx, repository, gh.Asset{ID: 1, Name: "a", Size: 16}, &b); err != nil || b.Len() != 16 {
		t.Errorf("%d bytes, %v", b.Len(), err)
	}
	if err := c.Download(ctx, repository, gh.Asset{ID: 2, Name: "a"}, io.Discard); err == nil || !strings.Contains(err.Error(), "in time") {
		t.Errorf("a stall: %v", err)
	}
}

// A redirect on GitHub's own host is followed with the same method and body. No other
// host gets the token or a write.
func TestRedirects(t *testing.T) {
	t.Parallel()
	const token = "ghs_known"
	var mu sync.Mutex
	var elsewhere []string
	other := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		elsewhere = append(elsewhere, r.Method+" "+r.Header.Get("Authorization"))
		io.WriteString(rw, "text")
	}))
	t.Cleanup(other.Close)
	var seen []string
	status := 0
	c := server(t, gh.Options{Token: token}, func(rw http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		mu.Lock()
		defer mu.Unlock()
		seen = append(seen, fmt.Sprintf("%s %s %t %d", r.Method, r.URL.Path, r.Header.Get("Authorization") == "Bearer "+token, len(body)))
		switch {
		case strings.HasPrefix(r.URL.Path, "/repos/o/far"):
			rw.Header().Set("Location", other.URL+"/file?sig=secret")
			rw.WriteHeader(status)
		case strings.HasPrefix(r.URL.Path, "/repos/o/round"):
			rw.Header().Set("Location", r.URL.Path)
			rw.WriteHeader(status)
		case strings.HasPrefix(r.URL.Path, "/repos/o/old"):
			rw.Header().Set("Location", strings.Replace(r.URL.Path, "/repos/o/old", "/repositories/7", 1))
			rw.WriteHeader(status)
		default:
			io.WriteString(rw, `{"full_name":"o/new","default_branch":"main"}`)
		}
	})
	ctx := context.Background()
	for _, status = range []int{301, 302, 307, 308} {
		seen, elsewhere = nil, nil
		err := c.Dispatch(ctx, "o/old", gh.Event{ID: "x"})
		if err != nil || len(seen) != 2 || seen[0] != strings.Replace(seen[1], "/repositories/7", "/repos/o/old", 1) ||
			!strings.HasPrefix(seen[1], "POST /repositories/7/dispatches true ") || strings.HasSuffix(seen[1], " 0") {
			t.Errorf("%d: %v by %q", status, err, seen)
		}
		if branch, err := c.DefaultBranch(ctx, "o/old"); branch != "main" || err != nil {
			t.Errorf("%d: a read: %q, %v", status, branch, err)
		}
		err = c.Dispatch(ctx, "o/far", gh.Event{ID: "x"})
		if err == nil || len(elsewhere) != 0 || strings.Contains(err.Error(), "secret") {
			t.Errorf("%d: %v, and another host saw %q", status, err, elsewhere)
		}
		seen = nil
		if err := c.Dispatch(ctx, "o/round", gh.Event{ID: "x"}); err == nil || !strings.Contains(err.Error(), "redirects more than 5 times") || len(seen) != 5 {
			t.Errorf("%d: in a loop, %d times: %v", status, len(seen), err)
		}
		var b strings.Builder
		if err := c.Download(ctx, "o/far", gh.Asset{ID: 1, Name: "a"}, &b); err != nil || b.String() != "text" || !slices.Equal(elsewhere, []string{"GET "}) {
			t.Errorf("%d: a download: %q, %v, and another host saw %q", status, b.String(), err, elsewhere)
		}
	}
	if names, err := c.Renamed(ctx); err == nil || len(names) != 0 {
		t.Errorf("o/round, which has no name, was renamed: %v, %v", names, err)
	}
}

// A renamed repository is found, and its new name is returned.
func TestRenamed(t *testing.T) {
	t.Parallel()
	c := server(t, gh.Options{}, func(rw http.ResponseWriter, r *http.Request) {
		if rest, old := strings.CutPrefix(r.URL.Path, "/repos/o/old"); old {
			http.Redirect(rw, r, "/repositories/7"+rest, http.StatusMovedPermanently)
			return
		}
		io.WriteString(rw, `{"full_name":"o/new"}`)
	})
	ctx := context.Background()
	for _, name := range []string{"o/old", "o/app"} {
		if _, err := c.DefaultBranch(ctx, name); err != nil {
			t.Fatal(err)
		}
	}
	if names, err := c.Renamed(ctx); err != nil || len(names) != 1 || names["o/old"] != "o/new" {
		t.Errorf("saw %v, %v", names, err)
	}
}

// Writes are sent one at a time: ten without a pause, then one a second. Reads do not
// wait.
func TestWritesArePaced(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	now, began := time.Unix(1_800_000_000, 0), time.Unix(1_800_000_000, 0)
	clock := func() time.Time { mu.Lock(); defer mu.Unlock(); return now }
	pass := func(ctx context.Context, d time.Duration) error {
		mu.Lock()
		defer mu.Unlock()
		now = now.Add(d)
		return ctx.Err()
	}
	open, most, written := 0, 0, 0
	c := server(t, gh.Options{Now: clock, Wait: pass}, func(rw http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet {
			return
		}
		mu.Lock()
		open++
		written++
		most = max(most, open)
		mu.Unlock()
		time.Sleep(2 * time.Millisecond)
		mu.Lock()
		open--
		mu.Unlock()
		rw.WriteHeader(http.StatusNoContent)
	})
	var group sync.WaitGroup
	const writes = 40
	for range writes {
		group.Go(func() {
			_, read := c.DefaultBranch(context.Background(), repository)
			if err := errors.Join(read, c.Dispatch(context.Background(), repository, gh.Event{ID: "x"})); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	if took := now.Sub(began); written != writes || most != 1 || took < 29*time.Second || took > 31*time.Second {
		t.Errorf("%d writes, %d at once, in %s", written, most, took)
	}
}

// Cancelling a run ends the waits of pacing and retries.
func TestWaitsEnd(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(context.Background())
	c := server(t, gh.Options{Wait: web.Wait}, func(rw http.ResponseWriter, _ *http.Request) {
		rw.Header().Set("Retry-After", "100")
		rw.WriteHeader(http.StatusTooManyRequests)
		time.AfterFunc(20*time.Millisecond, cancel)
	})
	if _, err := c.DefaultBranch(ctx, repository); !errors.Is(err, context.Canceled) {
		t.Errorf("ended with %v", err)
	}
}

// A list is read to its end, and only from GitHub.
func TestPages(t *testing.T) {
	t.Parallel()
	const drafts = 110
	w, c := start(t, forge.Repository{})
	for range drafts {
		if _, err := c.CreateDraft(context.Background(), repository, "v1.0.0", "main"); err != nil {
			t.Fatal(err)
		}
	}
	if all, err := c.Releases(context.Background(), repository, "v1.0.0"); err != nil || len(all) != drafts {
		t.Errorf("saw %d drafts, %v, want %d", len(all), err, drafts)
	}
	for name, test := range map[string]struct {
		header http.Header
		says   string
	}{
		"another host": {header("Link", `<https://elsewhere.example/x>; rel="next"`), "the next page is on another host, want api.github.com"},
		"a user":       {header("Link", `<https://me:pw@api.github.com/x>; rel="next"`), "the next page is on another host, want"},
		"no address":   {header("Link", `<:>; rel="next"`), "the next page is on another host, want"},
		"without an end": {
			header("Link", `<https://api.github.com/repos/o/app/releases?page=2>; rel="next", <https://api.github.com/x>; rel="last"`),
			"more pages than the limit of 100",
		},
		"a part of it all": {header("X-GitHub-SSO", "partial-results; organizations=1,2"), "the list is incomplete"},
	} {
		t.Run(name, func(t *testing.T) {
			w.Intercept(func(r networktest.Request) networktest.Fault {
				if strings.HasSuffix(r.Path, "/releases") {
					return networktest.Fault{Status: 200, Header: test.header, Body: `[]`}
				}
				return networktest.Fault{}
			})
			if _, err := c.Releases(context.Background(), repository, "v1.0.0"); err == nil ||
				!strings.Contains(err.Error(), test.says) || strings.Contains(err.Error(), "pw") {
				t.Errorf("saw %v, want %q", err, test.says)
			}
		})
	}
}

// addresses records the URLs of requests.
type addresses []string

func (a *addresses) RoundTrip(req *http.Request) (*http.Response, error) {
	*a = append(*a, req.URL.String())
	return &http.Response{StatusCode: 200, Header: http.Header{}, Body: http.NoBody, Request: req}, nil
}

// Every request follows GITHUB_API_URL, including uploads.
func TestAddresses(t *testing.T) {
	t.Parallel()
	for url, want := range map[string][2]string{
		"":                             {"https://api.github.com/", "https://uploads.github.com/"},
		"https://api.github.com/":      {"https://api.github.com/", "https://uploads.github.com/"},
		"https://ghe.example/api/v3":   {"https://ghe.example/api/v3/", "https://ghe.example/api/uploads/"},
		"https://ghe.example/api/v3//": {"https://ghe.example/api/v3/", "https://ghe.example/api/uploads/"},
		"https://api.tenant.ghe.com":   {"https://api.tenant.ghe.com/", "https://uploads.tenant.ghe.com/"},
	} {
		var asked addresses
		c, err := gh.New(gh.Options{APIURL: url, Transport: &asked})
		if err != nil {
			t.Errorf("%q: %v", url, err)
			continue
		}
		_, read := c.DefaultBranch(context.Background(), repository)
		if err := errors.Join(read, c.Upload(context.Background(), repository, 1, "a b", "transport_test.go")); err != nil {
			t.Errorf("%q: %v", url, err)
		}
		if !slices.Equal(asked, []string{want[0] + "repos/o/app", want[1] + "repos/o/app/releases/1/assets?name=a+b"}) {
			t.Errorf("%q: requested %q", url, asked)
		}
	}
	for _, url := range []string{"ftp://ghe.example", "https://me:pw@ghe.example", "https://me:p%w@ghe.example", "https://ghe.example?x=1"} {
		if _, err := gh.New(gh.Options{APIURL: url}); err == nil || strings.Contains(err.Error(), "pw") || strings.Contains(err.Error(), "p%w") {
			t.Errorf("%q: %v", url, err)
		}
	}
}
