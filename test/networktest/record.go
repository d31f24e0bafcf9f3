package networktest

import (
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/kubestellar/actions/internal/rehearsal/network"
)

// Request is a request to a host of the network.
type Request struct {
	// N is the number of the request, from 1, over all hosts.
	N int
	// Host, Method, Path and Query are as sent. The path is unescaped, the query is not.
	Host, Method, Path, Query string
	// Agent is the User-Agent as sent. It identifies clients that share a network: git takes it from
	// GIT_HTTP_USER_AGENT.
	Agent string
	// Effect is true if the request may change data.
	Effect bool
	// Status is the status of the host's answer, even if a fault cut it off. It is 0 until the
	// request is handled, and stays 0 if it never is.
	Status int
}

// record holds the requests so far, and the function that decides their faults.
type record struct {
	mu        sync.Mutex
	requests  []Request
	interfere func(Request) Fault
}

func (c *record) add(r Request) (Request, func(Request) Fault) {
	c.mu.Lock()
	defer c.mu.Unlock()
	r.N = len(c.requests) + 1
	c.requests = append(c.requests, r)
	return r, c.interfere
}

func (c *record) finish(n, status int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.requests[n-1].Status = status
}

func (c *record) all() []Request {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.requests)
}

func (c *record) intercept(f func(Request) Fault) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.interfere = f
}

// wrap returns a handler that records each request to host, applies its fault, and passes it on. The
// function that decides the fault runs without a lock, so it may use the network itself.
func (c *record) wrap(n *network.Network, host string, next http.Handler) http.Handler {
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		seen, interfere := c.add(describe(host, r))
		var fault Fault
		if interfere != nil {
			fault = interfere(seen)
		}
		if fault.Done != nil {
			defer fault.Done()
		}
		wait(n, fault.Delay)
		if fault.CutBefore || n.IsDown(host) {
			network.Reset(r)
		}
		fault.apply(n, &watch{ResponseWriter: rw, tell: func(status int) { c.finish(seen.N, status) }}, r, next)
	})
}

// wait returns after d, or when the network is closed.
func wait(n *network.Network, d time.Duration) {
	if d <= 0 {
		return
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-n.Closed():
	}
}

func describe(host string, r *http.Request) Request {
	return Request{
		Host: host, Method: r.Method, Path: r.URL.Path, Query: r.URL.RawQuery, Agent: r.UserAgent(),
		Effect: hasEffect(r),
	}
}

// hasEffect reports whether a request may change data. Some POST requests only read.
func hasEffect(r *http.Request) bool {
	switch r.Method {
	case http.MethodGet, http.MethodHead, http.MethodOptions:
		return false
	}
	for _, asks := range []string{"/git-upload-pack", "/releases/generate-notes", "/token", "/v2/auth"} {
		if strings.HasSuffix(r.URL.Path, asks) {
			return false
		}
	}
	return true
}

// watch reports the status of an answer before the client can see it.
type watch struct {
	http.ResponseWriter
	tell func(status int)
	told bool
}

func (w *watch) WriteHeader(status int) {
	if !w.told && status >= 200 {
		w.told = true
		w.tell(status)
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *watch) Write(b []byte) (int, error) {
	w.settle()
	return w.ResponseWriter.Write(b)
}

// settle reports status 200 for an answer that has set none.
func (w *watch) settle() {
	if !w.told {
		w.told = true
		w.tell(http.StatusOK)
	}
}

func (w *watch) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// void discards an answer.
type void http.Header

func (v void) Header() http.Header         { return http.Header(v) }
func (v void) Write(b []byte) (int, error) { return len(b), nil }
func (v void) WriteHeader(int)             {}
