package forge

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
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
	Workflow   string // the path of its file; "" if the repository has none
	Title      string // the API's display_title
	Branch     string // or tag
	SHA        string
	Inputs     map[string]string // only of workflow_dispatch
	// ClientPayload is the payload of a repository_dispatch.
	ClientPayload json.RawMessage
	Status        string // queued, in_progress, completed
	Conclusion    string // "" until the run is completed
}

// run is a run with the state that the forge keeps of it.
type run struct {
	Run
	number           int
	workflow         *workflow
	by               account
	created, updated time.Time
}

// actions is a repository's part of GitHub Actions.
type actions struct {
	runs     []*run          // oldest first
	disabled map[string]bool // by file name
}

// OnRun sets a function that does the work of each later run and returns its conclusion, such as
// success. Each call has its own goroutine, while the run is in progress. Without such a function,
// runs stay queued.
func (f *Forge) OnRun(work func(Run) (conclusion string)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.work = func(r *run) { f.running.Go(func() { f.perform(r, work) }) }
}

// Runs returns the runs of a repository, oldest first, or none if there is no such repository.
func (f *Forge) Runs(fullName string) []Run {
	r, found := f.repository(fullName)
	if !found {
		return nil
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	var all []Run
	for _, one := range r.runs {
		all = append(all, one.Run)
	}
	return all
}

// start creates a run and starts its work. The caller holds mu.
func (f *Forge) start(repo *repository, w *workflow, about Run, by account) *run {
	about.ID, about.Repository, about.Workflow, about.Status = f.nextID(), repo.fullName(), w.path, runQueued
	about.Title = cmp.Or(strings.TrimSpace(fill(w.RunName, about)), w.title())
	r := &run{Run: about, number: len(repo.runs) + 1, workflow: w, by: by, created: f.now(), updated: f.now()}
	repo.runs = append(repo.runs, r)
	if f.work != nil && f.closed.Err() == nil {
		f.work(r)
	}
	return r
}

// perform moves a run from queued to completed.
func (f *Forge) perform(r *run, work func(Run) string) {
	seen := f.advance(r, runRuns, "")
	f.advance(r, runCompleted, work(seen))
}

func (f *Forge) advance(r *run, status, conclusion string) Run {
	f.mu.Lock()
	defer f.mu.Unlock()
	r.Status, r.Conclusion, r.updated = status, conclusion, f.now()
	return r.Run
}

// arrive starts the workflows of the default branch that listen to a repository_dispatch. In a
// repository without any workflow, it records a run with the payload's id as its title, like that
// of a workflow with such a run-name. The caller holds mu.
func (f *Forge) arrive(repo *repository, d Dispatch, by account) error {
	all, head, err := repo.mainWorkflows()
	if err != nil {
		return err
	}
	about := Run{Event: "repository_dispatch", Branch: repo.Branch, SHA: head, ClientPayload: d.ClientPayload}
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

// title returns the payload's id, or the event's type if it has none.
func (d Dispatch) title() string {
	var payload struct{ ID string }
	if json.Unmarshal(d.ClientPayload, &payload) == nil && payload.ID != "" {
		return payload.ID
	}
	return d.EventType
}

var expression = regexp.MustCompile(`\$\{\{(.*?)\}\}`)

// fill evaluates a run-name. It supports names, texts, and the first non-empty of several (a || b).
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

func (f *Forge) listRuns(c *call) (reply, error) {
	return f.showRuns(c, func(*run) bool { return true })
}

func (f *Forge) listWorkflowRuns(c *call) (reply, error) {
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

// showRuns returns a page of runs, newest first.
func (f *Forge) showRuns(c *call, of func(*run) bool) (reply, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	query := c.URL.Query()
	in, err := parseSpan(query.Get("created"))
	if err != nil {
		return fail(err)
	}
	var found []*run
	for _, r := range slices.Backward(c.repo.runs) {
		if of(r) && fits(query.Get("event"), r.Event) && fits(query.Get("branch"), r.Branch) &&
			fits(query.Get("head_sha"), r.SHA) &&
			(fits(query.Get("status"), r.Status) || query.Get("status") == r.Conclusion) &&
			in(r.created) {
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

// fits reports whether a filter, which may be empty, matches a value.
func fits(filter, value string) bool { return filter == "" || filter == value }

// parseSpan parses a range of times in GitHub's search syntax:
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
		return c > 0 && strings.HasPrefix(sign, ">") || c < 0 && strings.HasPrefix(sign, "<") ||
			c == 0 && (sign == "" || strings.HasSuffix(sign, "="))
	}, err
}

func parseTime(text string) (time.Time, error) {
	for _, layout := range []string{time.RFC3339, time.DateOnly} {
		if t, err := time.Parse(layout, text); err == nil {
			return t, nil
		}
	}
	return time.Time{}, unprocessable("created is not a date or a range of dates: " + text)
}

// findRun returns the run in the path. The caller holds mu.
func (f *Forge) findRun(c *call) (*run, error) {
	for _, r := range c.repo.runs {
		if strconv.FormatInt(r.ID, 10) == c.PathValue("id") {
			return r, nil
		}
	}
	return nil, notFound()
}

func (f *Forge) getRun(c *call) (reply, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	r, err := f.findRun(c)
	if err != nil {
		return fail(err)
	}
	return ok(runJSON(c, r))
}

func (f *Forge) listJobs(c *call) (reply, error) {
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

// jobJSON returns the JSON of a job. Its status is that of its run.
func (r *repository) jobJSON(of *run, i int, job workflowJob) map[string]any {
	id := of.ID*1000 + int64(i)
	return map[string]any{
		"id":            id,
		"node_id":       nodeID("Job", id),
		"run_id":        of.ID,
		"run_url":       r.api("/actions/runs/%d", of.ID),
		"run_attempt":   1,
		"head_sha":      of.SHA,
		"head_branch":   of.Branch,
		"name":          job.name,
		"workflow_name": of.workflow.title(),
		"labels":        []string{},
		"status":        of.Status,
		"conclusion":    orNull(of.Conclusion),
		"steps":         []any{},
		"created_at":    stamp(of.created),
		"started_at":    stamp(of.created),
		"completed_at":  of.completed(),
		"url": r.api(
			"/actions/jobs/%d",
			id,
		),
		"html_url":          r.page("/actions/runs/%d/job/%d", of.ID, id),
		"check_run_url":     r.api("/check-runs/%d", id),
		"runner_id":         nil,
		"runner_name":       nil,
		"runner_group_id":   nil,
		"runner_group_name": nil,
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
		"id":             r.ID,
		"node_id":        nodeID("Run", r.ID),
		"name":           r.workflow.title(),
		"display_title":  r.Title,
		"path":           r.workflow.path,
		"run_number":     r.number,
		"run_attempt":    1,
		"workflow_id":    r.workflow.id,
		"event":          r.Event,
		"status":         r.Status,
		"conclusion":     orNull(r.Conclusion),
		"head_branch":    r.Branch,
		"head_sha":       r.SHA,
		"head_commit":    nil,
		"pull_requests":  []any{},
		"created_at":     stamp(r.created),
		"updated_at":     stamp(r.updated),
		"run_started_at": stamp(r.created),
		"actor": repo.site.user(
			r.by,
		),
		"triggering_actor":     repo.site.user(r.by),
		"check_suite_id":       r.ID,
		"check_suite_node_id":  nodeID("CheckSuite", r.ID),
		"repository":           repositoryJSON(c),
		"head_repository":      repositoryJSON(c),
		"url":                  at,
		"html_url":             repo.page("/actions/runs/%d", r.ID),
		"workflow_url":         repo.api("/actions/workflows/%d", r.workflow.id),
		"check_suite_url":      repo.api("/check-suites/%d", r.ID),
		"previous_attempt_url": nil,
	}
	for _, part := range []string{"jobs", "logs", "artifacts"} {
		shown[part+"_url"] = at + "/" + part
	}
	shown["cancel_url"], shown["rerun_url"] = at+"/cancel", at+"/rerun"
	return shown
}

const workflowFolder = ".github/workflows"

// workflow is the part of a workflow file that the forge interprets.
type workflow struct {
	id      int64
	path    string
	Name    string        `yaml:"name"`
	RunName string        `yaml:"run-name"`
	On      triggers      `yaml:"on"`
	Jobs    yaml.Node     `yaml:"jobs"`
	jobs    []workflowJob // in file order
}

type workflowJob struct{ key, name string }

// triggers are the events that start a workflow, with their filters.
type triggers map[string]trigger

type trigger struct {
	Types  words            `yaml:"types"`
	Inputs map[string]input `yaml:"inputs"`
}

// input is an input of a workflow_dispatch.
type input struct {
	Required bool     `yaml:"required"`
	Default  *string  `yaml:"default"`
	Type     string   `yaml:"type"`
	Options  []string `yaml:"options"`
}

// words is a YAML list of strings, or a single string.
type words []string

func (w *words) UnmarshalYAML(n *yaml.Node) error {
	if n.Kind == yaml.ScalarNode {
		*w = words{n.Value}
		return nil
	}
	return n.Decode((*[]string)(w))
}

// UnmarshalYAML accepts the three forms of on: one event, a list of events, and a mapping.
func (t *triggers) UnmarshalYAML(n *yaml.Node) error {
	*t = triggers{}
	if n.Kind == yaml.MappingNode {
		return n.Decode((*map[string]trigger)(t))
	}
	var events words
	err := n.Decode(&events)
	for _, event := range events {
		(*t)[event] = trigger{}
	}
	return err
}

// title returns the workflow's name, or its path if it has none.
func (w *workflow) title() string { return cmp.Or(w.Name, w.path) }

// listens reports whether a repository_dispatch event of this type starts the workflow.
func (w *workflow) listens(eventType string) bool {
	on, ok := w.On["repository_dispatch"]
	return ok && (len(on.Types) == 0 || slices.Contains(on.Types, eventType))
}

func (w *workflow) startsOn(event string) bool {
	_, ok := w.On[event]
	return ok
}

// workflows returns the workflows of a commit. A file that does not parse is left out; GitHub
// reports it as an error elsewhere.
func (r *repository) workflows(commit string) ([]*workflow, error) {
	out, err := r.fact("", "ls-tree", "-z", "--full-tree", "--name-only", commit, "--", workflowFolder+"/")
	if err != nil {
		return nil, err
	}
	var all []*workflow
	for _, name := range strings.FieldsFunc(out, func(c rune) bool { return c == 0 }) {
		if ext := path.Ext(name); ext != ".yml" && ext != ".yaml" {
			continue
		}
		text, err := r.fact("", "cat-file", "blob", commit+":"+name)
		if err != nil {
			return nil, err
		}
		if w, err := parseWorkflow(name, text); err == nil {
			all = append(all, w)
		}
	}
	return all, nil
}

func parseWorkflow(name, text string) (*workflow, error) {
	w := &workflow{id: userID(name), path: name}
	if err := yaml.Unmarshal([]byte(text), w); err != nil {
		return nil, err
	}
	for i := 0; i+1 < len(w.Jobs.Content); i += 2 {
		var job struct{ Name string }
		if err := w.Jobs.Content[i+1].Decode(&job); err != nil {
			return nil, err
		}
		key := w.Jobs.Content[i].Value
		w.jobs = append(w.jobs, workflowJob{key, cmp.Or(job.Name, key)})
	}
	return w, nil
}

// mainWorkflows returns the workflows of the default branch, or none if the repository is empty.
func (r *repository) mainWorkflows() (all []*workflow, head string, err error) {
	head, found, err := r.commitOf(r.head())
	if err != nil || !found {
		return nil, "", err
	}
	all, err = r.workflows(head)
	return all, head, err
}

// called returns the workflow with an id or a file name.
func called(all []*workflow, name string) *workflow {
	for _, w := range all {
		if strconv.FormatInt(w.id, 10) == name || path.Base(w.path) == name {
			return w
		}
	}
	return nil
}

// SetWorkflowDisabled disables a workflow, such as bump.yml, or enables it again.
func (f *Forge) SetWorkflowDisabled(fullName, file string, disabled bool) {
	r, _ := f.repository(fullName)
	f.mu.Lock()
	defer f.mu.Unlock()
	if r.disabled == nil {
		r.disabled = map[string]bool{}
	}
	r.disabled[file] = disabled
}

// isDisabled requires mu to be held.
func (r *repository) isDisabled(w *workflow) bool { return r.disabled[path.Base(w.path)] }

func (f *Forge) listWorkflows(c *call) (reply, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	all, _, err := c.repo.mainWorkflows()
	if err != nil {
		return fail(err)
	}
	items, header := paged(c, all, 30)
	shown := []any{}
	for _, w := range items {
		shown = append(shown, c.repo.workflowJSON(w))
	}
	return reply{http.StatusOK, map[string]any{"total_count": len(all), "workflows": shown}, header}, nil
}

func (f *Forge) getWorkflow(c *call) (reply, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	all, _, err := c.repo.mainWorkflows()
	if err != nil {
		return fail(err)
	}
	w := called(all, c.PathValue("id"))
	if w == nil {
		return fail(notFound())
	}
	return ok(c.repo.workflowJSON(w))
}

func (r *repository) workflowJSON(w *workflow) map[string]any {
	state := "active"
	if r.isDisabled(w) {
		state = "disabled_manually"
	}
	at := r.api("/actions/workflows/%d", w.id)
	return map[string]any{
		"id": w.id, "node_id": nodeID("Workflow", w.path), "name": w.title(), "path": w.path, "state": state,
		"created_at": stamp(r.created), "updated_at": stamp(r.created), "url": at,
		"html_url": r.page("/blob/main/%s", w.path), "badge_url": r.page("/workflows/%s/badge.svg", escaped(w.title())),
	}
}

// maxInputs is GitHub's limit of inputs in a dispatch.
const maxInputs = 25

type workflowDispatch struct {
	Ref     string         `json:"ref"`
	Inputs  map[string]any `json:"inputs"`
	Details bool           `json:"return_run_details"`
}

// dispatchWorkflow answers like GitHub, which documents only the status codes.
func (f *Forge) dispatchWorkflow(c *call) (reply, error) {
	ask, err := decode[workflowDispatch](c.Request)
	if err != nil {
		return fail(err)
	}
	if len(ask.Inputs) > maxInputs {
		return fail(
			unprocessable(
				fmt.Sprintf(
					"Invalid request.\n\nNo more than %d properties are allowed; %d were supplied.",
					maxInputs,
					len(ask.Inputs),
				),
			),
		)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	w, head, err := c.repo.dispatchable(c.PathValue("id"), ask.Ref)
	if err != nil {
		return fail(err)
	}
	inputs, err := w.accept(ask.Inputs)
	if err != nil {
		return fail(err)
	}
	r := f.start(
		c.repo,
		w,
		Run{
			Event:  "workflow_dispatch",
			Branch: strings.TrimPrefix(strings.TrimPrefix(ask.Ref, "refs/heads/"), "refs/tags/"),
			SHA:    head,
			Inputs: inputs,
		},
		c.who(),
	)
	if !ask.Details {
		return noContent()
	}
	return ok(
		map[string]any{
			"workflow_run_id": r.ID,
			"run_url":         c.repo.api("/actions/runs/%d", r.ID),
			"html_url":        c.repo.page("/actions/runs/%d", r.ID),
		},
	)
}

// dispatchable returns the workflow at the ref. GitHub requires it on the default branch too, but
// runs the ref's version.
func (r *repository) dispatchable(name, at string) (*workflow, string, error) {
	main, _, err := r.mainWorkflows()
	if err != nil {
		return nil, "", err
	}
	known := called(main, name)
	if known == nil {
		return nil, "", notFound()
	}
	head, found, err := r.branchOrTag(at)
	if err == nil && !found {
		err = unprocessable("No ref found for: " + at)
	}
	if err != nil {
		return nil, "", err
	}
	all, err := r.workflows(head)
	if err != nil {
		return nil, "", err
	}
	w := called(all, path.Base(known.path))
	switch {
	case w == nil || !w.startsOn("workflow_dispatch"):
		return nil, "", unprocessable("Workflow does not have 'workflow_dispatch' trigger")
	case r.isDisabled(w):
		return nil, "", unprocessable("Cannot trigger a 'workflow_dispatch' on a disabled workflow")
	}
	return w, head, nil
}

func (r *repository) branchOrTag(name string) (string, bool, error) {
	for _, full := range []string{name, "refs/heads/" + name, "refs/tags/" + name} {
		one, found, err := r.ref(full)
		if err != nil {
			return "", false, err
		}
		if found {
			return r.commitOf(one.name)
		}
	}
	return "", false, nil
}

// accept checks inputs against the workflow's declaration and adds the defaults.
func (w *workflow) accept(given map[string]any) (map[string]string, error) {
	declared := w.On["workflow_dispatch"].Inputs
	var unexpected []string
	values := map[string]string{}
	for _, name := range slices.Sorted(maps.Keys(given)) {
		if _, known := declared[name]; !known {
			unexpected = append(unexpected, name)
		}
		values[name] = fmt.Sprint(given[name])
	}
	if unexpected != nil {
		quoted, err := json.Marshal(unexpected)
		if err != nil {
			return nil, err
		}
		return nil, unprocessable("Unexpected inputs provided: " + string(quoted))
	}
	for _, name := range slices.Sorted(maps.Keys(declared)) {
		if err := declared[name].settle(name, values); err != nil {
			return nil, err
		}
	}
	return values, nil
}

func (i input) settle(name string, values map[string]string) error {
	value, given := values[name]
	switch {
	case !given && i.Default != nil:
		values[name] = *i.Default
	case i.Required && value == "":
		return unprocessable(fmt.Sprintf("Required input '%s' not provided", name))
	case given && i.Type == "choice" && !slices.Contains(i.Options, value):
		return unprocessable(
			fmt.Sprintf("Provided value '%s' for input '%s' not in the list of allowed values", value, name),
		)
	}
	return nil
}

// The limits of a repository_dispatch event that GitHub documents.
const (
	maxEventType   = 100 // characters
	maxPayloadKeys = 10  // at the top level
)

// Dispatch is a repository_dispatch event that a repository received.
type Dispatch struct {
	EventType string
	// ClientPayload is the JSON object as sent, or nil.
	ClientPayload json.RawMessage
}

// Dispatches returns the repository_dispatch events that a repository received, oldest first, or
// none if there is no such repository.
func (f *Forge) Dispatches(fullName string) []Dispatch {
	r, found := f.repository(fullName)
	if !found {
		return nil
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(r.dispatches)
}

func (f *Forge) dispatchEvent(c *call) (reply, error) {
	body, err := decode[struct {
		EventType     string          `json:"event_type"`
		ClientPayload json.RawMessage `json:"client_payload"`
	}](c.Request)
	if err != nil {
		return fail(err)
	}
	if body.EventType == "" || len(body.EventType) > maxEventType {
		return fail(
			unprocessable(
				fmt.Sprintf(
					"Invalid request. event_type has %d characters, want 1 to %d.",
					len(body.EventType),
					maxEventType,
				),
			),
		)
	}
	if err := checkPayload(body.ClientPayload); err != nil {
		return fail(err)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	d := Dispatch{body.EventType, body.ClientPayload}
	if err := f.arrive(c.repo, d, c.who()); err != nil {
		return fail(err)
	}
	c.repo.dispatches = append(c.repo.dispatches, d)
	return noContent()
}

func checkPayload(payload json.RawMessage) error {
	if payload == nil {
		return nil
	}
	var keys map[string]json.RawMessage
	if err := json.Unmarshal(payload, &keys); err != nil || keys == nil {
		return unprocessable("Invalid request. client_payload is not an object.")
	}
	if len(keys) > maxPayloadKeys {
		return unprocessable(
			fmt.Sprintf(
				"Invalid request. No more than %d properties are allowed; %d were supplied.",
				maxPayloadKeys,
				len(keys),
			),
		)
	}
	return nil
}
