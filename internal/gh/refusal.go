package gh

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/google/go-github/v62/github"

	"github.com/kubestellar/actions/internal/outcome"
)

// ErrAbsent is the kind of errors with status 404: the object does not exist, or the
// token has no access to it. GitHub does not distinguish the two.
var ErrAbsent = errors.New("not found, or the token has no access")

// ErrDenied is the kind of errors with status 403: the token is valid, but GitHub
// refuses the request.
var ErrDenied = errors.New("denied")

// ErrConflict is the kind of errors that may be due to a change: the object already
// exists, or a branch has moved.
var ErrConflict = errors.New("conflict, or not valid")

// marked is an error of a kind for errors.Is, whose text already describes the kind.
type marked struct{ kind, error error }

func (m *marked) Error() string { return m.error.Error() }
func (m *marked) Unwrap() error { return m.error }

// Is reports whether target is the error's kind.
func (m *marked) Is(target error) bool { return target == m.kind }

// explain wraps an error with the activity, and with a remedy if GitHub's response
// suggests one.
func (c *Client) explain(doing string, err error) error {
	if open, is := errors.AsType[*Uncertain](err); is {
		return fmt.Errorf("%s: %w", doing, open)
	}
	if limited, is := errors.AsType[*Limited](err); is {
		return fmt.Errorf("%s: %w", doing, limited)
	}
	if isHopeless(err) {
		return fmt.Errorf("%s: could not ask: %w: if a proxy or an Enterprise server has its own "+
			"certificate authority, set SSL_CERT_FILE to its file", doing, bare(err))
	}
	answer, ok := errors.AsType[*github.ErrorResponse](err)
	if !ok {
		return fmt.Errorf("%s: could not ask: %w: run it again", doing, bare(err))
	}
	switch status := answer.Response.StatusCode; {
	case status == http.StatusNotFound:
		return fmt.Errorf("%s: %w: check the name, or use a token (%s) with access", doing, ErrAbsent, c.token)
	case status == http.StatusUnauthorized:
		return fmt.Errorf("%s: the token (%s) is missing, wrong or expired: %w", doing, c.token, err)
	case status == http.StatusForbidden:
		lacks := c.lacks(answer.Response.Header)
		return &marked{ErrDenied, fmt.Errorf("%s: the token (%s) %s: %w", doing, c.token, lacks, err)}
	case status/100 == 3 && status != http.StatusNotModified:
		return fmt.Errorf("%s: GitHub redirects to another server (%s), which is not followed: "+
			"is GITHUB_API_URL right? %w", doing, hostOf(answer.Response), err)
	}
	if isFinal(answer) {
		return outcome.Wrongf("%s: the tag and assets of an immutable release can never change: "+
			"take the next version: %w", doing, err)
	}
	if status := answer.Response.StatusCode; status == http.StatusConflict || status == http.StatusUnprocessableEntity {
		return &marked{ErrConflict, fmt.Errorf("%s: GitHub reports a conflict: check its cause, and run it again: %w",
			doing, err)}
	}
	if answer.Response.StatusCode >= http.StatusInternalServerError {
		return fmt.Errorf("%s: GitHub failed: run it again: %w", doing, err)
	}
	return fmt.Errorf("%s: %w", doing, err)
}

const headerSSO = "X-GitHub-SSO"

// lacks describes a 403 that is not a rate limit. A header lists the permissions that
// would be accepted, or the scopes for classic tokens.
// https://docs.github.com/en/rest/authentication/authenticating-to-the-rest-api
func (c *Client) lacks(header http.Header) string {
	if sso := header.Get(headerSSO); strings.HasPrefix(sso, "required") {
		_, address, _ := strings.Cut(sso, "url=")
		return fmt.Sprintf("is not authorized for the organisation's single sign-on: authorize it at %s", address)
	}
	if wanted := header.Get("X-Accepted-GitHub-Permissions"); wanted != "" {
		return "lacks a permission, want " + wanted
	}
	if wanted := header.Get("X-Accepted-OAuth-Scopes"); wanted != "" {
		return "lacks a scope, want one of " + wanted
	}
	return "lacks a permission"
}

// hostOf returns the host of a redirect. The rest of the URL may contain a signature.
func hostOf(res *http.Response) string {
	to, err := url.Parse(res.Header.Get("Location"))
	if err != nil || to.Host == "" {
		return "unknown"
	}
	return to.Host
}

// isFinal reports whether a refusal is permanent. An immutable release accepts no
// assets, and its tag cannot get a second release, even after the first is deleted.
// GitHub only mentions this in the text of the response.
// https://docs.github.com/en/code-security/concepts/supply-chain-security/immutable-releases
func isFinal(answer *github.ErrorResponse) bool {
	message := answer.Message
	for _, e := range answer.Errors {
		message += " " + e.Message
	}
	return answer.Response.StatusCode == http.StatusUnprocessableEntity &&
		strings.Contains(message, "immutable release")
}

// bare returns the cause of a url.Error without the URL, which may contain a signature.
func bare(err error) error {
	if outer, ok := err.(*url.Error); ok {
		return outer.Err
	}
	return err
}
