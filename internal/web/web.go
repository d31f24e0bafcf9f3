// Package web carries requests politely: not too many at once, and not again
// before a server wants to be asked again.
package web

import (
	"context"
	"net/http"
	"strconv"
	"time"
)

// AtOnce is how many requests are open at one time.
const AtOnce = 32

// Transport is an http.RoundTripper that waits for its turn, and where a server
// answers 429 (too many requests), for as long as it asks in Retry-After.
type Transport struct {
	next http.RoundTripper
	turn chan struct{}
	// Wait waits for d; tests put another in its place.
	Wait func(ctx context.Context, d time.Duration) error
}

// New makes a Transport.
func New(next http.RoundTripper) *Transport {
	return &Transport{next: next, turn: make(chan struct{}, AtOnce), Wait: Wait}
}

// Wait passes a time, unless the context ends before.
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

// Once marks requests that are carried one time whatever is answered: who sends
// them knows better when to send them again.
func Once(ctx context.Context) context.Context { return context.WithValue(ctx, once{}, true) }

const (
	tries   = 4                // of one request
	longest = 30 * time.Second // that is waited for a server
)

// RoundTrip carries one request. A request that is marked with Once, or has a
// body that cannot be sent again, is not repeated.
func (t *Transport) RoundTrip(req *http.Request) (*http.Response, error) {
	for try := 1; ; try++ {
		res, err := t.once(req)
		if err != nil || res.StatusCode != http.StatusTooManyRequests || try == tries || req.Context().Value(once{}) != nil {
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

// once waits for its turn and sends the request.
func (t *Transport) once(req *http.Request) (*http.Response, error) {
	select {
	case t.turn <- struct{}{}:
		defer func() { <-t.turn }()
	case <-req.Context().Done():
		return nil, req.Context().Err()
	}
	return t.next.RoundTrip(req)
}

// repeat is the request to send again, and after what time. Retry-After is a
// number of seconds or a date: RFC 9110, section 10.2.3.
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
