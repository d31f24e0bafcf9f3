package gh

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
)

const maxRedirects = 5

// follow sends a request and follows redirects with the same method and body, while
// net/http would turn a POST into a GET. It returns redirects to other hosts to the
// caller.
// https://docs.github.com/en/rest/using-the-rest-api/best-practices-for-using-the-rest-api#follow-redirects
func (t *transport) follow(req *http.Request) (*http.Response, error) {
	for range maxRedirects {
		res, err := t.persist(req)
		if err != nil {
			return nil, err
		}
		to := onward(req, res)
		if to == nil {
			return res, nil
		}
		t.moved.note(req.URL, res.StatusCode)
		res.Body.Close()
		if req, err = rewound(req, nil); err != nil {
			return nil, err
		}
		req.URL = to
	}
	closeBody(req)
	return nil, fmt.Errorf("%s %s: GitHub redirects more than %d times", req.Method, req.URL.Path, maxRedirects)
}

// redirects are the status codes of redirects that GitHub uses for every method.
var redirects = []int{
	http.StatusMovedPermanently, http.StatusFound, http.StatusTemporaryRedirect, http.StatusPermanentRedirect,
}

// onward returns the target of a redirect on the same host, or nil.
func onward(req *http.Request, res *http.Response) *url.URL {
	if !slices.Contains(redirects, res.StatusCode) {
		return nil
	}
	to, err := req.URL.Parse(res.Header.Get("Location"))
	if err != nil || res.Header.Get("Location") == "" || to.User != nil || originOf(to) != originOf(req.URL) {
		return nil
	}
	return to
}

// originOf returns the scheme, host and port of a URL.
func originOf(u *url.URL) string { return strings.ToLower(u.Scheme + "://" + u.Host) }

// moved is the set of requested repositories that have been renamed, by their old names.
type moved struct {
	mu    sync.Mutex
	names map[string]bool
}

var repositoryPath = regexp.MustCompile(`/repos/([^/]+/[^/]+)(?:/|$)`)

func (m *moved) note(from *url.URL, status int) {
	found := repositoryPath.FindStringSubmatch(from.Path)
	if found == nil || status == http.StatusFound {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.names == nil {
		m.names = map[string]bool{}
	}
	m.names[found[1]] = true
}

func (m *moved) all() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Sorted(maps.Keys(m.names))
}

func (m *moved) has(repository string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.names[repository]
}

// asOwner runs a query whose parameters contain the repository's owner. If the
// repository turns out to have another owner now, it repeats the query with that owner:
// GitHub redirects the path, but not the parameters.
func (c *Client) asOwner(ctx context.Context, repository string, query func(owner string) error) error {
	owner, _ := split(repository)
	if err := query(owner); err != nil || !c.wire.moved.has(repository) {
		return err
	}
	full, err := c.fullName(ctx, repository)
	if err != nil {
		return err
	}
	if now, _ := split(full); now != owner {
		return query(now)
	}
	return nil
}

// fullName returns the current name of a repository.
func (c *Client) fullName(ctx context.Context, repository string) (string, error) {
	var now struct {
		FullName string `json:"full_name"`
	}
	err := c.get(ctx, "repos/"+repository, &now)
	return now.FullName, err
}

// Renamed returns the requested repositories that have been renamed, and maps their old
// names to the new ones.
func (c *Client) Renamed(ctx context.Context) (map[string]string, error) {
	names := map[string]string{}
	for _, old := range c.wire.moved.all() {
		now, err := c.fullName(ctx, old)
		if err != nil {
			return nil, err
		}
		names[old] = now
	}
	return names, nil
}
