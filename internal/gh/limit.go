package gh

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
)

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
