package networktest_test

import (
	"errors"
	"net/http"
	"testing"

	"github.com/google/go-github/v62/github"

	"github.com/kubestellar/actions/test/networktest"
)

func hubAs(w *networktest.Network, token string) *github.Client {
	client := github.NewClient(&http.Client{Transport: w.Transport()})
	if token == "" {
		return client
	}
	return client.WithAuthToken(token)
}

// statusOf returns the status of the answer in an error of go-github, or 0.
func statusOf(err error) int {
	var e *github.ErrorResponse
	if errors.As(err, &e) {
		return e.Response.StatusCode
	}
	return 0
}

func wantStatus(t *testing.T, what string, err error, want int) {
	t.Helper()
	if got := statusOf(err); got != want {
		t.Errorf("%s: status %d (%v), want %d", what, got, err, want)
	}
}

func hub(w *networktest.Network) *github.Client { return hubAs(w, w.Token()) }

func inRepo(path string) string { return "/repos/" + networktest.Repository + path }
