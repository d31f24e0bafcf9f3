package forge

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"
)

// remark is a comment on a pull request. All issues of the forge are pull requests.
type remark struct {
	id   int64
	by   account
	body string
	made time.Time
}

// label is a label of a repository. An unknown label is created when it is first applied.
type label struct {
	id                       int64
	name, color, description string
}

const plainColor = "ededed" // the color of labels that are created so

func (f *Forge) addLabels(c *call) (reply, error) {
	return f.putLabels(c, func(p *pull) []string { return p.Labels })
}

func (f *Forge) setLabels(c *call) (reply, error) {
	return f.putLabels(c, func(*pull) []string { return nil })
}

// putLabels sets a pull request's labels: those that it keeps, and those in the body.
func (f *Forge) putLabels(c *call, kept func(*pull) []string) (reply, error) {
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
	p.Labels, p.updated = f.labelled(c.repo, kept(p), names), f.now()
	return ok(c.repo.labelsJSON(p))
}

// labelled adds names to a list, each once and with the repository's spelling.
func (f *Forge) labelled(r *repository, list, names []string) []string {
	list = slices.Clone(list)
	for _, name := range names {
		if known := f.label(r, name).name; !slices.Contains(list, known) {
			list = append(list, known)
		}
	}
	return list
}

// labelNames accepts the two forms that GitHub does: a list, and an object with a list.
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

// label returns or creates a repository's label, ignoring case. The caller holds mu.
func (f *Forge) label(r *repository, name string) label {
	if l, found := r.findLabel(name); found {
		return l
	}
	made := label{f.nextID(), name, plainColor, ""}
	r.labels = append(r.labels, made)
	return made
}

func (r *repository) findLabel(name string) (label, bool) {
	for _, l := range r.labels {
		if strings.EqualFold(l.name, name) {
			return l, true
		}
	}
	return label{}, false
}

func (r *repository) labelsJSON(p *pull) []any {
	shown := []any{}
	for _, l := range r.labels {
		if slices.Contains(p.Labels, l.name) {
			shown = append(shown, r.labelJSON(l))
		}
	}
	return shown
}

func (r *repository) labelJSON(l label) map[string]any {
	return map[string]any{
		"id": l.id, "node_id": nodeID("Label", l.id), "url": r.api("/labels/%s", escaped(l.name)), "name": l.name,
		"color": l.color, "default": false, "description": orNull(l.description),
	}
}

func (f *Forge) listRepositoryLabels(c *call) (reply, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	items, header := paged(c, c.repo.labels, pullsPage)
	shown := []any{}
	for _, l := range items {
		shown = append(shown, c.repo.labelJSON(l))
	}
	return reply{http.StatusOK, shown, header}, nil
}

var colorPattern = regexp.MustCompile(`^[0-9a-fA-F]{6}$`)

func (f *Forge) createLabel(c *call) (reply, error) {
	ask, err := decode[struct{ Name, Color, Description string }](c.Request)
	if err != nil {
		return fail(err)
	}
	color := cmp.Or(ask.Color, plainColor)
	switch {
	case strings.TrimSpace(ask.Name) == "":
		return fail(invalid("Label", "missing_field", "name", ""))
	case !colorPattern.MatchString(color):
		return fail(invalid("Label", "invalid", "color", ""))
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if _, taken := c.repo.findLabel(ask.Name); taken {
		return fail(invalid("Label", "already_exists", "name", ""))
	}
	made := label{f.nextID(), ask.Name, strings.ToLower(color), ask.Description}
	c.repo.labels = append(c.repo.labels, made)
	return createdAt(c.repo.labelJSON(made))
}

func (f *Forge) getIssue(c *call) (reply, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	p, err := f.pull(c)
	if err != nil {
		return fail(err)
	}
	return ok(c.repo.issueJSON(p))
}

// editIssue edits the fields that issues and pull requests share.
func (f *Forge) editIssue(c *call) (reply, error) {
	edit, err := decodeIfAny[struct {
		Title, Body, State *string
		Labels             json.RawMessage
	}](c.Request)
	if err != nil {
		return fail(err)
	}
	var names []string
	if edit.Labels != nil {
		if names, err = labelNames(edit.Labels); err != nil {
			return fail(err)
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	p, err := f.pull(c)
	if err != nil {
		return fail(err)
	}
	revised := *p
	if err := f.revisePull(
		c.repo,
		&revised,
		pullEdit{Title: edit.Title, Body: edit.Body, State: edit.State},
	); err != nil {
		return fail(err)
	}
	if edit.Labels != nil {
		revised.Labels = f.labelled(c.repo, nil, names)
	}
	*p = revised
	return ok(c.repo.issueJSON(p))
}

// issueJSON returns a pull request in the form of an issue.
func (r *repository) issueJSON(p *pull) map[string]any {
	at, page := r.api("/issues/%d", p.Number), r.page("/pull/%d", p.Number)
	return map[string]any{
		"id":                       p.id,
		"node_id":                  nodeID("PullRequest", p.id),
		"number":                   p.Number,
		"state":                    p.State,
		"state_reason":             nil,
		"title":                    p.Title,
		"body":                     orNull(p.Body),
		"user":                     r.site.user(p.author),
		"author_association":       "CONTRIBUTOR",
		"url":                      at,
		"repository_url":           r.api(""),
		"labels_url":               at + "/labels{/name}",
		"comments_url":             at + "/comments",
		"events_url":               at + "/events",
		"html_url":                 page,
		"labels":                   r.labelsJSON(p),
		"comments":                 len(p.remarks),
		"locked":                   false,
		"active_lock_reason":       nil,
		"assignee":                 nil,
		"assignees":                []any{},
		"milestone":                nil,
		"draft":                    p.Draft,
		"closed_by":                nil,
		"performed_via_github_app": nil,
		"created_at":               stamp(p.created),
		"updated_at":               stamp(p.updated),
		"closed_at":                stampOrNull(p.closed),
		"pull_request": map[string]any{
			"url": r.api(
				"/pulls/%d",
				p.Number,
			),
			"html_url":  page,
			"diff_url":  page + ".diff",
			"patch_url": page + ".patch",
			"merged_at": stampOrNull(p.merged),
		},
	}
}

func (f *Forge) listLabels(c *call) (reply, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	p, err := f.pull(c)
	if err != nil {
		return fail(err)
	}
	items, header := paged(c, c.repo.labelsJSON(p), pullsPage)
	return reply{http.StatusOK, items, header}, nil
}

func (f *Forge) createComment(c *call) (reply, error) {
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
	made := f.comment(p, c.who(), ask.Body)
	return reply{
		http.StatusCreated,
		c.repo.commentJSON(p, made),
		http.Header{"Location": {c.repo.api("/issues/comments/%d", made.id)}},
	}, nil
}

// comment requires mu to be held.
func (f *Forge) comment(p *pull, by account, body string) remark {
	made := remark{f.nextID(), by, body, f.now()}
	p.remarks, p.updated = append(p.remarks, made), made.made
	return made
}

func (f *Forge) listComments(c *call) (reply, error) {
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
		"id":      c.id,
		"node_id": nodeID("IssueComment", c.id),
		"url":     r.api("/issues/comments/%d", c.id),
		"html_url": r.page(
			"/pull/%d",
			p.Number,
		) + fmt.Sprintf(
			"#issuecomment-%d",
			c.id,
		),
		"issue_url":                r.api("/issues/%d", p.Number),
		"body":                     c.body,
		"user":                     r.site.user(c.by),
		"author_association":       "CONTRIBUTOR",
		"created_at":               stamp(c.made),
		"updated_at":               stamp(c.made),
		"performed_via_github_app": nil,
	}
}
