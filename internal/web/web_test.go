package web

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// client returns a client that records its pauses instead of waiting.
func client(pauses *[]time.Duration) *http.Client {
	t := New(http.DefaultTransport)
	t.Wait = func(_ context.Context, d time.Duration) error {
		*pauses = append(*pauses, d)
		return nil
	}
	return &http.Client{Transport: t}
}

func TestObeysRetryAfter(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		header string
		pauses []time.Duration
		status int
	}{
		"seconds":     {"2", []time.Duration{2 * time.Second}, 200},
		"no header":   {"", []time.Duration{time.Second}, 200},
		"a date":      {"Tue, 24 Nov 2026 20:00:07 GMT", []time.Duration{7 * time.Second}, 200},
		"a date past": {"Tue, 24 Nov 2026 19:00:00 GMT", []time.Duration{0}, 200},
		"an hour":     {"3600", nil, 429},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var asked atomic.Int32
			server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
				rw.Header().Set("Date", "Tue, 24 Nov 2026 20:00:00 GMT")
				if asked.Add(1) == 1 {
					rw.Header().Set("Retry-After", test.header)
					rw.WriteHeader(http.StatusTooManyRequests)
				}
			}))
			defer server.Close()
			var pauses []time.Duration
			res, err := client(&pauses).Post(server.URL, "text/plain", strings.NewReader("body"))
			if err != nil {
				t.Fatal(err)
			}
			res.Body.Close()
			if res.StatusCode != test.status || len(pauses) != len(test.pauses) || len(pauses) > 0 && pauses[0] != test.pauses[0] {
				t.Errorf("status %d after pauses %v, want %d after %v", res.StatusCode, pauses, test.status, test.pauses)
			}
		})
	}
}

func TestGivesUp(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) { rw.WriteHeader(http.StatusTooManyRequests) }))
	defer server.Close()
	var pauses []time.Duration
	res, err := client(&pauses).Get(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if res.StatusCode != http.StatusTooManyRequests || len(pauses) != tries-1 {
		t.Errorf("status %d after %d pauses", res.StatusCode, len(pauses))
	}
}

// A request that is marked with Once is not repeated.
func TestOnce(t *testing.T) {
	t.Parallel()
	var asked atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
		asked.Add(1)
		rw.WriteHeader(http.StatusTooManyRequests)
	}))
	defer server.Close()
	req, err := http.NewRequestWithContext(Once(context.Background()), http.MethodGet, server.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	var pauses []time.Duration
	res, err := client(&pauses).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if res.StatusCode != http.StatusTooManyRequests || asked.Load() != 1 || len(pauses) != 0 {
		t.Errorf("status %d after %d requests and %d pauses", res.StatusCode, asked.Load(), len(pauses))
	}
}

func TestNotTooManyAtOnce(t *testing.T) {
	t.Parallel()
	var open, most atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		now := open.Add(1)
		for {
			seen := most.Load()
			if now <= seen || most.CompareAndSwap(seen, now) {
				break
			}
		}
		time.Sleep(5 * time.Millisecond)
		open.Add(-1)
	}))
	defer server.Close()
	var pauses []time.Duration
	c := client(&pauses)
	var group sync.WaitGroup
	for range 4 * AtOnce {
		group.Go(func() {
			if res, err := c.Get(server.URL); err == nil {
				res.Body.Close()
			} else {
				t.Error(err)
			}
		})
	}
	group.Wait()
	if most.Load() > AtOnce || most.Load() < 2 {
		t.Errorf("%d requests at once, want at most %d", most.Load(), AtOnce)
	}
}
