package world

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"path"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

const workflowFolder = ".github/workflows"

// workflow is what the forge understands of a workflow file.
type workflow struct {
	id      int64
	path    string
	Name    string        `yaml:"name"`
	RunName string        `yaml:"run-name"`
	On      triggers      `yaml:"on"`
	Jobs    yaml.Node     `yaml:"jobs"`
	jobs    []workflowJob // in the order of the file
}

type workflowJob struct{ key, name string }

// triggers are the events that start a workflow, each with what it says of the event.
type triggers map[string]trigger

type trigger struct {
	Types  words            `yaml:"types"`
	Inputs map[string]input `yaml:"inputs"`
}

// input is one of a workflow_dispatch.
type input struct {
	Required bool     `yaml:"required"`
	Default  *string  `yaml:"default"`
	Type     string   `yaml:"type"`
	Options  []string `yaml:"options"`
}

// words is a list, or one word alone.
type words []string

func (w *words) UnmarshalYAML(n *yaml.Node) error {
	if n.Kind == yaml.ScalarNode {
		*w = words{n.Value}
		return nil
	}
	return n.Decode((*[]string)(w))
}

// UnmarshalYAML takes the three forms: one event, a list of events, and events with what they say.
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

// title is how the file is called where nothing else is said.
func (w *workflow) title() string { return cmp.Or(w.Name, w.path) }

// listens says whether a repository_dispatch event of this type starts the workflow.
func (w *workflow) listens(eventType string) bool {
	on, ok := w.On["repository_dispatch"]
	return ok && (len(on.Types) == 0 || slices.Contains(on.Types, eventType))
}

func (w *workflow) startsOn(event string) bool {
	_, ok := w.On[event]
	return ok
}

// workflows are those of a commit, by path. A file that is no workflow is none, as on GitHub, which
// shows it as an error of its own.
func (r *repository) workflows(commit string) ([]*workflow, error) {
	out, err := r.run("", "ls-tree", "-z", "--full-tree", "--name-only", commit, "--", workflowFolder+"/")
	if err != nil {
		return nil, err
	}
	var all []*workflow
	for _, name := range strings.FieldsFunc(out, func(c rune) bool { return c == 0 }) {
		if ext := path.Ext(name); ext != ".yml" && ext != ".yaml" {
			continue
		}
		text, err := r.run("", "cat-file", "blob", commit+":"+name)
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

// mainWorkflows are those of the default branch; none in an empty repository.
func (r *repository) mainWorkflows() (all []*workflow, head string, err error) {
	head, found, err := r.commitOf("refs/heads/main")
	if err != nil || !found {
		return nil, "", err
	}
	all, err = r.workflows(head)
	return all, head, err
}

// called finds a workflow by its id or its file's name.
func called(all []*workflow, name string) *workflow {
	for _, w := range all {
		if strconv.FormatInt(w.id, 10) == name || path.Base(w.path) == name {
			return w
		}
	}
	return nil
}

// SetWorkflowDisabled disables a workflow, such as bump.yml, or enables it again.
func (w *World) SetWorkflowDisabled(fullName, file string, disabled bool) {
	r, _ := w.forge.repository(fullName)
	w.forge.mu.Lock()
	defer w.forge.mu.Unlock()
	if r.disabled == nil {
		r.disabled = map[string]bool{}
	}
	r.disabled[file] = disabled
}

// isDisabled is called with the forge's mu held.
func (r *repository) isDisabled(w *workflow) bool { return r.disabled[path.Base(w.path)] }

func (f *forge) listWorkflows(c *call) (reply, error) {
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

func (f *forge) getWorkflow(c *call) (reply, error) {
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

// maxInputs is how many inputs a dispatch may have.
const maxInputs = 25

type workflowDispatch struct {
	Ref     string         `json:"ref"`
	Inputs  map[string]any `json:"inputs"`
	Details bool           `json:"return_run_details"`
}

// dispatchWorkflow answers in the words of GitHub's, which are not documented but for their statuses.
func (f *forge) dispatchWorkflow(c *call) (reply, error) {
	ask, err := decode[workflowDispatch](c.Request)
	if err != nil {
		return fail(err)
	}
	if len(ask.Inputs) > maxInputs {
		return fail(unprocessable(fmt.Sprintf("Invalid request.\n\nNo more than %d properties are allowed; %d were supplied.", maxInputs, len(ask.Inputs))))
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
	r := f.start(c.repo, w, Run{Event: "workflow_dispatch", Branch: strings.TrimPrefix(strings.TrimPrefix(ask.Ref, "refs/heads/"), "refs/tags/"), SHA: head, Inputs: inputs}, c.who())
	if !ask.Details {
		return noContent()
	}
	return ok(map[string]any{"workflow_run_id": r.ID, "run_url": c.repo.api("/actions/runs/%d", r.ID), "html_url": c.repo.page("/actions/runs/%d", r.ID)})
}

// dispatchable finds the workflow as it is at the ref: GitHub knows it by the default branch, and
// runs the ref's.
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

// accept holds inputs to what the workflow says of them, and fills in its defaults.
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
		return unprocessable(fmt.Sprintf("Provided value '%s' for input '%s' not in the list of allowed values", value, name))
	}
	return nil
}
