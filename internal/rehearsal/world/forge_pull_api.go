package world

import (
	"cmp"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

const pullsPage = 30 // pull requests, files or comments in one answer unless the client asks for another number

func (f *forge) createPull(c *call) (reply, error) {
	ask, err := decode[struct {
		Title, Head, Base, Body string
		Draft                   bool
		Issue                   int
		HeadRepo                string `json:"head_repo"`
	}](c.Request)
	if err != nil {
		return fail(err)
	}
	for _, given := range [][2]string{{"head", ask.Head}, {"base", ask.Base}} {
		if given[1] == "" {
			return fail(unprocessable(fmt.Sprintf("Invalid request.\n\n%q wasn't supplied.", given[0])))
		}
	}
	if ask.Issue != 0 || ask.HeadRepo != "" && ask.HeadRepo != c.repo.name {
		return fail(&apiError{status: http.StatusNotImplemented, Message: "the rehearsal's forge makes no pull request from an issue or from another repository"})
	}
	if strings.TrimSpace(ask.Title) == "" {
		return fail(invalid("Issue", "missing_field", "title", ""))
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	p := &pull{author: c.who(), created: f.now(), updated: f.now(), PullRequest: PullRequest{
		Title: ask.Title, Body: ask.Body, Base: ask.Base, Draft: ask.Draft, State: stateOpen,
		Head: strings.TrimPrefix(ask.Head, c.repo.owner+":"),
	}}
	return f.openPull(c, p)
}

func (f *forge) openPull(c *call, p *pull) (reply, error) {
	if err := f.settleAll(c.repo); err != nil {
		return fail(err)
	}
	if err := c.repo.check(p); err != nil {
		return fail(err)
	}
	p.id, p.Number = f.nextID(), len(c.repo.pulls)+1
	c.repo.pulls = append(c.repo.pulls, p)
	shown, err := c.pullJSON(p)
	return reply{http.StatusCreated, shown, http.Header{"Location": {c.repo.api("/pulls/%d", p.Number)}}}, err
}

// settleAll is called with mu held.
func (f *forge) settleAll(r *repository) error {
	for _, p := range r.pulls {
		if err := r.settle(p, f.now()); err != nil {
			return err
		}
	}
	return nil
}

// pull finds the pull request that the path names; it is called with mu held.
func (f *forge) pull(c *call) (*pull, error) {
	for _, p := range c.repo.pulls {
		if strconv.Itoa(p.Number) == c.PathValue("number") {
			return p, c.repo.settle(p, f.now())
		}
	}
	return nil, notFound()
}

func (f *forge) getPull(c *call) (reply, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	p, err := f.pull(c)
	if err != nil {
		return fail(err)
	}
	shown, err := c.pullJSON(p)
	return reply{status: http.StatusOK, body: shown}, err
}

func (f *forge) listPulls(c *call) (reply, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.settleAll(c.repo); err != nil {
		return fail(err)
	}
	found, err := c.pulls()
	if err != nil {
		return fail(err)
	}
	items, header := paged(c, found, pullsPage)
	shown := []any{}
	for _, p := range items {
		shown = append(shown, c.pullSimpleJSON(p))
	}
	return reply{http.StatusOK, shown, header}, nil
}

// pulls are those that the query asks for. A head without an owner filters nothing, as on
// GitHub, where that is a trap.
func (c *call) pulls() ([]*pull, error) {
	query := c.URL.Query()
	state := cmp.Or(query.Get("state"), stateOpen)
	if state != stateOpen && state != stateClosed && state != "all" {
		return nil, invalid("PullRequest", "invalid", "state", "")
	}
	owner, head, byHead := strings.Cut(query.Get("head"), ":")
	base := query.Get("base")
	var found []*pull
	for _, p := range c.repo.pulls {
		if (state == "all" || p.State == state) && (base == "" || p.Base == base) &&
			(!byHead || strings.EqualFold(owner, c.repo.owner) && p.Head == head) {
			found = append(found, p)
		}
	}
	return found, arrange(found, cmp.Or(query.Get("sort"), "created"), query.Get("direction"))
}

func arrange(all []*pull, by, direction string) error {
	compare, known := map[string]func(a, b *pull) int{
		"created": func(a, b *pull) int { return cmp.Compare(a.Number, b.Number) },
		"updated": func(a, b *pull) int { return a.updated.Compare(b.updated) },
	}[by]
	if !known {
		return &apiError{status: http.StatusNotImplemented, Message: fmt.Sprintf("the rehearsal's forge cannot sort pull requests by %q", by)}
	}
	slices.SortStableFunc(all, compare)
	if direction == "desc" || direction == "" && by == "created" {
		slices.Reverse(all)
	}
	return nil
}

// pullEdit is the body of an edit; nil means "not given".
type pullEdit struct{ Title, Body, State, Base *string }

func (f *forge) editPull(c *call) (reply, error) {
	edit, err := decodeIfAny[pullEdit](c.Request)
	if err != nil {
		return fail(err)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	p, err := f.pull(c)
	if err != nil {
		return fail(err)
	}
	// The edit goes to a copy, so that a refused one leaves nothing behind.
	revised := *p
	if err := f.revisePull(c.repo, &revised, edit); err != nil {
		return fail(err)
	}
	*p = revised
	shown, err := c.pullJSON(p)
	return reply{status: http.StatusOK, body: shown}, err
}

func (f *forge) revisePull(r *repository, p *pull, edit pullEdit) error {
	was := p.PullRequest
	set(&p.Title, edit.Title)
	set(&p.Body, edit.Body)
	set(&p.State, edit.State)
	set(&p.Base, edit.Base)
	p.updated = f.now()
	switch {
	case strings.TrimSpace(p.Title) == "":
		return invalid("PullRequest", "missing_field", "title", "")
	case p.State != stateOpen && p.State != stateClosed:
		return invalid("PullRequest", "invalid", "state", "")
	case p.State == stateClosed && p.Base != was.Base:
		return invalid("PullRequest", "custom", "base", "Cannot change base branch of closed pull request")
	case p.State == stateOpen && was.Merged:
		return invalid("PullRequest", "custom", "state", "state cannot be changed. The pull request is merged.")
	case p.State == stateClosed && was.State == stateOpen:
		p.close(p.updated)
	case p.State == stateOpen && (was.State == stateClosed || p.Base != was.Base):
		p.closed = time.Time{}
		return r.check(p)
	}
	return nil
}

func (f *forge) listPullFiles(c *call) (reply, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	p, err := f.pull(c)
	if err != nil {
		return fail(err)
	}
	all, err := c.repo.changes(p)
	if err != nil {
		return fail(err)
	}
	items, header := paged(c, all, pullsPage)
	shown := []any{}
	for _, one := range items {
		path := escaped(one.name)
		shown = append(shown, map[string]any{
			"sha": one.sha, "filename": one.name, "status": one.status,
			"additions": one.added, "deletions": one.deleted, "changes": one.added + one.deleted,
			"blob_url": c.repo.page("/blob/%s/%s", p.HeadSHA, path), "raw_url": c.repo.page("/raw/%s/%s", p.HeadSHA, path),
			"contents_url": c.repo.api("/contents/%s?ref=%s", path, p.HeadSHA),
		})
	}
	return reply{http.StatusOK, shown, header}, nil
}

func (f *forge) listPullCommits(c *call) (reply, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	p, err := f.pull(c)
	if err != nil {
		return fail(err)
	}
	all, err := c.repo.commits(p.baseSHA + ".." + p.HeadSHA)
	if err != nil {
		return fail(err)
	}
	items, header := paged(c, all, pullsPage)
	shown := []any{}
	for _, one := range items {
		shown = append(shown, f.commitJSON(c.repo, one))
	}
	return reply{http.StatusOK, shown, header}, nil
}

// pullSimpleJSON is a pull request as lists show it.
func (c *call) pullSimpleJSON(p *pull) map[string]any {
	r := c.repo
	at, page, issue := r.api("/pulls/%d", p.Number), r.page("/pull/%d", p.Number), r.api("/issues/%d", p.Number)
	statuses := r.api("/statuses/%s", p.HeadSHA)
	link := func(to string) map[string]string { return map[string]string{"href": to} }
	return map[string]any{
		"id": p.id, "node_id": nodeID("PullRequest", p.id), "number": p.Number, "state": p.State, "title": p.Title, "body": orNull(p.Body),
		"user": r.site.user(p.author), "author_association": "CONTRIBUTOR", "draft": p.Draft, "locked": false, "active_lock_reason": nil,
		"url": at, "html_url": page, "diff_url": page + ".diff", "patch_url": page + ".patch", "issue_url": issue,
		"commits_url": at + "/commits", "review_comments_url": at + "/comments", "review_comment_url": r.api("/pulls/comments{/number}"),
		"comments_url": issue + "/comments", "statuses_url": statuses,
		"created_at": stamp(p.created), "updated_at": stamp(p.updated), "closed_at": stampOrNull(p.closed), "merged_at": stampOrNull(p.merged),
		"merge_commit_sha": orNull(p.MergeCommit), "auto_merge": nil, "milestone": nil, "assignee": nil,
		"assignees": []any{}, "requested_reviewers": []any{}, "requested_teams": []any{}, "labels": r.labelsJSON(p),
		"head": c.endJSON(p.Head, p.HeadSHA), "base": c.endJSON(p.Base, p.baseSHA),
		"_links": map[string]any{
			"self": link(at), "html": link(page), "issue": link(issue), "comments": link(issue + "/comments"),
			"review_comments": link(at + "/comments"), "review_comment": link(r.api("/pulls/comments{/number}")),
			"commits": link(at + "/commits"), "statuses": link(statuses),
		},
	}
}

func (c *call) endJSON(branch, sha string) map[string]any {
	owner := c.repo.owner
	return map[string]any{"label": owner + ":" + branch, "ref": branch, "sha": sha, "user": c.repo.site.user(account{owner, kindOrganization}), "repo": repositoryJSON(c)}
}

// pullJSON is a pull request as it is shown alone. GitHub finds out later whether it can be
// merged, and says null until then; here it is known at once.
func (c *call) pullJSON(p *pull) (map[string]any, error) {
	changes, err := c.repo.changes(p)
	if err != nil {
		return nil, err
	}
	commits, err := c.repo.count(p.baseSHA, p.HeadSHA)
	if err != nil {
		return nil, err
	}
	mergeable, state, err := c.repo.mergeable(p)
	if err != nil {
		return nil, err
	}
	added, deleted := 0, 0
	for _, one := range changes {
		added, deleted = added+one.added, deleted+one.deleted
	}
	shown := c.pullSimpleJSON(p)
	for key, value := range map[string]any{
		"additions": added, "deletions": deleted, "changed_files": len(changes), "commits": commits,
		"comments": len(p.remarks), "review_comments": 0, "maintainer_can_modify": false,
		"mergeable": mergeable, "rebaseable": nil, "mergeable_state": state, "merged": p.Merged, "merged_by": nil,
	} {
		shown[key] = value
	}
	if p.merger.login != "" {
		shown["merged_by"] = c.repo.site.user(p.merger)
	}
	return shown, nil
}

func orNull(s string) any {
	if s == "" {
		return nil
	}
	return s
}

func stampOrNull(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return stamp(t)
}
