package networktest

import (
	"errors"
	"net/http"
	"testing"

	"github.com/google/go-github/v62/github"
)

// Hub returns go-github's client of the fake GitHub with the main token.
func Hub(n *Network) *github.Client { return HubAs(n, n.Token()) }

// HubAs returns go-github's client with another token, or without one if it is empty.
func HubAs(n *Network, token string) *github.Client {
	client := github.NewClient(&http.Client{Transport: n.Transport()})
	if token == "" {
		return client
	}
	return client.WithAuthToken(token)
}

// StatusOf returns the status of the answer in an error of go-github, or 0.
func StatusOf(err error) int {
	if e, is := errors.AsType[*github.ErrorResponse](err); is {
		return e.Response.StatusCode
	}
	return 0
}

// WantStatus reports an error of go-github with another status as a failure of the test.
func WantStatus(t *testing.T, what string, err error, want int) {
	t.Helper()
	if got := StatusOf(err); got != want {
		t.Errorf("%s: status %d (%v), want %d", what, got, err, want)
	}
}
