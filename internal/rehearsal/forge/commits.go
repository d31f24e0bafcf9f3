package forge

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

func (f *Forge) getRef(c *call) (reply, error) {
	r, found, err := c.repo.ref("refs/" + c.PathValue("ref"))
	if err != nil {
		return fail(err)
	}
	if !found {
		return fail(notFound())
	}
	return ok(c.repo.refJSON(r))
}

func (f *Forge) listMatchingRefs(c *call) (reply, error) {
	all, err := c.repo.refs("refs/" + c.PathValue("ref"))
	if err != nil {
		return fail(err)
	}
	shown := []any{}
	for _, r := range all {
		shown = append(shown, c.repo.refJSON(r))
	}
	return ok(shown)
}

func (f *Forge) createRefs(c *call) (reply, error) {
	ask, err := decode[struct{ Ref, SHA string }](c.Request)
	if err != nil {
		return fail(err)
	}
	if ok, err := c.repo.isTrue("check-ref-format", ask.Ref); err != nil {
		return fail(err)
	} else if !ok || !strings.HasPrefix(ask.Ref, "refs/") || strings.Count(ask.Ref, "/") < 2 {
		return fail(unprocessable(fmt.Sprintf("%s is not a valid ref name.", ask.Ref)))
	}
	kind, err := c.repo.kind(ask.SHA)
	if err != nil {
		return fail(err)
	}
	if kind == "" {
		return fail(unprocessable("Object does not exist"))
	}
	if _, exists, err := c.repo.ref(
		ask.Ref,
	); err == nil && !exists &&
		slices.Contains(c.repo.listed(burnedTags), ask.Ref) {
		return fail(
			unprocessable("Repository rule violations found\n\nCannot create ref due to creations being restricted."),
		)
	}
	err = c.repo.createRef(ask.Ref, ask.SHA)
	if errors.Is(err, errRefExists) {
		return fail(unprocessable("Reference already exists"))
	}
	if err != nil {
		return fail(unprocessable("Reference update failed: " + err.Error()))
	}
	return made(c.repo.refJSON(ref{ask.Ref, ask.SHA, kind}))
}

// updateRef moves a ref; without force only forward.
func (f *Forge) updateRef(c *call) (reply, error) {
	ask, err := decode[struct {
		SHA   *string
		Force bool
	}](c.Request)
	if err != nil {
		return fail(err)
	}
	if ask.SHA == nil {
		return fail(missing("sha"))
	}
	now, found, err := c.repo.ref("refs/" + c.PathValue("ref"))
	if err != nil {
		return fail(err)
	}
	if !found {
		return fail(unprocessable("Reference does not exist"))
	}
	kind, err := c.repo.checkMove(now, *ask.SHA, ask.Force)
	if err != nil {
		return fail(err)
	}
	if _, err := c.repo.run("", "update-ref", now.name, *ask.SHA, now.sha); err != nil {
		return fail(unprocessable("Reference cannot be updated"))
	}
	return ok(c.repo.refJSON(ref{now.name, *ask.SHA, kind}))
}

// checkMove returns an error if a ref may not move to an object, and that object's kind.
func (r *repository) checkMove(now ref, to string, force bool) (kind string, err error) {
	if kind, err = r.kind(to); err != nil {
		return "", err
	}
	switch {
	case kind == "":
		return "", unprocessable("Object does not exist")
	case strings.HasPrefix(now.name, "refs/heads/") && kind != "commit":
		return "", unprocessable("Object is not a commit")
	case slices.Contains(r.listed(burnedTags), now.name):
		return "", lockedRef(now.name)
	case force || now.sha == to:
		return kind, nil
	}
	forward, err := r.isForward(now, to)
	if err == nil && !forward {
		err = unprocessable("Update is not a fast forward")
	}
	return kind, err
}

// isForward reports whether the ref's history is part of the other's. Objects other than commits
// have no history.
func (r *repository) isForward(now ref, to string) (bool, error) {
	from, leads, err := r.commitOf(now.name)
	if err != nil || !leads {
		return false, err
	}
	out, err := r.fact("", "rev-parse", "--verify", "--quiet", to+"^{commit}")
	if err != nil {
		return false, nil
	}
	return r.contains(strings.TrimSpace(out), from)
}

func lockedRef(name string) *apiError {
	return unprocessable(fmt.Sprintf("%s belongs to an immutable release: it neither moves nor goes away", name))
}

func (f *Forge) deleteRef(c *call) (reply, error) {
	now, found, err := c.repo.ref("refs/" + c.PathValue("ref"))
	switch {
	case err != nil:
		return fail(err)
	case !found:
		return fail(unprocessable("Reference does not exist"))
	case now.name == c.repo.head():
		return fail(unprocessable("Cannot delete the default branch"))
	case slices.Contains(c.repo.listed(lockedTags), now.name):
		return fail(lockedRef(now.name))
	}
	if _, err := c.repo.run("", "update-ref", "-d", now.name, now.sha); err != nil {
		return fail(unprocessable("Reference cannot be updated"))
	}
	return noContent()
}

func (r *repository) refJSON(of ref) map[string]any {
	return map[string]any{
		"ref": of.name, "node_id": nodeID("Ref", of.name),
		"url":    r.api("/git/%s", of.name),
		"object": r.objectJSON(of.sha, of.kind),
	}
}

func (r *repository) objectJSON(sha, kind string) map[string]any {
	return map[string]any{"sha": sha, "type": kind, "url": r.api("/git/%ss/%s", kind, sha)}
}

func (f *Forge) getTag(c *call) (reply, error) {
	return c.showTag(c.PathValue("sha"), http.StatusOK)
}

func (c *call) showTag(sha string, status int) (reply, error) {
	kind, err := c.repo.kind(sha)
	if err != nil {
		return fail(err)
	}
	if kind != "tag" {
		return fail(notFound())
	}
	shown, err := c.repo.tagJSON(sha)
	return reply{status: status, body: shown}, err
}

func (f *Forge) createTag(c *call) (reply, error) {
	ask, err := decode[struct {
		Tag, Message, Object, Type string
		Tagger                     *person
	}](c.Request)
	if err != nil {
		return fail(err)
	}
	tagger := f.site.person(c.who())
	set(&tagger, ask.Tagger)
	kind, err := c.repo.kind(ask.Object)
	if err != nil {
		return fail(err)
	}
	if kind == "" || kind != ask.Type {
		return fail(unprocessable(fmt.Sprintf("Object %q is of type %q, want %q", ask.Object, kind, ask.Type)))
	}
	text := fmt.Sprintf(
		"object %s\ntype %s\ntag %s\ntagger %s\n\n%s\n",
		ask.Object,
		kind,
		ask.Tag,
		f.line(tagger),
		strings.TrimSuffix(ask.Message, "\n"),
	)
	sha, err := c.repo.run(text, "mktag")
	if err != nil {
		return fail(unprocessable(err.Error()))
	}
	return c.showTag(strings.TrimSpace(sha), http.StatusCreated)
}

// tagJSON returns the JSON of an annotated tag.
func (r *repository) tagJSON(sha string) (map[string]any, error) {
	raw, err := r.fact("", "cat-file", "tag", sha)
	if err != nil {
		return nil, err
	}
	head, message, _ := strings.Cut(raw, "\n\n")
	fields := map[string]string{}
	for line := range strings.Lines(head) {
		key, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		fields[key] = value
	}
	return map[string]any{
		"sha":          sha,
		"node_id":      nodeID("Tag", sha),
		"url":          r.api("/git/tags/%s", sha),
		"tag":          fields["tag"],
		"message":      strings.TrimSuffix(message, "\n"),
		"tagger":       parsePerson(fields["tagger"]).json(),
		"object":       r.objectJSON(fields["object"], fields["type"]),
		"verification": unsigned(),
	}, nil
}

const comparePage = 250 // the page size if the client sets none

// commit is a parsed commit object.
type commit struct {
	sha, tree         string
	parents           []string
	author, committer person
	message           string
	signature         string // as in the object; "" if unsigned
	payload           string // the signed bytes
}

// commits returns the commits of a revision range of checked SHAs, oldest first.
func (r *repository) commits(args ...string) ([]commit, error) {
	list, err := r.fact("", append([]string{"rev-list", "--reverse"}, args...)...)
	if err != nil || list == "" {
		return nil, err
	}
	out, err := r.fact(list, "cat-file", "--batch")
	if err != nil {
		return nil, err
	}
	var all []commit
	for rest := out; rest != ""; {
		head, body, _ := strings.Cut(rest, "\n")
		fields := strings.Fields(head) // name, kind, size
		size, err := strconv.Atoi(fields[len(fields)-1])
		if err != nil || size >= len(body) {
			return nil, fmt.Errorf("reading commits: git printed %q", head)
		}
		all, rest = append(all, parseCommit(fields[0], body[:size])), body[size+1:]
	}
	return all, nil
}

// parseCommit parses a commit object.
func parseCommit(sha, raw string) commit {
	c := commit{sha: sha}
	head, message, _ := strings.Cut(raw, "\n\n")
	var signed, kept []string // the lines of the signature, and the others
	for line := range strings.SplitSeq(head, "\n") {
		key, value, _ := strings.Cut(line, " ")
		switch {
		case key == "gpgsig", key == "" && len(signed) > 0:
			signed = append(signed, value)
			continue
		case key == "tree":
			c.tree = value
		case key == "parent":
			c.parents = append(c.parents, value)
		case key == "author":
			c.author = parsePerson(value)
		case key == "committer":
			c.committer = parsePerson(value)
		}
		kept = append(kept, line)
	}
	c.signature, c.payload = strings.Join(signed, "\n"), strings.Join(kept, "\n")+"\n\n"+message
	c.message = strings.TrimRight(message, "\n")
	return c
}

func (r *repository) commit(sha string) (commit, error) {
	all, err := r.commits("--no-walk", sha)
	if err == nil && len(all) != 1 {
		err = fmt.Errorf("reading commit %s: saw %d, want 1", sha, len(all))
	}
	if err != nil {
		return commit{}, err
	}
	return all[0], nil
}

func (f *Forge) getCommit(c *call) (reply, error) {
	name := c.PathValue("ref")
	sha, found, err := c.repo.commitOf(name)
	if err != nil {
		return fail(err)
	}
	if !found {
		return fail(unprocessable("No commit found for SHA: " + name))
	}
	if accepts(c.Header, "application/vnd.github.sha") || accepts(c.Header, "application/vnd.github.v3.sha") {
		return ok(text{"application/vnd.github.sha; charset=utf-8", sha})
	}
	one, err := c.repo.commit(sha)
	if err != nil {
		return fail(err)
	}
	return ok(f.commitJSON(c.repo, one))
}

// text is a response body that is not JSON.
type text struct{ kind, body string }

// commitJSON omits the files and statistics, which the API declares optional.
func (f *Forge) commitJSON(r *repository, c commit) map[string]any {
	parents := []any{}
	for _, p := range c.parents {
		parents = append(
			parents,
			map[string]any{"sha": p, "url": r.api("/commits/%s", p), "html_url": r.page("/commit/%s", p)},
		)
	}
	return map[string]any{
		"sha": c.sha, "node_id": nodeID("Commit", c.sha), "url": r.api("/commits/%s", c.sha),
		"html_url": r.page("/commit/%s", c.sha), "comments_url": r.api("/commits/%s/comments", c.sha),
		"author": f.accountOf(c.author), "committer": f.accountOf(c.committer), "parents": parents,
		"commit": map[string]any{
			"author": c.author.json(), "committer": c.committer.json(),
			"message": c.message, "tree": map[string]any{"sha": c.tree, "url": r.api("/git/trees/%s", c.tree)},
			"url": r.api("/git/commits/%s", c.sha), "comment_count": 0, "verification": c.verification(),
		},
	}
}

func (f *Forge) getBranch(c *call) (reply, error) {
	name := c.PathValue("branch")
	r, found, err := c.repo.ref("refs/heads/" + name)
	if err != nil {
		return fail(err)
	}
	if !found {
		return fail(&apiError{status: http.StatusNotFound, Message: "Branch not found"})
	}
	head, err := c.repo.commit(r.sha)
	if err != nil {
		return fail(err)
	}
	at := c.repo.api("/branches/%s", name)
	return ok(map[string]any{
		"name":      name,
		"commit":    f.commitJSON(c.repo, head),
		"protected": false,
		"protection": map[string]any{
			"enabled": false,
			"required_status_checks": map[string]any{
				"enforcement_level": "off",
				"contexts":          []string{},
				"checks":            []string{},
			},
		},
		"protection_url": at + "/protection",
		"_links":         map[string]any{"self": at, "html": c.repo.page("/tree/%s", name)},
	})
}

// span is the pair of commits of a comparison.
type span struct {
	baseName, headName string
	base, head, merge  string
	ahead, behind      int
}

func (f *Forge) compare(c *call) (reply, error) {
	baseName, headName, split := strings.Cut(c.PathValue("basehead"), "...")
	if !split {
		return fail(notFound())
	}
	s := span{baseName: baseName, headName: headName}
	if err := c.repo.measure(&s); err != nil {
		return fail(err)
	}
	all, err := c.repo.commits(s.base + ".." + s.head)
	if err != nil {
		return fail(err)
	}
	return f.compareReply(c, s, all)
}

// measure fills in the commits of a span and the distances between its ends.
func (r *repository) measure(s *span) error {
	var err error
	if s.base, err = r.mustCommit(s.baseName); err != nil {
		return err
	}
	if s.head, err = r.mustCommit(s.headName); err != nil {
		return err
	}
	related, err := r.isTrue("merge-base", s.base, s.head)
	if err == nil && !related {
		err = &apiError{
			status:  http.StatusNotFound,
			Message: fmt.Sprintf("No common ancestor between %s and %s.", s.baseName, s.headName),
		}
	}
	if err != nil {
		return err
	}
	out, err := r.fact("", "merge-base", s.base, s.head)
	if err != nil {
		return err
	}
	s.merge = strings.TrimSpace(out)
	if s.ahead, err = r.count(s.base, s.head); err != nil {
		return err
	}
	s.behind, err = r.count(s.head, s.base)
	return err
}

func (r *repository) mustCommit(name string) (string, error) {
	sha, found, err := r.commitOf(name)
	if err == nil && !found {
		err = notFound()
	}
	return sha, err
}

// count returns the number of commits in to that are not in from.
func (r *repository) count(from, to string) (int, error) {
	out, err := r.fact("", "rev-list", "--count", from+".."+to)
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(strings.TrimSpace(out))
}

func (s span) status() string {
	switch {
	case s.ahead == 0 && s.behind == 0:
		return "identical"
	case s.behind == 0:
		return "ahead"
	case s.ahead == 0:
		return "behind"
	}
	return "diverged"
}

func (f *Forge) compareReply(c *call, s span, all []commit) (reply, error) {
	base, err := c.repo.commit(s.base)
	if err != nil {
		return fail(err)
	}
	merge, err := c.repo.commit(s.merge)
	if err != nil {
		return fail(err)
	}
	items, header := paged(c, all, comparePage)
	shown := []any{}
	for _, one := range items {
		shown = append(shown, f.commitJSON(c.repo, one))
	}
	page := c.repo.page("/compare/%s...%s", s.baseName, s.headName)
	return reply{
		http.StatusOK,
		map[string]any{
			"url":      c.repo.api("/compare/%s...%s", s.baseName, s.headName),
			"html_url": page,
			"permalink_url": c.repo.page(
				"/compare/%s...%s",
				s.base,
				s.head,
			),
			"diff_url":          page + ".diff",
			"patch_url":         page + ".patch",
			"base_commit":       f.commitJSON(c.repo, base),
			"merge_base_commit": f.commitJSON(c.repo, merge),
			"status":            s.status(),
			"ahead_by":          s.ahead,
			"behind_by":         s.behind,
			"total_commits":     s.ahead,
			"commits":           shown,
		},
		header,
	}, nil
}

// Check is a check run on a commit, such as a job of a workflow.
type Check struct {
	Name   string
	Status string // queued, in_progress or completed; "" means completed
	// Conclusion of a completed check, such as success or failure.
	Conclusion string
	// Run is the id of the check's workflow run, or 0.
	Run int64
}

// checks are the checks and statuses of a repository's commits, and those that its branches
// require.
type checks struct {
	checkRuns map[string][]checkRun     // by commit
	statuses  map[string][]commitStatus // by commit
	required  map[string][]string       // context names by branch
}

type checkRun struct {
	Check
	id int64
	at time.Time
}

type commitStatus struct {
	context, state string
	id             int64
	at             time.Time
}

// SetCheck sets a check run on a commit. It replaces one with the same name.
func (f *Forge) SetCheck(fullName, commit string, c Check) {
	f.alter(fullName, func(r *repository) {
		c.Status = cmp.Or(c.Status, runCompleted)
		kept := slices.DeleteFunc(r.checkRuns[commit], func(o checkRun) bool { return o.Name == c.Name })
		put(&r.checkRuns, commit, append(kept, checkRun{c, f.nextID(), f.now()}))
	})
}

// SetStatus sets a status (pending, success, failure, error) on a commit. It replaces one with the
// same context.
func (f *Forge) SetStatus(fullName, commit, context, state string) {
	f.alter(fullName, func(r *repository) {
		kept := slices.DeleteFunc(r.statuses[commit], func(o commitStatus) bool { return o.context == context })
		put(&r.statuses, commit, append(kept, commitStatus{context, state, f.nextID(), f.now()}))
	})
}

// SetRequired makes a ruleset require checks on a branch.
func (f *Forge) SetRequired(fullName, branch string, contexts ...string) {
	f.alter(fullName, func(r *repository) { put(&r.required, branch, contexts) })
}

func put[V any](in *map[string]V, key string, value V) {
	if *in == nil {
		*in = map[string]V{}
	}
	(*in)[key] = value
}

// alter changes a repository. It panics if there is none, since the test is wrong then.
func (f *Forge) alter(fullName string, change func(*repository)) {
	r, found := f.repository(fullName)
	if !found {
		panic("forge: there is no repository " + fullName)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	change(r)
}

// checkedCommit returns the commit in the path.
func (c *call) checkedCommit() (string, error) {
	sha, found, err := c.repo.commitOf(c.PathValue("ref"))
	if err == nil && !found {
		err = unprocessable("No commit found for SHA: " + c.PathValue("ref"))
	}
	return sha, err
}

func (f *Forge) listCheckRuns(c *call) (reply, error) {
	sha, err := c.checkedCommit()
	if err != nil {
		return fail(err)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	query := c.URL.Query()
	var found []checkRun
	for _, one := range c.repo.checkRuns[sha] {
		if fits(query.Get("check_name"), one.Name) && fits(query.Get("status"), one.Status) {
			found = append(found, one)
		}
	}
	items, header := paged(c, found, 30)
	shown := []any{}
	for _, one := range items {
		shown = append(shown, c.repo.checkRunJSON(sha, one))
	}
	return reply{http.StatusOK, map[string]any{"total_count": len(found), "check_runs": shown}, header}, nil
}

func (r *repository) checkRunJSON(sha string, c checkRun) map[string]any {
	page := r.page("/runs/%d", c.id)
	if c.Run != 0 {
		page = r.page("/actions/runs/%d/job/%d", c.Run, c.id)
	}
	var completed any
	if c.Status == runCompleted {
		completed = stamp(c.at)
	}
	at := r.api("/check-runs/%d", c.id)
	return map[string]any{
		"id":            c.id,
		"node_id":       nodeID("CheckRun", c.id),
		"name":          c.Name,
		"head_sha":      sha,
		"external_id":   "",
		"status":        c.Status,
		"conclusion":    orNull(c.Conclusion),
		"started_at":    stamp(c.at),
		"completed_at":  completed,
		"url":           at,
		"html_url":      page,
		"details_url":   page,
		"app":           nil,
		"check_suite":   map[string]any{"id": c.id},
		"pull_requests": []any{},
		"output": map[string]any{
			"title":             nil,
			"summary":           nil,
			"text":              nil,
			"annotations_count": 0,
			"annotations_url":   at + "/annotations",
		},
	}
}

func (f *Forge) getCombinedStatus(c *call) (reply, error) {
	sha, err := c.checkedCommit()
	if err != nil {
		return fail(err)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	all := c.repo.statuses[sha]
	items, header := paged(c, all, 30)
	shown := []any{}
	for _, s := range items {
		shown = append(shown, map[string]any{
			"id":          s.id,
			"node_id":     nodeID("Status", s.id),
			"context":     s.context,
			"state":       s.state,
			"description": nil,
			"target_url":  nil,
			"avatar_url":  nil,
			"created_at":  stamp(s.at),
			"updated_at":  stamp(s.at),
			"url":         c.repo.api("/statuses/%s", sha),
		})
	}
	return reply{http.StatusOK, map[string]any{
		"sha": sha, "state": combined(all), "total_count": len(all), "statuses": shown, "repository": repositoryJSON(c),
		"url": c.repo.api("/commits/%s/status", sha), "commit_url": c.repo.api("/commits/%s", sha),
	}, header}, nil
}

// combined returns the worst of several states, and pending for none, as GitHub does.
func combined(all []commitStatus) string {
	state := "success"
	for _, s := range all {
		switch s.state {
		case "failure", "error":
			return "failure"
		case "pending":
			state = "pending"
		}
	}
	if len(all) == 0 {
		return "pending"
	}
	return state
}

// listRules returns the rules of a branch, which need not exist.
func (f *Forge) listRules(c *call) (reply, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	contexts := c.repo.required[strings.TrimSuffix(c.PathValue("branch"), "/")]
	rules := []any{}
	if len(contexts) > 0 {
		var wanted []any
		for _, context := range contexts {
			wanted = append(wanted, map[string]any{"context": context})
		}
		rules = append(rules, map[string]any{
			"type":                "required_status_checks",
			"ruleset_id":          1,
			"ruleset_source":      c.repo.fullName(),
			"ruleset_source_type": "Repository",
			"parameters": map[string]any{
				"required_status_checks":               wanted,
				"strict_required_status_checks_policy": false,
			},
		})
	}
	items, header := paged(c, rules, 30)
	return reply{http.StatusOK, items, header}, nil
}
