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

// Fault is what goes wrong with a request; the zero value is nothing. Delay passes first, then
// the first of CutBefore, Status, CutAfter, Truncated and Trickle that is set takes effect; an
// answer by Status may trickle too.
type Fault struct {
	// CutBefore resets the connection; nothing is done.
	CutBefore bool
	// CutAfter lets the request be done, and resets the connection in place of the answer.
	CutAfter bool
	// Truncated lets the request be done, and ends the connection in the middle of the answer's
	// body, whose whole length was announced; of an answer without a body nothing is sent.
	Truncated bool
	// Trickle lets the request be done, and passes before each trickleSize bytes of the answer.
	Trickle time.Duration
	// Status is answered, with Header and Body; nothing is done.
	Status int
	Header http.Header
	Body   string
	// Delay passes before anything else, also if the client has gone by then.
	Delay time.Duration
	// Done is called once the request has been handled or cut; its client may have the answer by
	// then. Nil is not called.
	Done func()
}

// trickleSize is in bytes.
const trickleSize = 16

// TooManyRequests is a refusal as GitHub makes it by a status of its own, with the time to wait.
func TooManyRequests(wait time.Duration) Fault {
	f := limited(http.StatusTooManyRequests, secondaryWords, secondaryDocs)
	f.Header.Set("Retry-After", seconds(wait))
	return f
}

// SecondaryLimit is GitHub's refusal of who asks too much in a short time. It tells how long to
// wait unless that is 0; GitHub does not always tell.
func SecondaryLimit(wait time.Duration) Fault {
	f := limited(http.StatusForbidden, secondaryWords, secondaryDocs)
	if wait > 0 {
		f.Header.Set("Retry-After", seconds(wait))
	}
	return f
}

// PrimaryLimit is GitHub's refusal of who has used up the requests of an hour, which begins anew
// at reset.
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

// seconds rounds up: Retry-After knows no fractions.
func seconds(d time.Duration) string { return fmt.Sprint(int64((d + time.Second - 1) / time.Second)) }

// apply answers the request or lets next do so.
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

// answer reads the body to its end first: a client that still writes would see a reset instead.
func (f Fault) answer(rw http.ResponseWriter, r *http.Request) {
	if _, err := io.Copy(io.Discard, r.Body); err != nil {
		network.Reset(r)
	}
	for key, values := range f.Header {
		rw.Header()[http.CanonicalHeaderKey(key)] = values
	}
	rw.WriteHeader(f.Status)
	io.WriteString(rw, f.Body) // a client that has gone needs no answer
}

// trickle sends an answer piece by piece.
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

// kept is an answer that was not sent.
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

// truncate sends the first half of the answer. The connection ends in order, since a reset could
// take from the client what it has not read yet.
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
