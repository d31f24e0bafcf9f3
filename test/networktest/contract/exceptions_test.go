package contract

import (
	"net/http"
	"strings"
	"testing"
)

// TestExceptionsAreNeeded finds, for each status that is excused at some paths, a request there
// whose description lacks it.
func TestExceptionsAreNeeded(t *testing.T) {
	t.Parallel()
	known, err := load()
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range exceptions {
		if e.because == "" {
			t.Errorf("%+v: no reason", e)
		}
		if e.about != aboutStatus || e.path == "" {
			continue
		}
		lacking := 0
		for _, p := range known.paths {
			for method, operation := range p.item.Operations() {
				r := &http.Request{Method: method, Header: http.Header{}}
				if e.fits(aboutStatus, r, e.statuses[0], p.template) && operation.Responses.Status(e.statuses[0]) == nil {
					lacking++
				}
			}
		}
		if lacking == 0 {
			t.Errorf("%s %s: status %d is described, or there is no such path; take the exception away", e.method, e.path, e.statuses[0])
		}
	}
}

// TestMoreLiteralPathsComeFirst looks up paths that two templates fit.
func TestMoreLiteralPathsComeFirst(t *testing.T) {
	t.Parallel()
	known, err := load()
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		"/repos/o/r/commits/heads/main":            "/repos/{owner}/{repo}/commits/{ref}",
		"/repos/o/r/commits/heads/main/check-runs": "/repos/{owner}/{repo}/commits/{ref}/check-runs",
		"/repos/o/r/releases/latest":               "/repos/{owner}/{repo}/releases/latest",
		"/repos/o/r/releases/7":                    "/repos/{owner}/{repo}/releases/{release_id}",
		"/repositories/7/releases/7":               "/repos/{owner}/{repo}/releases/{release_id}",
		"/repos/o/r/contents":                      "/repos/{owner}/{repo}/contents/{path}",
		"/repos/o/r/contents/a/b":                  "/repos/{owner}/{repo}/contents/{path}",
	} {
		r, err := http.NewRequest(http.MethodGet, "https://api.github.com"+path, strings.NewReader(""))
		if err != nil {
			t.Fatal(err)
		}
		if route, _, err := known.find(r); err != nil || route.Path != want {
			t.Errorf("%s: found %v (%v), want %s", path, route, err, want)
		}
	}
}
