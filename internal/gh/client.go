// Package gh is the edge to GitHub's REST API; it is the only importer of
// go-github.
package gh

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/google/go-github/v62/github"

	"github.com/kubestellar/actions/internal/outcome"
)

// Client talks to one GitHub: github.com, or an Enterprise server.
type Client struct {
	api   *github.Client
	plain *http.Client // without the token, for where GitHub redirects to
	token string       // the name of the token, for messages
}

// Options say where and as whom to call.
type Options struct {
	// APIURL is GITHUB_API_URL as workflows have it; "" is github.com's.
	APIURL string
	// Token is the bearer token; "" calls anonymously. TokenName is where it
	// comes from, for messages.
	Token, TokenName string
	// Transport carries the requests.
	Transport http.RoundTripper
}

// New makes a client; only a malformed APIURL is an error.
func New(o Options) (*Client, error) {
	api := github.NewClient(&http.Client{Transport: o.Transport})
	api.UserAgent = "ghhelper"
	if o.Token != "" {
		api = api.WithAuthToken(o.Token)
	}
	client := &Client{api, &http.Client{Transport: o.Transport}, o.TokenName}
	if o.APIURL == "" || o.APIURL == "https://api.github.com" {
		return client, nil
	}
	base, err := url.Parse(strings.TrimSuffix(o.APIURL, "/") + "/")
	if err != nil || base.Host == "" {
		return nil, fmt.Errorf("GITHUB_API_URL %q is no URL, want one such as https://api.github.com or https://HOST/api/v3", o.APIURL)
	}
	api.BaseURL = base
	// An Enterprise server takes uploads beside its API:
	// https://docs.github.com/en/enterprise-server/rest/releases/assets
	uploads := *base
	uploads.Path = strings.TrimSuffix(base.Path, "v3/") + "uploads/"
	api.UploadURL = &uploads
	return client, nil
}

// ErrAbsent is what errors.Is finds where GitHub answered 404: there is no
// such thing, or the token does not reach it. GitHub does not tell which.
var ErrAbsent = errors.New("not there, or out of this token's reach")

// explain says what was being done, and what to do where GitHub's answer
// tells.
func (c *Client) explain(doing string, err error) error {
	var answer *github.ErrorResponse
	if !errors.As(err, &answer) {
		return fmt.Errorf("%s: could not ask: %w", doing, err)
	}
	switch answer.Response.StatusCode {
	case http.StatusNotFound:
		return fmt.Errorf("%s: %w", doing, ErrAbsent)
	case http.StatusUnauthorized:
		return fmt.Errorf("%s: the token (%s) is missing, wrong or expired: %w", doing, c.token, err)
	case http.StatusForbidden:
		return fmt.Errorf("%s: the token (%s) lacks a right: %w", doing, c.token, err)
	}
	if isFinal(answer) {
		return outcome.Wrongf("%s: GitHub keeps what an immutable release had, for ever: take the next version: %w", doing, err)
	}
	return fmt.Errorf("%s: %w", doing, err)
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

// split cuts "owner/name".
func split(repository string) (owner, name string) {
	owner, name, _ = strings.Cut(repository, "/")
	return owner, name
}

// CheckWrite tells whether the token may write to a repository.
func (c *Client) CheckWrite(ctx context.Context, repository string) error {
	owner, name := split(repository)
	repo, _, err := c.api.Repositories.Get(ctx, owner, name)
	if err != nil {
		return c.explain("looking at "+repository, err)
	}
	if repo.GetPermissions()["push"] || c.isInstallation(ctx) {
		return nil
	}
	return fmt.Errorf("no right to write to %s: give a %s that has contents: write there", repository, c.token)
}

// isInstallation tells whether the token is an App's or a workflow's. Those
// are told that they may not push whatever they may do, and only they may ask
// for their installation; what they lack shows at the first write.
// https://docs.github.com/en/rest/apps/installations
func (c *Client) isInstallation(ctx context.Context) bool {
	var answer struct{}
	return c.get(ctx, "installation/repositories?per_page=1", &answer) == nil
}
