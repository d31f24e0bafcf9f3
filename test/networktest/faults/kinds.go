package faults

import (
	"fmt"
	"net/http"
	"time"

	"github.com/kubestellar/actions/test/networktest"
)

// Slow is the time after which a trial gives up on an answer. Every real answer is faster.
const Slow = 3 * time.Second

// span is the set of requests that a fault applies to.
type span int

const (
	once   span = iota // the first such request
	always             // every such request
	onward             // every request from the first such on
)

// kind is a kind of failure.
type kind struct {
	name  string
	lasts span
	fault networktest.Fault
	// passes is set if another attempt succeeds, so the run must succeed.
	passes bool
	// hides is set if the failure looks like an absent resource, which may be a finding.
	hides bool
	says  string // in the error, if the run fails
}

var (
	past   = time.Unix(1, 0)
	future = time.Unix(1<<40, 0)
)

// kinds are the known failures of GitHub.
var kinds = []kind{
	{name: "reset before, once", fault: networktest.Fault{CutBefore: true}, passes: true},
	{name: "reset after, once", fault: networktest.Fault{CutAfter: true}, passes: true},
	{name: "body cut off, once", fault: networktest.Fault{Truncated: true}, passes: true},
	{name: "no answer in time, once", fault: networktest.Fault{Trickle: time.Hour}, passes: true},
	{name: "slow body", lasts: always, fault: networktest.Fault{Trickle: time.Microsecond}, passes: true},
	{name: "500, once", fault: refusal(500, "Server Error"), passes: true},
	{name: "502, once", fault: networktest.Fault{Status: 502, Body: "<html>Bad Gateway</html>"}, passes: true},
	{name: "503 with Retry-After, once", fault: networktest.Fault{Status: 503, Header: http.Header{"Retry-After": {"2"}}}, passes: true},
	{name: "429 with Retry-After, once", fault: networktest.TooManyRequests(time.Second), passes: true},
	{name: "secondary limit with Retry-After, once", fault: networktest.SecondaryLimit(time.Second), passes: true},
	{name: "secondary limit, once", fault: networktest.SecondaryLimit(0), passes: true},
	{name: "primary limit, over now, once", fault: networktest.PrimaryLimit(past), passes: true},

	{name: "401", lasts: always, fault: refusal(401, "Bad credentials"), says: "is missing, wrong or expired"},
	{name: "403, no right", lasts: always, fault: denied("contents=write"), says: "lacks a permission, want contents=write"},
	{name: "404", lasts: always, fault: refusal(404, "Not Found"), hides: true},
	{name: "409", lasts: always, fault: refusal(409, "Git Repository is being changed.")},
	{name: "422", lasts: always, fault: refusal(422, "Reference already exists")},
	{name: "500", lasts: always, fault: refusal(500, "Server Error")},
	{name: "503", lasts: always, fault: networktest.Fault{Status: 503}},
	{name: "429", lasts: always, fault: networktest.TooManyRequests(time.Minute), says: "secondary rate limit"},
	{name: "secondary limit", lasts: always, fault: networktest.SecondaryLimit(0), says: "secondary rate limit"},
	{name: "primary limit", lasts: always, fault: networktest.PrimaryLimit(future), says: "primary rate limit"},
	{name: "reset before", lasts: always, fault: networktest.Fault{CutBefore: true}},
	{name: "reset after", lasts: always, fault: networktest.Fault{CutAfter: true}},
	{name: "body cut off", lasts: always, fault: networktest.Fault{Truncated: true}},

	{name: "token ends", lasts: onward, fault: refusal(401, "Bad credentials"), says: "is missing, wrong or expired"},
	{name: "access is lost", lasts: onward, fault: refusal(404, "Not Found"), says: "or the token has no access"},
	{name: "rights are lost", lasts: onward, fault: denied("contents=write"), says: "lacks a permission"},
	{name: "GitHub is down", lasts: onward, fault: refusal(503, "Service Unavailable")},
	{name: "the line is dead", lasts: onward, fault: networktest.Fault{CutBefore: true}},
	{name: "the hour's requests are spent", lasts: onward, fault: networktest.PrimaryLimit(future), says: "primary rate limit"},
}

// refusal returns an answer in the form of GitHub's errors.
func refusal(status int, message string) networktest.Fault {
	header := http.Header{"Content-Type": {"application/json; charset=utf-8"}}
	return networktest.Fault{Status: status, Header: header, Body: fmt.Sprintf(`{"message":%q}`, message)}
}

func denied(permission string) networktest.Fault {
	f := refusal(403, "Resource not accessible by integration")
	f.Header.Set("X-Accepted-GitHub-Permissions", permission)
	return f
}
