package world

import (
	"cmp"
	"net/http"
	"slices"
	"strings"
	"time"
)

// Check is a check run on a commit, such as a job of a workflow.
type Check struct {
	Name   string
	Status string // queued, in_progress or completed; "" is completed
	// Conclusion of a completed one, such as success or failure.
	Conclusion string
	// Run is the id of the workflow run that the check is a job of, or 0.
	Run int64
}

// checks is what is said of a repository's commits and demanded of its branches.
type checks struct {
	checkRuns map[string][]checkRun     // by commit
	statuses  map[string][]commitStatus // by commit
	required  map[string][]string       // contexts by branch
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

// SetCheck puts a check run on a commit; it takes the place of one of the same name.
func (w *World) SetCheck(fullName, commit string, c Check) {
	w.alter(fullName, func(r *repository) {
		c.Status = cmp.Or(c.Status, runCompleted)
		kept := slices.DeleteFunc(r.checkRuns[commit], func(o checkRun) bool { return o.Name == c.Name })
		put(&r.checkRuns, commit, append(kept, checkRun{c, w.forge.nextID(), w.forge.now()}))
	})
}

// SetStatus puts a status (pending, success, failure, error) on a commit; it takes the place of one
// of the same context.
func (w *World) SetStatus(fullName, commit, context, state string) {
	w.alter(fullName, func(r *repository) {
		kept := slices.DeleteFunc(r.statuses[commit], func(o commitStatus) bool { return o.context == context })
		put(&r.statuses, commit, append(kept, commitStatus{context, state, w.forge.nextID(), w.forge.now()}))
	})
}

// SetRequired has a ruleset require that these checks are green on a branch.
func (w *World) SetRequired(fullName, branch string, contexts ...string) {
	w.alter(fullName, func(r *repository) { put(&r.required, branch, contexts) })
}

func put[V any](in *map[string]V, key string, value V) {
	if *in == nil {
		*in = map[string]V{}
	}
	(*in)[key] = value
}

// alter changes a repository, which must exist: else it is a wrong test, and panics.
func (w *World) alter(fullName string, change func(*repository)) {
	r, found := w.forge.repository(fullName)
	if !found {
		panic("world: there is no repository " + fullName)
	}
	w.forge.mu.Lock()
	defer w.forge.mu.Unlock()
	change(r)
}

// checkedCommit is the commit that the path names.
func (c *call) checkedCommit() (string, error) {
	sha, found, err := c.repo.commitOf(c.PathValue("ref"))
	if err == nil && !found {
		err = unprocessable("No commit found for SHA: " + c.PathValue("ref"))
	}
	return sha, err
}

func (f *forge) listCheckRuns(c *call) (reply, error) {
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
		"id": c.id, "node_id": nodeID("CheckRun", c.id), "name": c.Name, "head_sha": sha, "external_id": "",
		"status": c.Status, "conclusion": orNull(c.Conclusion), "started_at": stamp(c.at), "completed_at": completed,
		"url": at, "html_url": page, "details_url": page, "app": nil, "check_suite": map[string]any{"id": c.id}, "pull_requests": []any{},
		"output": map[string]any{"title": nil, "summary": nil, "text": nil, "annotations_count": 0, "annotations_url": at + "/annotations"},
	}
}

func (f *forge) getCombinedStatus(c *call) (reply, error) {
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
			"id": s.id, "node_id": nodeID("Status", s.id), "context": s.context, "state": s.state, "description": nil, "target_url": nil,
			"avatar_url": nil, "created_at": stamp(s.at), "updated_at": stamp(s.at), "url": c.repo.api("/statuses/%s", sha),
		})
	}
	return reply{http.StatusOK, map[string]any{
		"sha": sha, "state": combined(all), "total_count": len(all), "statuses": shown, "repository": repositoryJSON(c),
		"url": c.repo.api("/commits/%s/status", sha), "commit_url": c.repo.api("/commits/%s", sha),
	}, header}, nil
}

// combined is the worst of several states; of none it is pending, as on GitHub.
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

// listRules shows what rulesets demand of a branch, which need not exist.
func (f *forge) listRules(c *call) (reply, error) {
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
			"type": "required_status_checks", "ruleset_id": 1, "ruleset_source": c.repo.fullName(), "ruleset_source_type": "Repository",
			"parameters": map[string]any{"required_status_checks": wanted, "strict_required_status_checks_policy": false},
		})
	}
	items, header := paged(c, rules, 30)
	return reply{http.StatusOK, items, header}, nil
}
