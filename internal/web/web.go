// Package web limits how many requests are open at once, and repeats them no
// earlier than a server asks for.
package web

import (
	"context"
	"net/http"
	"strconv"
	"time"
)

// AtOnce is the number of requests that may be open at one time.
const AtOnce = 32

// Transport is an http.RoundTripper that limits open requests. If a server answers
// 429 (Too Many Requests), it waits for the time in Retry-After and tries again.
type Transport struct {
	next http.RoundTripper
	turn chan struct{}
	// Wait waits for d. Tests replace it.
	Wait func(ctx context.Context, d time.Duration) error
}

// New returns a Transport that sends requests through next.
func New(next http.RoundTripper) *Transport {
	return &Transport{next: next, turn: make(chan struct{}, AtOnce), Wait: Wait}
}

// Wait returns after a time, or with an error when the context ends.
func Wait(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

type once struct{}

// Once marks requests that a Transport never repeats, because the caller does.
func Once(ctx context.Context) context.Context { return context.WithValue(ctx, once{}, true) }

const (
	tries   = 4                // for each request
	longest = 30 * time.Second // to wait for a server
)

// RoundTrip sends a request. It does not repeat a request that is marked with Once
// or whose body cannot be sent again.
func (t *Transport) RoundTrip(req *http.Request) (*http.Response, error) {
	for try := 1; ; try++ {
		res, err := t.once(req)
		last := try == tries || req.Context().Value(once{}) != nil
		if err != nil || res.StatusCode != http.StatusTooManyRequests || last {
			return res, err
		}
		again, pause, ok := repeat(req, res)
		if !ok {
			return res, nil
		}
		res.Body.Close()
		if err := t.Wait(req.Context(), pause); err != nil {
			return nil, err
		}
		req = again
	}
}

// once sends the request when fewer than AtOnce are open.
func (t *Transport) once(req *http.Request) (*http.Response, error) {
	select {
	case t.turn <- struct{}{}:
		defer func() { <-t.turn }()
	case <-req.Context().Done():
		return nil, req.Context().Err()
	}
	return t.next.RoundTrip(req)
}

// repeat returns the request to send again and the time to wait before. Retry-After
// is a number of seconds or a date: RFC 9110, section 10.2.3.
func repeat(req *http.Request, res *http.Response) (*http.Request, time.Duration, bool) {
	pause := time.Second
	if after := res.Header.Get("Retry-After"); after != "" {
		if seconds, err := strconv.Atoi(after); err == nil {
			pause = time.Duration(seconds) * time.Second
		} else if date, err := http.ParseTime(after); err == nil {
			sent, err := http.ParseTime(res.Header.Get("Date"))
			if err != nil {
				return nil, 0, false
			}
			pause = date.Sub(sent)
		}
	}
	if pause > longest {
		return nil, 0, false
	}
	again := req.Clone(req.Context())
	if req.Body != nil && req.Body != http.NoBody {
		if req.GetBody == nil {
			return nil, 0, false
		}
		body, err := req.GetBody()
		if err != nil {
			return nil, 0, false
		}
		again.Body = body
	}
	return again, max(0, pause), true
}
