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

// follow goes where GitHub redirects to, with the same method and body: net/http
// would make a GET of a POST. It stays on the host; what leads to another one is
// the answer, for the caller to judge.
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

// redirects are the answers that keep the method.
var redirects = []int{http.StatusMovedPermanently, http.StatusFound, http.StatusTemporaryRedirect, http.StatusPermanentRedirect}

// onward is where an answer redirects to on the same host; nil if nowhere.
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

// originOf is the scheme, host and port.
func originOf(u *url.URL) string { return strings.ToLower(u.Scheme + "://" + u.Host) }

// moved are the repositories, as they were asked for, that have another name.
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

// asOwner asks by a repository's owner. Where that shows that the repository has
// been renamed, it asks again by the owner that it has now: GitHub leads to it, but
// what a query says of the old owner fits nothing there.
func (c *Client) asOwner(ctx context.Context, repository string, ask func(owner string) error) error {
	owner, _ := split(repository)
	if err := ask(owner); err != nil || !c.wire.moved.has(repository) {
		return err
	}
	full, err := c.fullName(ctx, repository)
	if err != nil {
		return err
	}
	if now, _ := split(full); now != owner {
		return ask(now)
	}
	return nil
}

// fullName is the name that GitHub has for a repository now.
func (c *Client) fullName(ctx context.Context, repository string) (string, error) {
	var now struct {
		FullName string `json:"full_name"`
	}
	err := c.get(ctx, "repos/"+repository, &now)
	return now.FullName, err
}

// Renamed are the repositories that GitHub knew by another name, of those that
// were asked for until now: old name → new name.
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
