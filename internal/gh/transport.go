package gh

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"

	"github.com/kubestellar/actions/internal/web"
)

// Limits of one request.
const (
	maxTries   = 5               // attempts
	maxAnswer  = 64 << 20        // bytes of a response that is not a download
	slowUpload = 64 << 10        // minimum bytes per second of an upload
	longest    = 5 * time.Minute // default of Options.Longest
	slow       = time.Minute     // default of Options.Slow
)

// burst is the number of writes without a pause; then the pace is one a second. GitHub
// recommends a second between writes, and refuses more than 80 requests a minute that
// create content.
// https://docs.github.com/en/rest/using-the-rest-api/best-practices-for-using-the-rest-api
const burst = 10

// transport sends requests to one GitHub server. It retries requests if that is safe,
// sends writes one at a time, reads responses completely, and sends the token to no
// other host. Its errors show whether a request was sent: Uncertain, Limited, or the
// error of a read.
type transport struct {
	next    http.RoundTripper
	token   string
	origins []string      // origins that get the token, such as "https://api.github.com"
	turn    chan struct{} // held by the current write
	pace    *rate.Limiter
	moved   moved

	now           func() time.Time // nil disables pacing
	wait          func(ctx context.Context, d time.Duration) error
	random        func() float64 // from 0 to 1
	longest, slow time.Duration
}

func newTransport(o Options) *transport {
	t := &transport{
		next: o.Transport, turn: make(chan struct{}, 1), pace: rate.NewLimiter(1, burst),
		now: o.Now, wait: o.Wait, random: o.Random,
		longest: cmp.Or(o.Longest, longest), slow: cmp.Or(o.Slow, slow),
	}
	if t.next == nil {
		t.next = http.DefaultTransport
	}
	if t.wait == nil {
		t.wait = web.Wait
	}
	if t.random == nil {
		t.random = rand.Float64
	}
	return t
}

func isWrite(method string) bool { return method != http.MethodGet && method != http.MethodHead }

// RoundTrip sends one request, with retries and redirects.
func (t *transport) RoundTrip(req *http.Request) (*http.Response, error) {
	req = t.signed(req)
	if isWrite(req.Method) {
		if err := t.enter(req.Context()); err != nil {
			closeBody(req)
			return nil, err
		}
		defer func() { <-t.turn }()
	}
	res, err := t.follow(req)
	if err == nil {
		res.Header = t.filtered(res.Header)
	}
	return res, err
}

// filtered returns a response's header without fields that must not reach the layers
// above. This transport handles rate limits itself, while go-github would refuse
// requests based on these fields and the machine's clock. An invalid Location would be
// printed by net/http, with the token if it contains it.
func (t *transport) filtered(header http.Header) http.Header {
	filtered := header.Clone()
	filtered.Del(headerRemaining)
	filtered.Del(headerReset)
	for _, values := range filtered {
		for i := range values {
			values[i] = t.hide(values[i])
		}
	}
	if _, err := url.Parse(filtered.Get("Location")); err != nil {
		filtered.Del("Location")
	}
	return filtered
}

// signed adds the token if the host may see it, and tells lower transports not to retry.
func (t *transport) signed(req *http.Request) *http.Request {
	req = req.Clone(web.Once(req.Context()))
	req.Header.Del("Authorization")
	for _, origin := range t.origins {
		if t.token != "" && origin == originOf(req.URL) {
			req.Header.Set("Authorization", "Bearer "+t.token)
		}
	}
	return req
}

// enter waits until no other write is running and the pace allows another.
func (t *transport) enter(ctx context.Context) error {
	select {
	case t.turn <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	if t.now == nil {
		return nil
	}
	now := t.now()
	pause := t.pace.ReserveN(now, 1).DelayFrom(now)
	if pause <= 0 {
		return nil
	}
	err := t.wait(ctx, pause)
	if err != nil {
		<-t.turn
	}
	return err
}

func closeBody(req *http.Request) {
	if req.Body != nil {
		req.Body.Close()
	}
}

// persist sends a request, and retries it within the limits if that is safe.
func (t *transport) persist(req *http.Request) (*http.Response, error) {
	var waited time.Duration
	for try := 1; ; try++ {
		res, err := t.once(req)
		if cause := context.Cause(req.Context()); err != nil && cause != nil {
			return nil, cause
		}
		pause, limit := t.pause(req, res, err, try)
		switch {
		case limit == nil && pause == 0:
			return t.verdict(req, res, err)
		case limit != nil && (try == maxTries || waited+pause > t.longest):
			return nil, limit
		case try == maxTries || waited+pause > t.longest:
			return t.verdict(req, res, err)
		}
		if req, err = rewound(req, err); err != nil {
			return nil, err
		}
		if err := t.wait(req.Context(), pause); err != nil {
			return nil, err
		}
		waited += pause
	}
}

// pause returns how long to wait before a retry, or 0 for no retry. If GitHub limits
// requests, it also returns the limit.
func (t *transport) pause(req *http.Request, res *http.Response, err error, try int) (time.Duration, *Limited) {
	if limit := t.limitOf(res, try); limit != nil {
		return limit.pause, limit
	}
	if !failed(res, err) || isHopeless(err) || isWrite(req.Method) && wasSent(err) {
		return 0, nil
	}
	pause := time.Second << (try - 1)
	if after, ok := t.retryAfter(res); ok {
		return max(after, time.Second), nil
	}
	return pause/2 + time.Duration(t.random()*float64(pause/2)), nil
}

// verdict returns the result of the last attempt. A write may have been done if the
// response was lost or the server failed.
func (t *transport) verdict(req *http.Request, res *http.Response, err error) (*http.Response, error) {
	if !isWrite(req.Method) || !failed(res, err) || !wasSent(err) {
		return res, err
	}
	if err == nil {
		err = fmt.Errorf("GitHub answered %d: %s", res.StatusCode, messageOf(res))
	}
	return nil, &Uncertain{Method: req.Method, Path: req.URL.Path, Err: err}
}

// failed reports whether there is no response, or one that a retry may change. Status
// 501 is permanent.
func failed(res *http.Response, err error) bool {
	if err != nil {
		return true
	}
	return res.StatusCode >= http.StatusInternalServerError && res.StatusCode != http.StatusNotImplemented
}

// isHopeless reports whether a retry would fail with the same error.
func isHopeless(err error) bool {
	_, untrusted := errors.AsType[*tls.CertificateVerificationError](err)
	return untrusted
}

// rewound returns a copy of the request with its body from the beginning.
func rewound(req *http.Request, why error) (*http.Request, error) {
	again := req.Clone(req.Context())
	if req.Body == nil || req.Body == http.NoBody {
		return again, nil
	}
	if req.GetBody == nil {
		return nil, errors.Join(fmt.Errorf("%s %s: the body cannot be sent again", req.Method, req.URL.Path), why)
	}
	body, err := req.GetBody()
	again.Body = body
	return again, err
}

// broken is the error of an attempt without a complete response.
type broken struct {
	error
	sent bool // GitHub may have received the request
}

func (b *broken) Unwrap() error { return b.error }

func wasSent(err error) bool {
	b, ok := errors.AsType[*broken](err)
	return !ok || b.sent
}

var errSlow = errors.New("no complete response in time")

// once sends the request and reads the complete response, unless it is a download.
func (t *transport) once(req *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithCancelCause(req.Context())
	allowed := t.slow + time.Duration(max(0, req.ContentLength)/slowUpload)*time.Second
	clock := time.AfterFunc(allowed, func() { cancel(fmt.Errorf("%w (%s)", errSlow, allowed)) })
	stop := func() { clock.Stop(); cancel(nil) }
	var asked, reached atomic.Bool
	// net/http uses another connection for a write only if nothing was written to the
	// first one: https://pkg.go.dev/net/http#Transport
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GetConn: func(string) { asked.Store(true); reached.Store(false) },
		GotConn: func(httptrace.GotConnInfo) { reached.Store(true) },
	})
	res, err := t.next.RoundTrip(req.WithContext(ctx))
	if err == nil && isDownload(req, res) {
		res.Body = &download{res.Body, ctx, clock, t.slow, stop}
		return res, nil
	}
	if err == nil {
		err = t.readWhole(req, res)
	}
	err = slowness(ctx, err)
	stop()
	if err != nil {
		// A request may have been sent once there is a connection. A transport that
		// does not call these hooks may have sent it, too.
		return nil, &broken{t.hidden(err), !asked.Load() || reached.Load()}
	}
	return res, nil
}

// slowness returns errSlow instead of err if the response was too slow.
func slowness(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); err != nil && errors.Is(cause, errSlow) {
		return cause
	}
	return err
}

// isDownload reports whether a response is a file, which can be large.
func isDownload(req *http.Request, res *http.Response) bool {
	return req.Header.Get("Accept") == octets && res.StatusCode == http.StatusOK
}

const octets = "application/octet-stream"

// readWhole replaces the body by its complete content. An error status is valid even if
// its text is cut off.
func (t *transport) readWhole(req *http.Request, res *http.Response) error {
	data, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer+1))
	res.Body.Close()
	refused := res.StatusCode >= 400 && res.StatusCode < 500
	switch {
	case err != nil && !refused:
		return fmt.Errorf("the response was cut off after %d bytes: %w", len(data), err)
	case len(data) > maxAnswer:
		return fmt.Errorf("the response is larger than %d bytes", maxAnswer)
	case isCut(req, res, data):
		return fmt.Errorf("the response was cut off after %d bytes: want complete JSON", len(data))
	}
	if res.StatusCode >= 300 {
		data = []byte(t.hide(string(data)))
	}
	res.Body, res.ContentLength = whole{bytes.NewReader(data)}, int64(len(data))
	return nil
}

// whole is a body in memory.
type whole struct{ *bytes.Reader }

func (whole) Close() error { return nil }

// isCut reports whether JSON is incomplete. The connection does not show that if a proxy
// ends a response by closing it.
func isCut(req *http.Request, res *http.Response, data []byte) bool {
	if req.Method == http.MethodHead || res.StatusCode >= 300 || res.StatusCode == http.StatusNoContent {
		return false
	}
	return strings.HasPrefix(res.Header.Get("Content-Type"), "application/json") && !json.Valid(data)
}

// download is the body of a file. Each read must finish in time.
type download struct {
	io.ReadCloser
	ctx   context.Context // the request's
	clock *time.Timer
	slow  time.Duration
	stop  func()
}

func (d *download) Read(b []byte) (int, error) {
	d.clock.Reset(d.slow)
	n, err := d.ReadCloser.Read(b)
	return n, slowness(d.ctx, err)
}

func (d *download) Close() error {
	defer d.stop()
	return d.ReadCloser.Close()
}

// hide removes the token from a text, because a server or proxy may echo a request.
func (t *transport) hide(text string) string {
	if t.token == "" {
		return text
	}
	return strings.ReplaceAll(text, t.token, "***")
}

// hidden returns an error without the token in its text.
func (t *transport) hidden(err error) error {
	if text := err.Error(); t.hide(text) != text {
		return errors.New(t.hide(text))
	}
	return err
}

// Limited is the error of a rate limit that lasts longer than Options.Longest. The
// request had no effect.
type Limited struct {
	Primary bool      // the hourly limit, not the secondary one
	Until   time.Time // when the limit ends; zero if the response had no date
	Message string    // GitHub's

	pause time.Duration
}

func (l *Limited) Error() string {
	limit, when := "secondary rate limit (too many requests at a time)", "in "+l.pause.Round(time.Second).String()
	if l.Primary {
		limit = "primary rate limit (requests per hour)"
	}
	if !l.Until.IsZero() {
		when = "after " + l.Until.UTC().Format("2006-01-02 15:04:05 UTC")
	}
	return fmt.Sprintf("GitHub's %s is exceeded; run again %s: %s", limit, when, l.Message)
}

// limitOf returns the rate limit in a response, or nil. The pause is Retry-After, else
// the time until the limit's reset, else a minute that doubles with each attempt.
// https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api#exceeding-the-rate-limit
func (t *transport) limitOf(res *http.Response, try int) *Limited {
	if res == nil || res.StatusCode != http.StatusForbidden && res.StatusCode != http.StatusTooManyRequests {
		return nil
	}
	spent := res.Header.Get(headerRemaining) == "0"
	after, asked := t.retryAfter(res)
	message := messageOf(res)
	if res.StatusCode == http.StatusForbidden && !spent && !asked && !namesLimit(message) {
		return nil
	}
	pause := time.Minute << (try - 1)
	switch reset, ok := t.reset(res); {
	case asked:
		pause = after
	case spent && ok:
		pause = reset
	}
	pause = max(pause, time.Second)
	jitter := time.Duration(t.random() * float64(pause) / 10)
	limit := &Limited{Primary: spent && !asked, Message: message, pause: pause + jitter}
	if date, ok := t.date(res); ok {
		limit.Until = date.Add(pause)
	}
	return limit
}

const (
	headerRemaining = "X-RateLimit-Remaining"
	headerReset     = "X-RateLimit-Reset"
)

// namesLimit reports whether the message of a 403 mentions a rate limit. GitHub does not
// always set a header.
func namesLimit(message string) bool {
	message = strings.ToLower(message)
	return strings.Contains(message, "rate limit") || strings.Contains(message, "abuse detection")
}

// retryAfter returns the time in Retry-After, which is a number of seconds or a date
// (RFC 9110, section 10.2.3).
func (t *transport) retryAfter(res *http.Response) (time.Duration, bool) {
	if res == nil {
		return 0, false
	}
	text := res.Header.Get("Retry-After")
	if seconds, err := strconv.Atoi(text); err == nil && seconds >= 0 {
		return min(time.Duration(seconds), maxSeconds) * time.Second, true
	}
	date, err := http.ParseTime(text)
	if err != nil {
		return 0, false
	}
	return t.from(res, date)
}

// maxSeconds prevents an overflow of time.Duration.
const maxSeconds = 366 * 24 * 3600

// reset returns the time until the hourly limit's reset.
func (t *transport) reset(res *http.Response) (time.Duration, bool) {
	at, err := strconv.ParseInt(res.Header.Get(headerReset), 10, 64)
	if err != nil {
		return 0, false
	}
	return t.from(res, time.Unix(at+1, 0)) // the old limit may apply until the second ends
}

// from returns the time from the response's date to a later one.
func (t *transport) from(res *http.Response, later time.Time) (time.Duration, bool) {
	date, ok := t.date(res)
	return later.Sub(date), ok
}

// date returns the time of a response, by the server's clock if it has a Date.
func (t *transport) date(res *http.Response) (time.Time, bool) {
	date, err := http.ParseTime(res.Header.Get("Date"))
	if err == nil {
		return date, true
	}
	if t.now == nil {
		return time.Time{}, false
	}
	return t.now(), true
}

// messageOf returns GitHub's message in a response whose body is in memory. The body can
// be read again.
func messageOf(res *http.Response) string {
	body, ok := res.Body.(whole)
	if !ok {
		return ""
	}
	data, _ := io.ReadAll(body) // from memory, as is Seek
	body.Seek(0, io.SeekStart)
	var answer struct{ Message string }
	if json.Unmarshal(data, &answer) != nil {
		return ""
	}
	return answer.Message
}
