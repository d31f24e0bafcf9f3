package world

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
)

// remark is a comment on a pull request. The forge has no issues but those that are pull requests.
type remark struct {
	id   int64
	body string
	made time.Time
}

// label is a label of a repository, which comes to be when it is first put on something.
type label struct {
	id   int64
	name string
}

func (f *forge) addLabels(c *call) (reply, error) {
	body, err := decode[json.RawMessage](c.Request)
	if err != nil {
		return fail(err)
	}
	names, err := labelNames(body)
	if err != nil {
		return fail(err)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	p, err := f.pull(c)
	if err != nil {
		return fail(err)
	}
	for _, name := range names {
		if known := f.label(c.repo, name).name; !slices.Contains(p.Labels, known) {
			p.Labels, p.updated = append(p.Labels, known), f.now()
		}
	}
	return ok(c.repo.labelsJSON(p))
}

// labelNames reads the two forms that GitHub takes: a list, and an object with a list.
func labelNames(body json.RawMessage) ([]string, error) {
	var names []string
	if json.Unmarshal(body, &names) != nil {
		var ask struct{ Labels []string }
		if err := json.Unmarshal(body, &ask); err != nil {
			return nil, unprocessable("Invalid request.\n\nlabels is not a list of names.")
		}
		names = ask.Labels
	}
	if slices.ContainsFunc(names, func(s string) bool { return strings.TrimSpace(s) == "" }) {
		return nil, invalid("Label", "missing_field", "name", "")
	}
	return names, nil
}

// label finds a repository's label, whatever its case, or makes it; it is called with mu held.
func (f *forge) label(r *repository, name string) label {
	for _, l := range r.labels {
		if strings.EqualFold(l.name, name) {
			return l
		}
	}
	made := label{f.nextID(), name}
	r.labels = append(r.labels, made)
	return made
}

func (r *repository) labelsJSON(p *pull) []any {
	shown := []any{}
	for _, l := range r.labels {
		if slices.Contains(p.Labels, l.name) {
			shown = append(shown, map[string]any{
				"id": l.id, "node_id": nodeID("Label", l.id), "url": r.api("/labels/%s", escaped(l.name)), "name": l.name,
				"color": "ededed", "default": false, "description": nil,
			})
		}
	}
	return shown
}

func (f *forge) listLabels(c *call) (reply, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	p, err := f.pull(c)
	if err != nil {
		return fail(err)
	}
	items, header := paged(c, c.repo.labelsJSON(p), pullsPage)
	return reply{http.StatusOK, items, header}, nil
}

func (f *forge) createComment(c *call) (reply, error) {
	ask, err := decode[struct{ Body string }](c.Request)
	if err != nil {
		return fail(err)
	}
	if strings.TrimSpace(ask.Body) == "" {
		return fail(invalid("IssueComment", "missing_field", "body", ""))
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	p, err := f.pull(c)
	if err != nil {
		return fail(err)
	}
	made := remark{f.nextID(), ask.Body, f.now()}
	p.remarks, p.updated = append(p.remarks, made), made.made
	return reply{http.StatusCreated, c.repo.commentJSON(p, made), http.Header{"Location": {c.repo.api("/issues/comments/%d", made.id)}}}, nil
}

func (f *forge) listComments(c *call) (reply, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	p, err := f.pull(c)
	if err != nil {
		return fail(err)
	}
	items, header := paged(c, p.remarks, pullsPage)
	shown := []any{}
	for _, one := range items {
		shown = append(shown, c.repo.commentJSON(p, one))
	}
	return reply{http.StatusOK, shown, header}, nil
}

func (r *repository) commentJSON(p *pull, c remark) map[string]any {
	return map[string]any{
		"id": c.id, "node_id": nodeID("IssueComment", c.id), "url": r.api("/issues/comments/%d", c.id),
		"html_url": r.page("/pull/%d", p.Number) + fmt.Sprintf("#issuecomment-%d", c.id), "issue_url": r.api("/issues/%d", p.Number),
		"body": c.body, "user": bot(), "author_association": "CONTRIBUTOR",
		"created_at": stamp(c.made), "updated_at": stamp(c.made), "performed_via_github_app": nil,
	}
}
