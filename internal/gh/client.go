// Package gh is the edge to GitHub's REST API; it is the only importer of
// go-github.
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

// Client talks to one GitHub: github.com, or an Enterprise server.
type Client struct {
	api   *github.Client
	plain *http.Client // without the token, for where GitHub redirects to
	wire  *transport
	token string // the name of the token, for messages
}

// Options say where and as whom to call.
type Options struct {
	// APIURL is GITHUB_API_URL as workflows have it; "" is github.com's.
	APIURL string
	// Token is the bearer token; "" calls anonymously. TokenName is where it
	// comes from, for messages.
	Token, TokenName string
	// Transport carries the requests; nil is http.DefaultTransport.
	Transport http.RoundTripper

	// Now tells the time, by which writes are paced; nil paces none.
	Now func() time.Time
	// Wait passes a time before something is tried or looked for again; nil is
	// web.Wait.
	Wait func(ctx context.Context, d time.Duration) error
	// Random is from 0 to 1, and spreads the waits of many; nil is
	// rand.Float64.
	Random func() float64
	// Longest is what one request waits in all before it is given up, Slow what
	// one answer may take; 0 is 5 minutes, and 1.
	Longest, Slow time.Duration
}

// New makes a client; only a malformed APIURL is an error.
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

// stay leaves redirects to the transport.
func stay(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

// address sets where the API is, and where it takes uploads.
func address(api *github.Client, apiURL string) error {
	text := strings.TrimRight(apiURL, "/")
	if text == "" || text == "https://api.github.com" {
		return nil
	}
	base, err := url.Parse(text + "/")
	if err != nil || base.Host == "" || base.User != nil || base.RawQuery != "" || base.Fragment != "" || base.Scheme != "https" && base.Scheme != "http" {
		return fmt.Errorf("GITHUB_API_URL %s is no URL of an API, want one such as https://api.github.com or https://HOST/api/v3", shown(base, text))
	}
	api.BaseURL, api.UploadURL = base, uploads(*base)
	return nil
}

// shown is a URL for a message; what cannot be read may hold a password.
func shown(u *url.URL, text string) string {
	if u != nil {
		return strconv.Quote(u.Redacted())
	}
	if strings.Contains(text, "@") {
		return "(not shown, it may hold a password)"
	}
	return strconv.Quote(text)
}

// uploads is where releases take assets: beside the API of an Enterprise server,
// and at a host of its own where the API has one.
// https://docs.github.com/en/enterprise-server/rest/releases/assets
func uploads(base url.URL) *url.URL {
	if rest, ok := strings.CutPrefix(base.Host, "api."); ok {
		base.Host = "uploads." + rest
		return &base
	}
	base.Path = strings.TrimSuffix(base.Path, "v3/") + "uploads/"
	return &base
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
	if repo.GetPermissions()["push"] {
		return nil
	}
	reached, err := c.installation(ctx)
	switch {
	case err != nil:
		return fmt.Errorf("no right to write to %s: give a %s that has contents: write there", repository, c.token)
	case !slices.ContainsFunc(reached, func(name string) bool { return strings.EqualFold(name, repo.GetFullName()) }):
		return fmt.Errorf("no right to write to %s: the token (%s) is an App's or a workflow's own, and reaches %s: give an App's that is installed there",
			repository, c.token, cmp.Or(strings.Join(reached, ", "), "no repository"))
	}
	return nil
}

// installation are the repositories that an App's token reaches, or a workflow's, which
// is one. Those are told that they may not push whatever they may do, and only they may
// ask; what they lack shows at the first write. An error is another kind of token's.
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
