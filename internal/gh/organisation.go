package gh

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"

	"github.com/google/go-github/v62/github"
)

const (
	onPage      = 100     // repositories on a page, GitHub's maximum
	mostPages   = 100     // pages of an organisation
	mostOfReply = 8 << 20 // bytes of one response; files and pages have at most a megabyte
)

// Keeper is a cache of responses across runs. It may drop entries at any time.
type Keeper interface {
	Load(key string) (data []byte, found bool)
	Save(key string, data []byte) error
}

// Listed is a repository in the list of an organisation.
type Listed struct {
	Name     string `json:"full_name"` // owner/name
	Archived bool   `json:"archived"`
	Disabled bool   `json:"disabled"`
}

// repositoryName matches owner/name. IsRepository also excludes names that consist of
// dots, which would change the path of a URL.
var repositoryName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_-]{0,99}/[A-Za-z0-9._-]{1,100}$`)

// IsRepository reports whether a text is the name of a repository, owner/name.
func IsRepository(name string) bool {
	_, base, _ := strings.Cut(name, "/")
	return repositoryName.MatchString(name) && strings.Trim(base, ".") != ""
}

// refName matches the names of branches and tags that are supported. Git allows more.
// https://git-scm.com/docs/git-check-ref-format
var refName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._/+-]{0,249}$`)

// IsRef reports whether a text is the name of a branch or a tag.
func IsRef(name string) bool { return refName.MatchString(name) && !strings.Contains(name, "..") }

var organisationName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_-]{0,99}$`)

// IsOrganisation reports whether a text is the name of an organisation.
func IsOrganisation(name string) bool { return organisationName.MatchString(name) }

// Repositories returns an organisation's repositories to which the token has access,
// sorted by name. GitHub does not send unchanged pages again.
// https://docs.github.com/en/rest/repos/repos#list-organization-repositories
func (c *Client) Repositories(ctx context.Context, keeper Keeper, organisation string) ([]Listed, error) {
	var all []Listed
	seen := map[string]bool{} // a new repository can move others to the next page in between
	for page := range mostPages {
		some, more, err := c.listed(ctx, keeper, organisation, page+1)
		if err != nil {
			return nil, err
		}
		for _, r := range some {
			if !seen[r.Name] {
				seen[r.Name] = true
				all = append(all, r)
			}
		}
		if !more {
			return all, nil
		}
	}
	return nil, fmt.Errorf("listing the repositories of the organisation %s: there are more than the limit of %d",
		organisation, onPage*mostPages)
}

// listed returns one page of an organisation's list, and reports whether there is
// another.
func (c *Client) listed(ctx context.Context, keeper Keeper, organisation string, page int) ([]Listed, bool, error) {
	doing := "listing the repositories of the organisation " + organisation
	path := fmt.Sprintf("orgs/%s/repos?sort=full_name&per_page=%d&page=%d", organisation, onPage, page)
	answer, err := c.conditional(ctx, keeper, path)
	if err != nil {
		return nil, false, c.explain(doing, err)
	}
	var some []Listed
	if err := json.Unmarshal(answer.Body, &some); err != nil {
		return nil, false, fmt.Errorf("%s: GitHub's response is not a list: %w", doing, err)
	}
	for _, r := range some {
		if !IsRepository(r.Name) {
			return nil, false, fmt.Errorf("%s: saw the name %.100q, want owner/name", doing, r.Name)
		}
	}
	return some, answer.More, nil
}

// File returns the content of a file on a repository's default branch. It returns
// ErrAbsent if there is no such file, or if the token has no access to the repository.
// A nil keeper disables the cache.
// https://docs.github.com/en/rest/repos/contents#get-repository-content
func (c *Client) File(ctx context.Context, keeper Keeper, repository, path string) ([]byte, error) {
	doing := fmt.Sprintf("reading %s of %s", path, repository)
	answer, err := c.conditional(ctx, keeper, "repos/"+repository+"/contents/"+(&url.URL{Path: path}).EscapedPath())
	if err != nil {
		return nil, c.explain(doing, err)
	}
	var file struct{ Type, Encoding, Content string }
	if err := json.Unmarshal(answer.Body, &file); err != nil || file.Type != "file" {
		return nil, fmt.Errorf("%s: saw a folder, a link or a submodule, want a file", doing)
	}
	if file.Encoding != "base64" {
		return nil, fmt.Errorf("%s: it is larger than a megabyte, which is the limit", doing)
	}
	data, err := base64.StdEncoding.DecodeString(strings.ReplaceAll(file.Content, "\n", ""))
	if err != nil {
		return nil, fmt.Errorf("%s: GitHub's response is not in base64: %w", doing, err)
	}
	return data, nil
}

// answer is a cached response.
type answer struct {
	ETag string
	More bool // there is another page
	Body []byte
}

// conditional sends a conditional request if an earlier response is in the cache. A
// response "not modified" does not count against the rate limit. GitHub checks the
// token's access each time.
// https://docs.github.com/en/rest/using-the-rest-api/best-practices-for-using-the-rest-api
func (c *Client) conditional(ctx context.Context, keeper Keeper, path string) (answer, error) {
	req, err := c.api.NewRequest(http.MethodGet, path, nil)
	if err != nil {
		return answer{}, err
	}
	key := "GET " + req.URL.String()
	old, kept := recall(keeper, key)
	if kept {
		req.Header.Set("If-None-Match", old.ETag)
	}
	res, err := c.api.BareDo(ctx, req)
	var refused *github.ErrorResponse
	if kept && errors.As(err, &refused) && refused.Response.StatusCode == http.StatusNotModified {
		return old, nil
	}
	if err != nil {
		return answer{}, err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, mostOfReply+1))
	if err != nil {
		return answer{}, err
	}
	if len(body) > mostOfReply {
		return answer{}, fmt.Errorf("the response is larger than %d bytes, which is the limit", mostOfReply)
	}
	fresh := answer{res.Header.Get("ETag"), res.NextPage != 0, body}
	return fresh, remember(keeper, key, fresh)
}

func recall(keeper Keeper, key string) (answer, bool) {
	var old answer
	if keeper == nil {
		return old, false
	}
	data, found := keeper.Load(key)
	return old, found && json.Unmarshal(data, &old) == nil && old.ETag != ""
}

func remember(keeper Keeper, key string, fresh answer) error {
	if keeper == nil || fresh.ETag == "" {
		return nil
	}
	data, err := json.Marshal(fresh)
	if err != nil {
		return err
	}
	return keeper.Save(key, data)
}
