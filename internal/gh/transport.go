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

// The bounds of one request.
const (
	maxTries   = 5               // of one request, whatever went wrong
	maxAnswer  = 64 << 20        // bytes of an answer that is no download
	slowUpload = 64 << 10        // bytes a second, below which an upload is given up
	longest    = 5 * time.Minute // that one request waits in all, unless Options say otherwise
	slow       = time.Minute     // for a whole answer, unless Options say otherwise
)

// The pace of writes: some at once, then one a second. GitHub asks for a second
// between writes, and refuses above 80 that make content in a minute.
// https://docs.github.com/en/rest/using-the-rest-api/best-practices-for-using-the-rest-api
const burst = 10

// transport carries requests to one GitHub. It repeats what is safe to repeat,
// sends writes one at a time, reads answers to their end, and shows the token to
// no other host. What it gives up on is an error that says how far it came:
// Uncertain, Limited, or a read that failed.
type transport struct {
	next    http.RoundTripper
	token   string
	origins []string      // "https://api.github.com": who may see the token
	turn    chan struct{} // of the one write
	pace    *rate.Limiter
	moved   moved

	now           func() time.Time // nil: no pace
	wait          func(ctx context.Context, d time.Duration) error
	random        func() float64 // from 0 to 1
	longest, slow time.Duration
}

func newTransport(o Options) *transport {
	t := &transport{next: o.Transport, turn: make(chan struct{}, 1), pace: rate.NewLimiter(1, burst),
		now: o.Now, wait: o.Wait, random: o.Random, longest: cmp.Or(o.Longest, longest), slow: cmp.Or(o.Slow, slow)}
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

// RoundTrip carries one request, with all that is repeated of it.
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
		res.Header = t.handed(res.Header)
	}
	return res, err
}

// handed is the header without what those above must not see. The limits are
// obeyed here: go-github would refuse requests by what it reads of them, and by
// the machine's clock. And net/http prints a Location that it cannot read.
func (t *transport) handed(header http.Header) http.Header {
	handed := header.Clone()
	handed.Del(headerRemaining)
	handed.Del(headerReset)
	for _, values := range handed {
		for i := range values {
			values[i] = t.hide(values[i])
		}
	}
	if _, err := url.Parse(handed.Get("Location")); err != nil {
		handed.Del("Location")
	}
	return handed
}

// signed is the request with the token, if its host may see it; and with word
// to those below that it is repeated here.
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

// enter waits until no other write is under way and the pace allows one more.
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

// persist sends a request until it is answered, as often and as long as that is
// safe and within bounds.
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

// pause is for how long to wait before the request is sent again; 0 means never.
// Where GitHub limits requests, limit says so.
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

// verdict is what comes of a request that is not repeated any more. A write
// whose answer was lost, or says that the server failed, may have been done.
func (t *transport) verdict(req *http.Request, res *http.Response, err error) (*http.Response, error) {
	if !isWrite(req.Method) || !failed(res, err) || !wasSent(err) {
		return res, err
	}
	if err == nil {
		err = fmt.Errorf("GitHub answered %d: %s", res.StatusCode, messageOf(res))
	}
	return nil, &Uncertain{Method: req.Method, Path: req.URL.Path, Err: err}
}

// failed tells whether there is no answer, or one that a later try may not get.
// 501 is an answer: there is no such thing to ask for.
func failed(res *http.Response, err error) bool {
	return err != nil || res.StatusCode >= http.StatusInternalServerError && res.StatusCode != http.StatusNotImplemented
}

// isHopeless tells of what no later try will change.
func isHopeless(err error) bool {
	_, untrusted := errors.AsType[*tls.CertificateVerificationError](err)
	return untrusted
}

// rewound is the request with its body from the beginning.
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

// broken is a try without a whole answer.
type broken struct {
	error
	sent bool // GitHub may have seen the request
}

func (b *broken) Unwrap() error { return b.error }

func wasSent(err error) bool {
	b, ok := errors.AsType[*broken](err)
	return !ok || b.sent
}

var errSlow = errors.New("no whole answer came in time")

// once sends the request one time and reads the answer to its end, unless it is
// a download.
func (t *transport) once(req *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithCancelCause(req.Context())
	allowed := t.slow + time.Duration(max(0, req.ContentLength)/slowUpload)*time.Second
	clock := time.AfterFunc(allowed, func() { cancel(fmt.Errorf("%w (%s)", errSlow, allowed)) })
	stop := func() { clock.Stop(); cancel(nil) }
	var asked, reached atomic.Bool
	// net/http takes another connection for a write only where the first one took
	// nothing of it: https://pkg.go.dev/net/http#Transport
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
		// A request is sent once there is a connection; who tells of none at all
		// may have sent it.
		return nil, &broken{t.hidden(err), !asked.Load() || reached.Load()}
	}
	return res, nil
}

// slowness is why an answer ended early, if it was for being slow.
func slowness(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); err != nil && errors.Is(cause, errSlow) {
		return cause
	}
	return err
}

// isDownload tells whether an answer is a file, which can be large.
func isDownload(req *http.Request, res *http.Response) bool {
	return req.Header.Get("Accept") == octets && res.StatusCode == http.StatusOK
}

const octets = "application/octet-stream"

// readWhole puts the whole body in place of the stream. A refusal is one even
// where its text breaks off.
func (t *transport) readWhole(req *http.Request, res *http.Response) error {
	data, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer+1))
	res.Body.Close()
	refused := res.StatusCode >= 400 && res.StatusCode < 500
	switch {
	case err != nil && !refused:
		return fmt.Errorf("the answer broke off after %d bytes: %w", len(data), err)
	case len(data) > maxAnswer:
		return fmt.Errorf("the answer is larger than %d bytes", maxAnswer)
	case isCut(req, res, data):
		return fmt.Errorf("the answer broke off after %d bytes: they are not whole JSON", len(data))
	}
	if res.StatusCode >= 300 {
		data = []byte(t.hide(string(data)))
	}
	res.Body, res.ContentLength = whole{bytes.NewReader(data)}, int64(len(data))
	return nil
}

// whole is a body that was read.
type whole struct{ *bytes.Reader }

func (whole) Close() error { return nil }

// isCut tells of JSON that ends early where the connection does not show it, as
// with proxies that end an answer by closing.
func isCut(req *http.Request, res *http.Response, data []byte) bool {
	if req.Method == http.MethodHead || res.StatusCode >= 300 || res.StatusCode == http.StatusNoContent {
		return false
	}
	return strings.HasPrefix(res.Header.Get("Content-Type"), "application/json") && !json.Valid(data)
}

// download is the body of a file: each part of it must come in time.
type download struct {
	io.ReadCloser
	ctx   context.Context // of the request that it answers
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

// hide takes the token out of a text: a server, or what stands before it, may
// say again what it was sent.
func (t *transport) hide(text string) string {
	if t.token == "" {
		return text
	}
	return strings.ReplaceAll(text, t.token, "***")
}

// hidden is an error without the token in its text.
func (t *transport) hidden(err error) error {
	if text := err.Error(); t.hide(text) != text {
		return errors.New(t.hide(text))
	}
	return err
}

// Limited says that GitHub takes no more requests for a time that is longer than
// was to be waited. Nothing was done.
type Limited struct {
	Primary bool      // the hourly budget is used up; otherwise requests came too fast
	Until   time.Time // when to ask again; zero if GitHub's answer had no date
	Said    string    // by GitHub

	pause time.Duration
}

func (l *Limited) Error() string {
	what, when := "its secondary limit (too many requests at a time)", "in "+l.pause.Round(time.Second).String()
	if l.Primary {
		what = "its primary limit (requests an hour)"
	}
	if !l.Until.IsZero() {
		when = "after " + l.Until.UTC().Format("2006-01-02 15:04:05 UTC")
	}
	return fmt.Sprintf("GitHub refuses by %s; run again %s: %s", what, when, l.Said)
}

// limitOf reads of an answer that GitHub limits requests, and how long to wait:
// Retry-After, else until the budget is new, else a minute and longer each time.
// https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api#exceeding-the-rate-limit
func (t *transport) limitOf(res *http.Response, try int) *Limited {
	if res == nil || res.StatusCode != http.StatusForbidden && res.StatusCode != http.StatusTooManyRequests {
		return nil
	}
	spent := res.Header.Get(headerRemaining) == "0"
	after, asked := t.retryAfter(res)
	said := messageOf(res)
	if res.StatusCode == http.StatusForbidden && !spent && !asked && !namesLimit(said) {
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
	limit := &Limited{Primary: spent && !asked, Said: said, pause: pause + time.Duration(t.random()*float64(pause)/10)}
	if date, ok := t.date(res); ok {
		limit.Until = date.Add(pause)
	}
	return limit
}

const (
	headerRemaining = "X-RateLimit-Remaining"
	headerReset     = "X-RateLimit-Reset"
)

// namesLimit tells of a 403 without any header of a limit whether it is one:
// there GitHub says so in words only.
func namesLimit(said string) bool {
	said = strings.ToLower(said)
	return strings.Contains(said, "rate limit") || strings.Contains(said, "abuse detection")
}

// retryAfter is a number of seconds or a date: RFC 9110, section 10.2.3.
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

// maxSeconds keeps what a server says within what a duration holds.
const maxSeconds = 366 * 24 * 3600

// reset is how long it takes until the hourly budget is new.
func (t *transport) reset(res *http.Response) (time.Duration, bool) {
	at, err := strconv.ParseInt(res.Header.Get(headerReset), 10, 64)
	if err != nil {
		return 0, false
	}
	return t.from(res, time.Unix(at+1, 0)) // the second itself may be the old budget's
}

// from is the time between the answer and a later moment.
func (t *transport) from(res *http.Response, later time.Time) (time.Duration, bool) {
	date, ok := t.date(res)
	return later.Sub(date), ok
}

// date is when the server answered, by its own clock if it says.
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

// messageOf is what GitHub says in an answer that was read whole; it leaves the
// body to be read again.
func messageOf(res *http.Response) string {
	body, ok := res.Body.(whole)
	if !ok {
		return ""
	}
	data, _ := io.ReadAll(body) // from memory, as is Seek
	body.Seek(0, io.SeekStart)
	var said struct{ Message string }
	if json.Unmarshal(data, &said) != nil {
		return ""
	}
	return said.Message
}
