// Package gh calls GitHub's REST API. It is the only package that imports go-github.
package gh

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/go-github/v62/github"
)

// Client is a client of github.com or an Enterprise server.
type Client struct {
	api   *github.Client
	plain *http.Client // sends no token, for redirects to other hosts
	wire  *transport
	token string // the name of the token, for messages
}

// Options configure a Client.
type Options struct {
	// APIURL is the API's base URL, as in GITHUB_API_URL. Empty means github.com.
	APIURL string
	// Token is the bearer token. Empty makes requests without one. TokenName is the
	// token's source, for messages.
	Token, TokenName string
	// Transport sends the requests. Nil means http.DefaultTransport.
	Transport http.RoundTripper

	// Now returns the time, for pacing writes. Nil disables pacing.
	Now func() time.Time
	// Wait sleeps before retries. Nil means web.Wait.
	Wait func(ctx context.Context, d time.Duration) error
	// Random returns a number from 0 to 1, for jitter. Nil means rand.Float64.
	Random func() float64
	// Longest is the maximum total wait of one request (default 5 minutes). Slow is the
	// maximum duration of one response (default 1 minute).
	Longest, Slow time.Duration
}

// New returns a client. The only possible error is a malformed APIURL.
func New(o Options) (*Client, error) {
	wire := newTransport(o)
	api := github.NewClient(&http.Client{Transport: wire, CheckRedirect: stay})
	api.UserAgent = "ghhelper"
	if err := address(api, o.APIURL); err != nil {
		return nil, err
	}
	anonymous := o
	anonymous.Token = ""
	wire.token, wire.origins = o.Token, []string{originOf(api.BaseURL), originOf(api.UploadURL)}
	return &Client{api, &http.Client{Transport: newTransport(anonymous)}, wire, o.TokenName}, nil
}

// stay disables redirects in net/http, because the transport handles them.
func stay(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

// address sets the base URLs of the API and of uploads.
func address(api *github.Client, apiURL string) error {
	text := strings.TrimRight(apiURL, "/")
	if text == "" || text == "https://api.github.com" {
		return nil
	}
	base, err := url.Parse(text + "/")
	if err != nil || base.Host == "" || base.User != nil || base.RawQuery != "" || base.Fragment != "" ||
		base.Scheme != "https" && base.Scheme != "http" {
		return fmt.Errorf("GITHUB_API_URL %s is not the URL of an API, "+
			"want one such as https://api.github.com or https://HOST/api/v3", shown(base, text))
	}
	api.BaseURL, api.UploadURL = base, uploads(*base)
	return nil
}

// shown returns a URL for a message, without passwords.
func shown(u *url.URL, text string) string {
	if u != nil {
		return strconv.Quote(u.Redacted())
	}
	if strings.Contains(text, "@") {
		return "(not shown, because it may contain a password)"
	}
	return strconv.Quote(text)
}

// uploads returns the base URL for uploading assets. It is a host of its own if the
// API has one, and otherwise a path on the Enterprise server.
// https://docs.github.com/en/enterprise-server/rest/releases/assets
func uploads(base url.URL) *url.URL {
	if rest, ok := strings.CutPrefix(base.Host, "api."); ok {
		base.Host = "uploads." + rest
		return &base
	}
	base.Path = strings.TrimSuffix(base.Path, "v3/") + "uploads/"
	return &base
}

// split returns the owner and the name of a repository.
func split(repository string) (owner, name string) {
	owner, name, _ = strings.Cut(repository, "/")
	return owner, name
}

// CheckWrite returns an error if the token cannot write to a repository.
func (c *Client) CheckWrite(ctx context.Context, repository string) error {
	owner, name := split(repository)
	repo, _, err := c.api.Repositories.Get(ctx, owner, name)
	if err != nil {
		return c.explain("reading the permissions on "+repository, err)
	}
	if repo.GetPermissions()["push"] {
		return nil
	}
	reached, err := c.installation(ctx)
	switch {
	case err != nil:
		return fmt.Errorf("no permission to write to %s: use a token (%s) with contents: write there",
			repository, c.token)
	case !slices.ContainsFunc(reached, func(name string) bool { return strings.EqualFold(name, repo.GetFullName()) }):
		return fmt.Errorf("no permission to write to %s: the token (%s) is from an App or a workflow and only has "+
			"access to %s: use a token of an App that is installed there",
			repository, c.token, cmp.Or(strings.Join(reached, ", "), "no repository"))
	}
	return nil
}

// installation returns the repositories that the token of an App or a workflow has
// access to. It returns an error for other kinds of tokens. For Apps and workflows,
// GitHub always reports that they cannot push, so missing permissions only show at the
// first write.
// https://docs.github.com/en/rest/apps/installations
func (c *Client) installation(ctx context.Context) ([]string, error) {
	all, err := within[struct {
		Name string `json:"full_name"`
	}](ctx, c, "installation/repositories?per_page=100", "repositories")
	var names []string
	for _, r := range all {
		names = append(names, r.Name)
	}
	return names, err
}
