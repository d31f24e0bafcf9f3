package networktest

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"strconv"
	"time"

	"github.com/kubestellar/actions/internal/rehearsal/network"
)

// Fault is a failure of a request. The zero value is none. After Delay, the first of CutBefore,
// Status, CutAfter, Truncated and Trickle that is set takes effect. Status and Trickle can be
// combined.
type Fault struct {
	// CutBefore resets the connection without handling the request.
	CutBefore bool
	// CutAfter handles the request, and resets the connection instead of answering.
	CutAfter bool
	// Truncated handles the request, and ends the connection after half of the answer's body. The
	// header has the whole length. An answer without a body is not sent.
	Truncated bool
	// Trickle handles the request, and is the pause before each trickleSize bytes of the answer.
	Trickle time.Duration
	// Status answers with this status, Header and Body, without handling the request.
	Status int
	Header http.Header
	Body   string
	// Delay is the time before anything else happens, even if the client disconnects.
	Delay time.Duration
	// Done, if not nil, is called after the request was handled or cut, perhaps after the client
	// has the answer.
	Done func()
}

const trickleSize = 16 // bytes

// TooManyRequests returns GitHub's refusal with status 429 and the time to wait.
func TooManyRequests(wait time.Duration) Fault {
	f := limited(http.StatusTooManyRequests, secondaryWords, secondaryDocs)
	f.Header.Set("Retry-After", seconds(wait))
	return f
}

// SecondaryLimit returns GitHub's refusal of a client that sends too many requests in a short time.
// It contains the time to wait unless that is 0, because GitHub does not always send one.
func SecondaryLimit(wait time.Duration) Fault {
	f := limited(http.StatusForbidden, secondaryWords, secondaryDocs)
	if wait > 0 {
		f.Header.Set("Retry-After", seconds(wait))
	}
	return f
}

// PrimaryLimit returns GitHub's refusal of a client that has used all requests of an hour. The next
// hour begins at reset.
func PrimaryLimit(reset time.Time) Fault {
	f := limited(http.StatusForbidden, "API rate limit exceeded for installation ID 1.", "https://docs.github.com/rest/overview/rate-limits-for-the-rest-api")
	f.Header.Set("X-RateLimit-Remaining", "0")
	f.Header.Set("X-RateLimit-Used", strconv.Itoa(rateLimit))
	f.Header.Set("X-RateLimit-Reset", strconv.FormatInt(reset.Unix(), 10))
	return f
}

// rateLimit is GitHub's number of requests an hour.
const rateLimit = 5000

const (
	secondaryWords = "You have exceeded a secondary rate limit. Please wait a few minutes before you try again."
	secondaryDocs  = "https://docs.github.com/free-pro-team@latest/rest/overview/rate-limits-for-the-rest-api#about-secondary-rate-limits"
)

func limited(status int, message, docs string) Fault {
	body, err := json.Marshal(map[string]string{"message": message, "documentation_url": docs})
	if err != nil {
		panic(err) // two texts are always JSON
	}
	header := http.Header{}
	for key, value := range map[string]string{
		"Content-Type": "application/json; charset=utf-8", "X-RateLimit-Limit": strconv.Itoa(rateLimit),
		"X-RateLimit-Remaining": strconv.Itoa(rateLimit - 1), "X-RateLimit-Used": "1", "X-RateLimit-Resource": "core",
	} {
		header.Set(key, value)
	}
	return Fault{Status: status, Header: header, Body: string(body)}
}

// seconds rounds up, because Retry-After has no fractions.
func seconds(d time.Duration) string { return fmt.Sprint(int64((d + time.Second - 1) / time.Second)) }

// apply answers the request, itself or by next.
func (f Fault) apply(n *network.Network, rw *watch, r *http.Request, next http.Handler) {
	if f.Trickle > 0 {
		rw.ResponseWriter = trickle{rw.ResponseWriter, n, f.Trickle}
	}
	switch {
	case f.Status != 0:
		f.answer(rw, r)
	case f.CutAfter:
		rw.ResponseWriter = void{}
		next.ServeHTTP(rw, r)
		rw.settle()
		network.Reset(r)
	case f.Truncated:
		rw.truncate(r, next)
	default:
		next.ServeHTTP(rw, r)
		rw.settle()
	}
}

// answer first reads the whole body. Otherwise a client that still writes would see a reset.
func (f Fault) answer(rw http.ResponseWriter, r *http.Request) {
	if _, err := io.Copy(io.Discard, r.Body); err != nil {
		network.Reset(r)
	}
	for key, values := range f.Header {
		rw.Header()[http.CanonicalHeaderKey(key)] = values
	}
	rw.WriteHeader(f.Status)
	io.WriteString(rw, f.Body) // an error means that the client has gone
}

// trickle sends an answer in pieces.
type trickle struct {
	http.ResponseWriter
	network *network.Network
	pause   time.Duration
}

func (s trickle) Write(b []byte) (int, error) {
	sent := 0
	for len(b) > sent {
		wait(s.network, s.pause)
		n, err := s.ResponseWriter.Write(b[sent:min(sent+trickleSize, len(b))])
		sent += n
		if err == nil {
			err = http.NewResponseController(s.ResponseWriter).Flush()
		}
		if err != nil {
			return sent, err
		}
	}
	return sent, nil
}

func (s trickle) Unwrap() http.ResponseWriter { return s.ResponseWriter }

// kept is an answer that is not sent.
type kept struct {
	header http.Header
	status int
	body   []byte
}

func (k *kept) Header() http.Header { return k.header }

func (k *kept) WriteHeader(status int) {
	if k.status == 0 {
		k.status = status
	}
}

func (k *kept) Write(b []byte) (int, error) {
	k.WriteHeader(http.StatusOK)
	k.body = append(k.body, b...)
	return len(b), nil
}

// truncate sends the first half of the answer. It closes the connection without a reset, which could
// discard data that the client has not read yet.
func (w *watch) truncate(r *http.Request, next http.Handler) {
	to, whole := w.ResponseWriter, &kept{header: http.Header{}}
	w.ResponseWriter = whole
	next.ServeHTTP(w, r)
	w.settle()
	if len(whole.body) == 0 {
		network.Reset(r)
	}
	maps.Copy(to.Header(), whole.header)
	to.Header().Set("Content-Length", strconv.Itoa(len(whole.body)))
	to.WriteHeader(whole.status)
	to.Write(whole.body[:len(whole.body)/2])
	http.NewResponseController(to).Flush()
	panic(http.ErrAbortHandler)
}
