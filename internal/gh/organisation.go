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

// Bounds of what is read: repositories on a page (GitHub's most), pages of an
// organisation, and bytes of one answer. A file that the API gives whole has at
// most a megabyte, and a page of repositories about as much.
const (
	onPage      = 100
	mostPages   = 100
	mostOfReply = 8 << 20
)

// Keeper keeps answers from one run to the next. It may forget at any time.
type Keeper interface {
	Load(key string) (data []byte, found bool)
	Save(key string, data []byte) error
}

// Listed is a repository as its organisation's list shows it.
type Listed struct {
	Name     string `json:"full_name"` // owner/name
	Archived bool   `json:"archived"`
	Disabled bool   `json:"disabled"`
}

// repositoryName is how GitHub names repositories, owner/name. A name of dots
// alone would be another path in an address.
var repositoryName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_-]{0,99}/[A-Za-z0-9._-]{1,100}$`)

// IsRepository tells whether a text is the name of a repository, owner/name.
func IsRepository(name string) bool {
	_, base, _ := strings.Cut(name, "/")
	return repositoryName.MatchString(name) && strings.Trim(base, ".") != ""
}

// refName is what names of branches and tags are made of here. Git allows more:
// https://git-scm.com/docs/git-check-ref-format
var refName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._/+-]{0,249}$`)

// IsRef tells whether a text is the name of a branch or a tag.
func IsRef(name string) bool { return refName.MatchString(name) && !strings.Contains(name, "..") }

var organisationName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_-]{0,99}$`)

// IsOrganisation tells whether a text is the name of an organisation.
func IsOrganisation(name string) bool { return organisationName.MatchString(name) }

// Repositories lists an organisation's repositories that the token reaches, by
// their names. Pages that have not changed are not sent again:
// https://docs.github.com/en/rest/repos/repos#list-organization-repositories
func (c *Client) Repositories(ctx context.Context, keeper Keeper, organisation string) ([]Listed, error) {
	var all []Listed
	seen := map[string]bool{} // a repository that is made meanwhile moves others to the next page
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
	return nil, fmt.Errorf("listing the repositories of the organisation %s: there are more than %d, which is more than are read", organisation, onPage*mostPages)
}

// listed is one page of an organisation's list, and whether there is another.
func (c *Client) listed(ctx context.Context, keeper Keeper, organisation string, page int) ([]Listed, bool, error) {
	doing := "listing the repositories of the organisation " + organisation
	answer, err := c.conditional(ctx, keeper, fmt.Sprintf("orgs/%s/repos?sort=full_name&per_page=%d&page=%d", organisation, onPage, page))
	if err != nil {
		return nil, false, c.explain(doing, err)
	}
	var some []Listed
	if err := json.Unmarshal(answer.Body, &some); err != nil {
		return nil, false, fmt.Errorf("%s: GitHub's answer is no list of them: %w", doing, err)
	}
	for _, r := range some {
		if !IsRepository(r.Name) {
			return nil, false, fmt.Errorf("%s: GitHub names one %.100q, want owner/name", doing, r.Name)
		}
	}
	return some, answer.More, nil
}

// File is a file of a repository's default branch. ErrAbsent says that there is
// none, or no such repository within the token's reach. A nil keeper keeps nothing.
// https://docs.github.com/en/rest/repos/contents#get-repository-content
func (c *Client) File(ctx context.Context, keeper Keeper, repository, path string) ([]byte, error) {
	doing := fmt.Sprintf("reading %s of %s", path, repository)
	answer, err := c.conditional(ctx, keeper, "repos/"+repository+"/contents/"+(&url.URL{Path: path}).EscapedPath())
	if err != nil {
		return nil, c.explain(doing, err)
	}
	var file struct{ Type, Encoding, Content string }
	if err := json.Unmarshal(answer.Body, &file); err != nil || file.Type != "file" {
		return nil, fmt.Errorf("%s: it is no file but a folder, a link or a submodule: want a file", doing)
	}
	if file.Encoding != "base64" {
		return nil, fmt.Errorf("%s: it is larger than a megabyte, which is more than is read", doing)
	}
	data, err := base64.StdEncoding.DecodeString(strings.ReplaceAll(file.Content, "\n", ""))
	if err != nil {
		return nil, fmt.Errorf("%s: GitHub's answer is not in base64: %w", doing, err)
	}
	return data, nil
}

// answer is what is kept of an answer.
type answer struct {
	ETag string
	More bool // there is another page
	Body []byte
}

// conditional asks whether what is kept of an earlier answer still holds, which
// costs nothing of the token's limit where it does:
// https://docs.github.com/en/rest/using-the-rest-api/best-practices-for-using-the-rest-api#use-conditional-requests-if-appropriate
// Whether the token may see it is decided by GitHub anew each time.
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
		return answer{}, fmt.Errorf("the answer is larger than %d bytes, which is more than is read", mostOfReply)
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
