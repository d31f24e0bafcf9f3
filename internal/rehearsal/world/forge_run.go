package world

import (
	"cmp"
	"encoding/json"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// The states of a run.
const (
	runQueued    = "queued"
	runRuns      = "in_progress"
	runCompleted = "completed"
)

// Run is one run of a workflow.
type Run struct {
	ID         int64
	Repository string // owner/name
	Event      string // workflow_dispatch or repository_dispatch
	Workflow   string // the path of its file; "" where the repository has none
	Title      string // as the API's display_title
	Branch     string // or tag
	SHA        string
	Inputs     map[string]string // of a workflow_dispatch
	// ClientPayload is that of a repository_dispatch.
	ClientPayload json.RawMessage
	Status        string // queued, in_progress, completed
	Conclusion    string // "" before the run is completed
}

// run is a run of the forge.
type run struct {
	Run
	number           int
	workflow         *workflow
	by               account
	created, updated time.Time
}

// actions is what a repository has of GitHub Actions.
type actions struct {
	runs     []*run          // oldest first
	disabled map[string]bool // workflows by their files' names
}

// OnRun lets f be the work of each run that begins from now on; it gives the run's conclusion, such
// as success. Each call has a goroutine of its own, while the run is in progress. Without such a
// function, runs stay queued.
func (w *World) OnRun(f func(Run) (conclusion string)) {
	w.forge.mu.Lock()
	defer w.forge.mu.Unlock()
	w.forge.work = func(r *run) { w.serving.Go(func() { w.forge.perform(r, f) }) }
}

// Runs lists the runs of a repository, oldest first; none if there is no such repository.
func (w *World) Runs(fullName string) []Run {
	r, found := w.forge.repository(fullName)
	if !found {
		return nil
	}
	w.forge.mu.Lock()
	defer w.forge.mu.Unlock()
	var all []Run
	for _, one := range r.runs {
		all = append(all, one.Run)
	}
	return all
}

// start makes a run, and has its work begin. It is called with mu held.
func (f *forge) start(repo *repository, w *workflow, about Run, by account) *run {
	about.ID, about.Repository, about.Workflow, about.Status = f.nextID(), repo.fullName(), w.path, runQueued
	about.Title = cmp.Or(strings.TrimSpace(fill(w.RunName, about)), w.title())
	r := &run{Run: about, number: len(repo.runs) + 1, workflow: w, by: by, created: f.now(), updated: f.now()}
	repo.runs = append(repo.runs, r)
	if f.work != nil && f.over.Err() == nil {
		f.work(r)
	}
	return r
}

// perform is the work of a run, from its queue to its conclusion.
func (f *forge) perform(r *run, work func(Run) string) {
	seen := f.advance(r, runRuns, "")
	f.advance(r, runCompleted, work(seen))
}

func (f *forge) advance(r *run, status, conclusion string) Run {
	f.mu.Lock()
	defer f.mu.Unlock()
	r.Status, r.Conclusion, r.updated = status, conclusion, f.now()
	return r.Run
}

// arrive starts what listens to a repository_dispatch: a workflow of the default branch, or, in a
// repository that has no workflows at all, a run that shows the payload's id, as those do whose
// workflow sets its run-name to it. It is called with mu held.
func (f *forge) arrive(repo *repository, d Dispatch, by account) error {
	all, head, err := repo.mainWorkflows()
	if err != nil {
		return err
	}
	about := Run{Event: "repository_dispatch", Branch: "main", SHA: head, ClientPayload: d.ClientPayload}
	if len(all) == 0 {
		f.start(repo, &workflow{id: 1, Name: d.title()}, about, by)
		return nil
	}
	for _, w := range all {
		if w.listens(d.EventType) && !repo.isDisabled(w) {
			f.start(repo, w, about, by)
		}
	}
	return nil
}

// title is the payload's id, or the event's type without one.
func (d Dispatch) title() string {
	var payload struct{ ID string }
	if json.Unmarshal(d.ClientPayload, &payload) == nil && payload.ID != "" {
		return payload.ID
	}
	return d.EventType
}

var expression = regexp.MustCompile(`\$\{\{(.*?)\}\}`)

// fill puts the values of a run into a run-name. Of GitHub's expressions it knows names and texts,
// and the first of several (a || b) that is not empty.
func fill(text string, r Run) string {
	return expression.ReplaceAllStringFunc(text, func(s string) string {
		for _, part := range strings.Split(s[3:len(s)-2], "||") {
			if value := r.value(strings.TrimSpace(part)); value != "" {
				return value
			}
		}
		return ""
	})
}

func (r Run) value(name string) string {
	if text, quoted := strings.CutPrefix(name, "'"); quoted {
		return strings.TrimSuffix(text, "'")
	}
	if key, ok := strings.CutPrefix(name, "github.event.client_payload."); ok {
		var payload map[string]any
		if json.Unmarshal(r.ClientPayload, &payload) != nil {
			return ""
		}
		text, _ := payload[key].(string)
		return text
	}
	key, ok := strings.CutPrefix(strings.TrimPrefix(name, "github.event."), "inputs.")
	if !ok {
		return ""
	}
	return r.Inputs[key]
}

func (f *forge) listRuns(c *call) (reply, error) {
	return f.showRuns(c, func(*run) bool { return true })
}

func (f *forge) listWorkflowRuns(c *call) (reply, error) {
	f.mu.Lock()
	all, _, err := c.repo.mainWorkflows()
	f.mu.Unlock()
	if err != nil {
		return fail(err)
	}
	w := called(all, c.PathValue("id"))
	if w == nil {
		return fail(notFound())
	}
	return f.showRuns(c, func(r *run) bool { return r.Workflow == w.path })
}

// showRuns lists runs, the newest first.
func (f *forge) showRuns(c *call, of func(*run) bool) (reply, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	query := c.URL.Query()
	in, err := parseSpan(query.Get("created"))
	if err != nil {
		return fail(err)
	}
	var found []*run
	for _, r := range slices.Backward(c.repo.runs) {
		if of(r) && fits(query.Get("event"), r.Event) && fits(query.Get("branch"), r.Branch) && fits(query.Get("head_sha"), r.SHA) &&
			(fits(query.Get("status"), r.Status) || query.Get("status") == r.Conclusion) && in(r.created) {
			found = append(found, r)
		}
	}
	items, header := paged(c, found, 30)
	shown := []any{}
	for _, r := range items {
		shown = append(shown, runJSON(c, r))
	}
	return reply{http.StatusOK, map[string]any{"total_count": len(found), "workflow_runs": shown}, header}, nil
}

// fits tells whether a filter that may be empty lets a value through.
func fits(filter, value string) bool { return filter == "" || filter == value }

// parseSpan reads a range of times in the syntax of GitHub's search:
// https://docs.github.com/en/search-github/getting-started-with-searching-on-github/understanding-the-search-syntax#query-for-dates
func parseSpan(text string) (func(time.Time) bool, error) {
	if text == "" {
		return func(time.Time) bool { return true }, nil
	}
	if from, to, ok := strings.Cut(text, ".."); ok {
		since, err := parseTime(from)
		if err != nil {
			return nil, err
		}
		until, err := parseTime(to)
		return func(t time.Time) bool { return !t.Before(since) && !t.After(until) }, err
	}
	sign := text[:len(text)-len(strings.TrimLeft(text, "<>="))]
	limit, err := parseTime(text[len(sign):])
	return func(t time.Time) bool {
		c := t.Truncate(time.Second).Compare(limit)
		return c > 0 && strings.HasPrefix(sign, ">") || c < 0 && strings.HasPrefix(sign, "<") || c == 0 && (sign == "" || strings.HasSuffix(sign, "="))
	}, err
}

func parseTime(text string) (time.Time, error) {
	for _, layout := range []string{time.RFC3339, time.DateOnly} {
		if t, err := time.Parse(layout, text); err == nil {
			return t, nil
		}
	}
	return time.Time{}, unprocessable("created is no date or range of dates: " + text)
}

// findRun finds the run that the path names; it is called with mu held.
func (f *forge) findRun(c *call) (*run, error) {
	for _, r := range c.repo.runs {
		if strconv.FormatInt(r.ID, 10) == c.PathValue("id") {
			return r, nil
		}
	}
	return nil, notFound()
}

func (f *forge) getRun(c *call) (reply, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	r, err := f.findRun(c)
	if err != nil {
		return fail(err)
	}
	return ok(runJSON(c, r))
}

func (f *forge) listJobs(c *call) (reply, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	r, err := f.findRun(c)
	if err != nil {
		return fail(err)
	}
	items, header := paged(c, r.workflow.jobs, 30)
	shown := []any{}
	for i, job := range items {
		shown = append(shown, c.repo.jobJSON(r, i, job))
	}
	return reply{http.StatusOK, map[string]any{"total_count": len(r.workflow.jobs), "jobs": shown}, header}, nil
}

// jobJSON shows a job, which is where its run is.
func (r *repository) jobJSON(of *run, i int, job workflowJob) map[string]any {
	id := of.ID*1000 + int64(i)
	return map[string]any{
		"id": id, "node_id": nodeID("Job", id), "run_id": of.ID, "run_url": r.api("/actions/runs/%d", of.ID), "run_attempt": 1,
		"head_sha": of.SHA, "head_branch": of.Branch, "name": job.name, "workflow_name": of.workflow.title(), "labels": []string{},
		"status": of.Status, "conclusion": orNull(of.Conclusion), "steps": []any{},
		"created_at": stamp(of.created), "started_at": stamp(of.created), "completed_at": of.completed(),
		"url": r.api("/actions/jobs/%d", id), "html_url": r.page("/actions/runs/%d/job/%d", of.ID, id), "check_run_url": r.api("/check-runs/%d", id),
		"runner_id": nil, "runner_name": nil, "runner_group_id": nil, "runner_group_name": nil,
	}
}

func (r *run) completed() any {
	if r.Status != runCompleted {
		return nil
	}
	return stamp(r.updated)
}

func runJSON(c *call, r *run) map[string]any {
	repo := c.repo
	at := repo.api("/actions/runs/%d", r.ID)
	shown := map[string]any{
		"id": r.ID, "node_id": nodeID("Run", r.ID), "name": r.workflow.title(), "display_title": r.Title, "path": r.workflow.path,
		"run_number": r.number, "run_attempt": 1, "workflow_id": r.workflow.id, "event": r.Event, "status": r.Status, "conclusion": orNull(r.Conclusion),
		"head_branch": r.Branch, "head_sha": r.SHA, "head_commit": nil, "pull_requests": []any{},
		"created_at": stamp(r.created), "updated_at": stamp(r.updated), "run_started_at": stamp(r.created),
		"actor": repo.site.user(r.by), "triggering_actor": repo.site.user(r.by), "check_suite_id": r.ID, "check_suite_node_id": nodeID("CheckSuite", r.ID),
		"repository": repositoryJSON(c), "head_repository": repositoryJSON(c),
		"url": at, "html_url": repo.page("/actions/runs/%d", r.ID), "workflow_url": repo.api("/actions/workflows/%d", r.workflow.id),
		"check_suite_url": repo.api("/check-suites/%d", r.ID), "previous_attempt_url": nil,
	}
	for _, part := range []string{"jobs", "logs", "artifacts"} {
		shown[part+"_url"] = at + "/" + part
	}
	shown["cancel_url"], shown["rerun_url"] = at+"/cancel", at+"/rerun"
	return shown
}
