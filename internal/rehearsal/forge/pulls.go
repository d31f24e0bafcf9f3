package forge

import (
	"cmp"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// The states of a pull request in GitHub's REST API. It has no state for merged ones.
const (
	stateOpen   = "open"
	stateClosed = "closed"
)

// PullRequest is a pull request between two branches of one repository.
type PullRequest struct {
	Number      int
	Title, Body string
	// Head and Base are branch names. HeadSHA is the last known commit of Head while the pull
	// request was open.
	Head, Base, HeadSHA string
	Draft               bool
	// State is "open" or "closed"; a merged pull request is closed too.
	State  string
	Merged bool
	// MergeCommit is the commit that brought the changes to Base, or "".
	MergeCommit string
	Labels      []string
	// Author and MergedBy are logins. MergedBy is "" if a push merged it.
	Author, MergedBy string
	// Comments are the texts, oldest first; Commenters are the logins of their authors.
	Comments, Commenters []string
}

// pull is a pull request with the comments and their times.
type pull struct {
	PullRequest
	id                               int64
	baseSHA                          string
	created, updated, closed, merged time.Time
	remarks                          []remark
	author, merger                   account
}

// PullRequests returns the pull requests of a repository, oldest first, or none if there is no such
// repository. After Close, it returns the last known state. It panics if git fails, since the test
// is wrong then.
func (f *Forge) PullRequests(fullName string) []PullRequest {
	r, found := f.repository(fullName)
	if !found {
		return nil
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	var all []PullRequest
	for _, p := range r.pulls {
		if err := r.settle(p, f.now()); err != nil && f.closed.Err() == nil {
			panic(fmt.Sprintf("forge: reading pull request %d of %s: %v", p.Number, fullName, err))
		}
		all = append(all, p.shown())
	}
	return all
}

func (p *pull) shown() PullRequest {
	shown := p.PullRequest
	shown.Labels = slices.Clone(p.Labels)
	for _, c := range p.remarks {
		shown.Comments, shown.Commenters = append(shown.Comments, c.body), append(shown.Commenters, c.by.login)
	}
	shown.Author, shown.MergedBy = p.author.login, p.merger.login
	return shown
}

// settle updates an open pull request to its branches, as GitHub does after each push. It closes if
// a branch is gone or the head has no new commits. It is merged if a push brought its commits to
// the base.
func (r *repository) settle(p *pull, now time.Time) error {
	if p.State != stateOpen {
		return nil
	}
	base, baseFound, err := r.ref("refs/heads/" + p.Base)
	if err != nil {
		return err
	}
	head, headFound, err := r.ref("refs/heads/" + p.Head)
	if err != nil {
		return err
	}
	if !baseFound {
		p.close(now)
		return nil
	}
	seen := p.HeadSHA
	if headFound && head.sha != seen {
		p.HeadSHA, p.updated = head.sha, now
	}
	return r.settleOn(p, base.sha, seen, headFound, now)
}

// settleOn distinguishes "merged by a push" from "head reset to the base" by the last known commit:
// only a merge brings it to the base.
func (r *repository) settleOn(p *pull, base, seen string, headFound bool, now time.Time) error {
	offersNothing, err := r.contains(base, p.HeadSHA)
	if err != nil {
		return err
	}
	arrived, err := r.contains(base, seen)
	if err != nil {
		return err
	}
	switch {
	case offersNothing && arrived:
		p.merge(p.HeadSHA, now, account{})
	case offersNothing || !headFound:
		p.close(now)
	default:
		p.baseSHA = base
	}
	return nil
}

// contains reports whether a commit is in the history of another.
func (b *bare) contains(history, sha string) (bool, error) {
	return b.isTrue("merge-base", "--is-ancestor", sha, history)
}

func (p *pull) close(now time.Time) { p.State, p.closed, p.updated = stateClosed, now, now }

// merge takes an empty account if a push merged it.
func (p *pull) merge(sha string, now time.Time, by account) {
	p.close(now)
	p.merger = by
	p.Merged, p.MergeCommit, p.merged = true, sha, now
}

// check returns an error for an impossible open pull request, and otherwise finds its commits.
func (r *repository) check(p *pull) error {
	base, found, err := r.ref("refs/heads/" + p.Base)
	if err != nil {
		return err
	}
	if !found {
		return invalid("PullRequest", "invalid", "base", "")
	}
	head, found, err := r.ref("refs/heads/" + p.Head)
	if err != nil {
		return err
	}
	if !found {
		return invalid("PullRequest", "invalid", "head", "")
	}
	if err := r.checkOther(p); err != nil {
		return err
	}
	p.HeadSHA, p.baseSHA = head.sha, base.sha
	return r.checkCommits(p)
}

// checkOther cannot find p itself, which is new, closed, or still has another base.
func (r *repository) checkOther(p *pull) error {
	for _, other := range r.pulls {
		if other.State == stateOpen && other.Head == p.Head && other.Base == p.Base {
			return invalid(
				"PullRequest",
				"custom",
				"",
				fmt.Sprintf("A pull request already exists for %s:%s.", r.owner, p.Head),
			)
		}
	}
	return nil
}

func (r *repository) checkCommits(p *pull) error {
	related, err := r.isTrue("merge-base", p.baseSHA, p.HeadSHA)
	if err != nil {
		return err
	}
	if !related {
		return invalid(
			"PullRequest",
			"custom",
			"",
			fmt.Sprintf("The %s branch has no history in common with %s", p.Head, p.Base),
		)
	}
	n, err := r.count(p.baseSHA, p.HeadSHA)
	if err == nil && n == 0 {
		err = invalid("PullRequest", "custom", "", fmt.Sprintf("No commits between %s and %s", p.Base, p.Head))
	}
	return err
}

// change is a file that a pull request changes.
type change struct {
	status, sha, name string
	added, deleted    int
}

var changeStatus = map[string]string{"A": "added", "D": "removed", "M": "modified", "T": "changed"}

// changes returns the changed files since the merge base. A rename is a removal and an addition.
func (r *repository) changes(p *pull) ([]change, error) {
	out, err := r.fact(
		"",
		"diff",
		"--no-renames",
		"--no-ext-diff",
		"--raw",
		"--no-abbrev",
		"--numstat",
		"-z",
		p.baseSHA+"..."+p.HeadSHA,
	)
	if err != nil {
		return nil, err
	}
	var all []change
	lines := map[string]string{} // by file: added TAB deleted
	fields := strings.Split(strings.TrimSuffix(out, "\x00"), "\x00")
	for i := 0; i < len(fields); i++ {
		if raw := strings.Fields(fields[i]); strings.HasPrefix(fields[i], ":") {
			i++
			all = append(all, change{status: changeStatus[raw[4]], sha: raw[3], name: fields[i]})
			if raw[4] == "D" {
				all[len(all)-1].sha = raw[2]
			}
		} else if parts := strings.SplitN(fields[i], "\t", 3); len(parts) == 3 {
			lines[parts[2]] = parts[0] + "\t" + parts[1]
		}
	}
	for i := range all {
		fmt.Sscanf(lines[all[i].name], "%d\t%d", &all[i].added, &all[i].deleted) // "-" for a binary file leaves 0
	}
	return all, nil
}

const pullsPage = 30 // the page size if the client sets none

func (f *Forge) createPull(c *call) (reply, error) {
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
		return fail(
			&apiError{
				status:  http.StatusNotImplemented,
				Message: "the rehearsal's forge makes no pull request from an issue or from another repository",
			},
		)
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

func (f *Forge) openPull(c *call, p *pull) (reply, error) {
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

// settleAll requires mu to be held.
func (f *Forge) settleAll(r *repository) error {
	for _, p := range r.pulls {
		if err := r.settle(p, f.now()); err != nil {
			return err
		}
	}
	return nil
}

// pull returns the pull request in the path. The caller holds mu.
func (f *Forge) pull(c *call) (*pull, error) {
	for _, p := range c.repo.pulls {
		if strconv.Itoa(p.Number) == c.PathValue("number") {
			return p, c.repo.settle(p, f.now())
		}
	}
	return nil, notFound()
}

func (f *Forge) getPull(c *call) (reply, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	p, err := f.pull(c)
	if err != nil {
		return fail(err)
	}
	shown, err := c.pullJSON(p)
	return reply{status: http.StatusOK, body: shown}, err
}

func (f *Forge) listPulls(c *call) (reply, error) {
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

// pulls returns the pull requests that match the query. A head without an owner filters nothing, a
// trap that GitHub has too.
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
		return &apiError{
			status:  http.StatusNotImplemented,
			Message: fmt.Sprintf("the rehearsal's forge cannot sort pull requests by %q", by),
		}
	}
	slices.SortStableFunc(all, compare)
	if direction == "desc" || direction == "" && by == "created" {
		slices.Reverse(all)
	}
	return nil
}

// pullEdit is the body of an edit; nil means "not given".
type pullEdit struct{ Title, Body, State, Base *string }

func (f *Forge) editPull(c *call) (reply, error) {
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

func (f *Forge) revisePull(r *repository, p *pull, edit pullEdit) error {
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

func (f *Forge) listPullFiles(c *call) (reply, error) {
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
			"sha":       one.sha,
			"filename":  one.name,
			"status":    one.status,
			"additions": one.added,
			"deletions": one.deleted,
			"changes":   one.added + one.deleted,
			"blob_url": c.repo.page(
				"/blob/%s/%s",
				p.HeadSHA,
				path,
			),
			"raw_url":      c.repo.page("/raw/%s/%s", p.HeadSHA, path),
			"contents_url": c.repo.api("/contents/%s?ref=%s", path, p.HeadSHA),
		})
	}
	return reply{http.StatusOK, shown, header}, nil
}

func (f *Forge) listPullCommits(c *call) (reply, error) {
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

// pullSimpleJSON returns the JSON of a pull request in a list.
func (c *call) pullSimpleJSON(p *pull) map[string]any {
	r := c.repo
	at, page, issue := r.api("/pulls/%d", p.Number), r.page("/pull/%d", p.Number), r.api("/issues/%d", p.Number)
	statuses := r.api("/statuses/%s", p.HeadSHA)
	link := func(to string) map[string]string { return map[string]string{"href": to} }
	return map[string]any{
		"id":      p.id,
		"node_id": nodeID("PullRequest", p.id),
		"number":  p.Number,
		"state":   p.State,
		"title":   p.Title,
		"body":    orNull(p.Body),
		"user": r.site.user(
			p.author,
		),
		"author_association":  "CONTRIBUTOR",
		"draft":               p.Draft,
		"locked":              false,
		"active_lock_reason":  nil,
		"url":                 at,
		"html_url":            page,
		"diff_url":            page + ".diff",
		"patch_url":           page + ".patch",
		"issue_url":           issue,
		"commits_url":         at + "/commits",
		"review_comments_url": at + "/comments",
		"review_comment_url":  r.api("/pulls/comments{/number}"),
		"comments_url":        issue + "/comments",
		"statuses_url":        statuses,
		"created_at": stamp(
			p.created,
		),
		"updated_at":          stamp(p.updated),
		"closed_at":           stampOrNull(p.closed),
		"merged_at":           stampOrNull(p.merged),
		"merge_commit_sha":    orNull(p.MergeCommit),
		"auto_merge":          nil,
		"milestone":           nil,
		"assignee":            nil,
		"assignees":           []any{},
		"requested_reviewers": []any{},
		"requested_teams":     []any{},
		"labels":              r.labelsJSON(p),
		"head":                c.endJSON(p.Head, p.HeadSHA),
		"base":                c.endJSON(p.Base, p.baseSHA),
		"_links": map[string]any{
			"self": link(at), "html": link(page), "issue": link(issue), "comments": link(issue + "/comments"),
			"review_comments": link(at + "/comments"), "review_comment": link(r.api("/pulls/comments{/number}")),
			"commits": link(at + "/commits"), "statuses": link(statuses),
		},
	}
}

func (c *call) endJSON(branch, sha string) map[string]any {
	owner := c.repo.owner
	return map[string]any{
		"label": owner + ":" + branch,
		"ref":   branch,
		"sha":   sha,
		"user":  c.repo.site.user(account{owner, kindOrganization}),
		"repo":  repositoryJSON(c),
	}
}

// pullJSON returns the full JSON of a pull request. GitHub computes mergeable later and answers
// null until then; here it is known at once.
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

func notAllowed(m string) *apiError {
	return &apiError{status: http.StatusMethodNotAllowed, Message: m}
}

// mergeAsk is the body of a merge; nil means "not given", and an empty text is given.
type mergeAsk struct {
	Title   *string `json:"commit_title"`
	Message *string `json:"commit_message"`
	Method  string  `json:"merge_method"`
	SHA     string  `json:"sha"`
}

func (f *Forge) mergePull(c *call) (reply, error) {
	ask, err := decodeIfAny[mergeAsk](c.Request)
	if err != nil {
		return fail(err)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	p, err := f.pull(c)
	if err != nil {
		return fail(err)
	}
	if err := ask.refusal(p); err != nil {
		return fail(err)
	}
	if err := f.join(c.repo, p, ask, c.who()); err != nil {
		return fail(err)
	}
	return ok(map[string]any{"sha": p.MergeCommit, "merged": true, "message": "Pull Request successfully merged"})
}

// join merges an open pull request. The caller holds mu.
func (f *Forge) join(r *repository, p *pull, ask mergeAsk, by account) error {
	sha, err := f.mergeCommit(r, p, ask, by)
	if err != nil {
		return err
	}
	if err := r.moveRef("refs/heads/"+p.Base, sha, p.baseSHA); err != nil {
		return err
	}
	p.merge(sha, f.now(), by)
	return nil
}

// refusal returns the reason why a pull request cannot be merged, as far as it is known without
// git.
func (a mergeAsk) refusal(p *pull) error {
	switch cmp.Or(a.Method, "merge") {
	case "merge", "squash":
	case "rebase":
		return notAllowed("Rebase merges are not allowed on this repository.")
	default:
		return unprocessable(fmt.Sprintf("Invalid request.\n\n%q is not a merge method.", a.Method))
	}
	switch {
	case p.State != stateOpen:
		return notAllowed("Pull Request is not mergeable")
	case p.Draft:
		return notAllowed("Pull Request is still a draft")
	case a.SHA != "" && a.SHA != p.HeadSHA:
		return &apiError{
			status:  http.StatusConflict,
			Message: "Head branch was modified. Review and try the merge again.",
		}
	}
	return nil
}

// mergeCommit writes a merge's commit, without moving a branch to it.
func (f *Forge) mergeCommit(r *repository, p *pull, ask mergeAsk, by account) (string, error) {
	tree, clean, err := r.mergeTree(p.baseSHA, p.HeadSHA)
	if err != nil {
		return "", err
	}
	if !clean {
		return "", notAllowed("Pull Request is not mergeable")
	}
	parents, title, message := []string{
		p.baseSHA,
		p.HeadSHA,
	}, fmt.Sprintf(
		"Merge pull request #%d from %s/%s",
		p.Number,
		r.owner,
		p.Head,
	), p.Title
	if ask.Method == "squash" {
		parents = parents[:1]
		if title, message, err = r.squashed(p); err != nil {
			return "", err
		}
	}
	set(&title, ask.Title)
	set(&message, ask.Message)
	text := strings.TrimSpace(title + "\n\n" + message)
	return f.writeCommit(
		r,
		commit{tree: tree, parents: parents, author: f.site.person(by), committer: f.site.gitHub, message: text},
		!f.site.isEnterprise(),
	)
}

// squashed returns GitHub's default text: that of the only commit, or all of them below the pull
// request's title.
func (r *repository) squashed(p *pull) (title, message string, err error) {
	all, err := r.commits(p.baseSHA + ".." + p.HeadSHA)
	if err != nil {
		return "", "", err
	}
	title = p.Title
	if len(all) == 1 {
		title, message, _ = strings.Cut(all[0].message, "\n")
		message = strings.TrimSpace(message)
	} else {
		for _, one := range all {
			message += "* " + one.message + "\n\n"
		}
	}
	return fmt.Sprintf("%s (#%d)", title, p.Number), message, nil
}

// mergeTree writes the tree of two merged commits; clean is false if they conflict or are unrelated.
func (b *bare) mergeTree(base, head string) (tree string, clean bool, err error) {
	if clean, err := b.merges(base, head); err != nil || !clean {
		return "", false, err
	}
	out, err := b.run("", mergeTree(base, head)...)
	return strings.TrimSpace(out), err == nil, err
}

func mergeTree(base, head string) []string {
	return []string{"merge-tree", "--write-tree", "--no-messages", base, head}
}

// merges reports whether two commits can be merged.
func (b *bare) merges(base, head string) (bool, error) {
	if related, err := b.isTrue("merge-base", base, head); err != nil || !related {
		return false, err
	}
	return b.isTrue(mergeTree(base, head)...)
}

// mergeable returns the API's verdict on an open pull request. For a closed one, GitHub gives none.
func (r *repository) mergeable(p *pull) (verdict any, state string, err error) {
	if p.State != stateOpen {
		return nil, "unknown", nil
	}
	clean, err := r.merges(p.baseSHA, p.HeadSHA)
	switch {
	case err != nil:
		return nil, "", err
	case !clean:
		state = "dirty"
	case p.Draft:
		state = "draft"
	default:
		state = "clean"
	}
	return clean, state, nil
}

// moveRef moves a branch, and fails if a push moved it first.
func (b *bare) moveRef(name, to, from string) error {
	_, err := b.run("", "update-ref", name, to, from)
	if err == nil {
		return nil
	}
	if now, found, lookErr := b.ref(name); lookErr == nil && (!found || now.sha != from) {
		return notAllowed("Base branch was modified. Review and try the merge again.")
	}
	return err
}

// isMerged answers with a status only.
func (f *Forge) isMerged(c *call) (reply, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	p, err := f.pull(c)
	if err != nil {
		return fail(err)
	}
	if !p.Merged {
		return fail(notFound())
	}
	return noContent()
}
