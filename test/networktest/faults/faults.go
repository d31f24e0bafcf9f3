// Package faults makes each request of a command to GitHub's API fail in each known way, and checks
// the result. Only tests use it.
package faults

import (
	"fmt"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kubestellar/actions/internal/outcome"
	"github.com/kubestellar/actions/test/networktest"
)

// Trial is a command in a network of its own. Its waits take no time, and it gives up on an answer
// after Slow.
type Trial struct {
	*networktest.Network
	Run   func() error
	State func() string // the visible effects of the command
	// Folders are those that the command may change, besides the network's.
	Folders []string
	// Reset resets what else the command changes; nil if there is nothing.
	Reset func()
}

// Matrix records the requests of an undisturbed run. It applies every kind of fault to each of them,
// in a trial that begin starts. The disturbed run must end like the undisturbed one, or fail with
// the right code and an error with the activity and the remedy. A second run must end like the
// undisturbed one. The sample of Takes has some requests for each kind, and some kinds for each request.
func Matrix(t *testing.T, begin func(t *testing.T) Trial) {
	t.Helper()
	trials := &trials{begin: begin, parent: t}
	undisturbed := trials.take(t)
	asked := record(t, undisturbed.Trial)
	want := undisturbed.State()
	trials.giveBack(undisturbed)
	for i, at := range asked {
		for k, kind := range kinds {
			if !Takes(i*len(kinds)+k, (i+k)%at.share() == 0) {
				continue
			}
			t.Run(at.name()+": "+kind.name, func(t *testing.T) {
				t.Parallel()
				trial := trials.take(t)
				cell{at, kind}.try(t, trial.Trial, want)
				trials.giveBack(trial)
			})
		}
	}
}

// share returns n if a sample takes one kind in n. It takes more for requests that can be half done.
// Neighbouring requests meet different kinds.
func (r request) share() int {
	if r.effect {
		return 12
	}
	return 31
}

// record runs the command, and returns its requests to the API.
func record(t *testing.T, trial Trial) []request {
	t.Helper()
	since := len(trial.Requests())
	if err := trial.Run(); err != nil {
		t.Fatalf("undisturbed: %v", err)
	}
	var all []request
	seen := map[string]int{}
	for _, r := range trial.Requests()[since:] {
		if !isAPI(r) {
			continue
		}
		key := keyOf(r)
		seen[key]++
		all = append(all, request{key, seen[key], r.Effect})
	}
	if len(all) == 0 {
		t.Fatal("the recording has no request to the API")
	}
	return all
}

func isAPI(r networktest.Request) bool { return strings.HasPrefix(r.Host, "api.") }

// request is the nth of equal requests, because concurrent requests have no order.
type request struct {
	key    string
	nth    int
	effect bool
}

// name returns the request for the name of a test, where a slash separates subtests.
func (r request) name() string {
	return fmt.Sprintf("%s %d", strings.ReplaceAll(r.key, "/", "|"), r.nth)
}

var ids = regexp.MustCompile(`[0-9a-f]{40}|runs/[0-9]+`)

// keyOf returns the part of a request that is equal in all trials.
func keyOf(r networktest.Request) string {
	key := r.Method + " " + ids.ReplaceAllString(r.Path, "ID")
	if query, err := url.ParseQuery(r.Query); err == nil && query.Get("page") != "" {
		key += " page " + query.Get("page")
	}
	return key
}

// cell is one kind of fault at one request.
type cell struct {
	at   request
	kind kind
}

func (c cell) try(t *testing.T, trial Trial, want string) {
	suffered := c.disturb(trial.Network)
	err := trial.Run()
	trial.Intercept(nil)
	if !suffered() {
		t.Fatalf("the request was never made; the run returned: %v", err)
	}
	c.judge(t, err, trial.Token())
	if err == nil {
		same(t, "the disturbed run succeeded", want, trial.State())
	}
	if again := trial.Run(); again != nil {
		t.Fatalf("run again: %v\nbefore: %v", again, err)
	}
	same(t, fmt.Sprintf("run again after: %v", err), want, trial.State())
}

func same(t *testing.T, when, want, got string) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-undisturbed +got):\n%s", when, diff)
	}
}

// disturb applies the fault to the request, and to later ones if the kind lasts. The function that it
// returns reports whether the fault was applied.
func (c cell) disturb(w *networktest.Network) (suffered func() bool) {
	var mu sync.Mutex
	seen := 0
	w.Intercept(func(r networktest.Request) networktest.Fault {
		mu.Lock()
		defer mu.Unlock()
		is := isAPI(r) && keyOf(r) == c.at.key
		if is {
			seen++
		}
		switch {
		case is && seen == c.at.nth,
			is && seen > c.at.nth && c.kind.lasts == always,
			isAPI(r) && seen >= c.at.nth && c.kind.lasts == onward:
			return c.kind.fault
		}
		return networktest.Fault{}
	})
	return func() bool {
		mu.Lock()
		defer mu.Unlock()
		return seen >= c.at.nth
	}
}

var (
	doing   = regexp.MustCompile(`(?i)\b(making|creating|moving|opening|editing|closing|labelling|commenting|looking|reading|dispatching|storing|checking|waiting|saw)\b`)
	advice  = regexp.MustCompile(`(?i)\b(run (it |this )?again|check (before|the|its)|look (before|again|at)|give|use a token|wants|want [a-z-]+=(?:read|write)|is missing, wrong or expired|take|add|release it first)\b`)
	maximum = 4000 // bytes of an error
)

// judge checks the end of the disturbed run.
func (c cell) judge(t *testing.T, err error, token string) {
	t.Helper()
	if err == nil {
		return
	}
	text := err.Error()
	if c.kind.passes {
		t.Errorf("another try would have done, and it failed: %v", err)
	}
	if code := outcome.Of(err); code != outcome.Unchecked && (!c.kind.hides || code != outcome.Wrong) {
		t.Errorf("outcome %d, want %d (could not ask): %v", code, outcome.Unchecked, err)
	}
	if !doing.MatchString(text) || !advice.MatchString(text) || !strings.Contains(text, "/") || len(text) > maximum {
		t.Errorf("want an error that names what was being done, where, and what to do:\n%v", err)
	}
	if c.kind.says != "" && !strings.Contains(text, c.kind.says) {
		t.Errorf("want %q in it: %v", c.kind.says, err)
	}
	if strings.Contains(text, token) {
		t.Error("the error shows the token")
	}
}
