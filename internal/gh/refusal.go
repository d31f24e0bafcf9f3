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

// ErrAbsent is what errors.Is finds where GitHub answered 404: there is no
// such thing, or the token does not reach it. GitHub does not tell which.
var ErrAbsent = errors.New("not there, or out of this token's reach")

// ErrDenied is what errors.Is finds where GitHub knows the token, and refuses.
var ErrDenied = errors.New("denied")

// ErrConflict is what errors.Is finds where GitHub refuses because of what is
// there, which may have changed: it exists already, or has moved.
var ErrConflict = errors.New("in conflict with what is there, or not valid")

// marked is an error of a kind that errors.Is finds, and whose text says it.
type marked struct{ kind, error error }

func (m *marked) Error() string        { return m.error.Error() }
func (m *marked) Unwrap() error        { return m.error }
func (m *marked) Is(target error) bool { return target == m.kind }

// explain says what was being done, and what to do where GitHub's answer
// tells.
func (c *Client) explain(doing string, err error) error {
	if open, is := errors.AsType[*Uncertain](err); is {
		return fmt.Errorf("%s: %w", doing, open)
	}
	if limited, is := errors.AsType[*Limited](err); is {
		return fmt.Errorf("%s: %w", doing, limited)
	}
	if isHopeless(err) {
		return fmt.Errorf("%s: could not ask: %w: where a proxy or an Enterprise server has an authority of its own, name its file in SSL_CERT_FILE", doing, bare(err))
	}
	answer, ok := errors.AsType[*github.ErrorResponse](err)
	if !ok {
		return fmt.Errorf("%s: could not ask: %w: run it again", doing, bare(err))
	}
	switch status := answer.Response.StatusCode; {
	case status == http.StatusNotFound:
		return fmt.Errorf("%s: %w: look at the name, or give a token (%s) that reaches it", doing, ErrAbsent, c.token)
	case status == http.StatusUnauthorized:
		return fmt.Errorf("%s: the token (%s) is missing, wrong or expired: %w", doing, c.token, err)
	case status == http.StatusForbidden:
		return &marked{ErrDenied, fmt.Errorf("%s: the token (%s) %s: %w", doing, c.token, c.lacks(answer.Response.Header), err)}
	case status/100 == 3 && status != http.StatusNotModified:
		return fmt.Errorf("%s: GitHub redirects to another server (%s), which is not followed: is GITHUB_API_URL right? %w", doing, hostOf(answer.Response), err)
	}
	if isFinal(answer) {
		return outcome.Wrongf("%s: GitHub keeps what an immutable release had, for ever: take the next version: %w", doing, err)
	}
	if status := answer.Response.StatusCode; status == http.StatusConflict || status == http.StatusUnprocessableEntity {
		return &marked{ErrConflict, fmt.Errorf("%s: GitHub refuses for what is there: look at it, and run it again: %w", doing, err)}
	}
	if answer.Response.StatusCode >= http.StatusInternalServerError {
		return fmt.Errorf("%s: GitHub has failed: run it again: %w", doing, err)
	}
	return fmt.Errorf("%s: %w", doing, err)
}

const headerSSO = "X-GitHub-SSO"

// lacks says of what kind a 403 is that is no limit. Which permissions would do,
// GitHub tells in a header; classic tokens have scopes instead.
// https://docs.github.com/en/rest/authentication/authenticating-to-the-rest-api
func (c *Client) lacks(header http.Header) string {
	if sso := header.Get(headerSSO); strings.HasPrefix(sso, "required") {
		_, address, _ := strings.Cut(sso, "url=")
		return fmt.Sprintf("is not authorized for the organisation's single sign-on: authorize it at %s", address)
	}
	if wanted := header.Get("X-Accepted-GitHub-Permissions"); wanted != "" {
		return "lacks a right: GitHub wants the permission " + wanted
	}
	if wanted := header.Get("X-Accepted-OAuth-Scopes"); wanted != "" {
		return "lacks a right: GitHub wants one of the scopes " + wanted
	}
	return "lacks a right"
}

// hostOf is where an answer redirects to; the rest of the address may be signed.
func hostOf(res *http.Response) string {
	to, err := url.Parse(res.Header.Get("Location"))
	if err != nil || to.Host == "" {
		return "unknown"
	}
	return to.Host
}

// isFinal tells a refusal that will be the same at every later try: a release
// that is immutable takes no assets, and its tag makes no second release, even
// once it is deleted. GitHub says so in words only.
// https://docs.github.com/en/code-security/supply-chain-security/understanding-your-software-supply-chain/immutable-releases
func isFinal(answer *github.ErrorResponse) bool {
	said := answer.Message
	for _, e := range answer.Errors {
		said += " " + e.Message
	}
	return answer.Response.StatusCode == http.StatusUnprocessableEntity && strings.Contains(said, "immutable release")
}

// bare is the cause alone, without the address, which may be signed.
func bare(err error) error {
	if outer, ok := err.(*url.Error); ok {
		return outer.Err
	}
	return err
}
