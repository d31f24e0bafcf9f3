package actions_test

import (
	"cmp"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// isReusable reports whether other workflows may call a workflow.
func (w workflow) isReusable() bool {
	return w.On.Value == "workflow_call" || slices.Contains(keys(&w.On), "workflow_call")
}

func (t *tree) isReusable(file string) bool {
	return slices.ContainsFunc(t.workflows, func(w workflow) bool { return w.path == file && w.isReusable() })
}

// callsOurs returns the file of our workflow that a job calls, or "" if it calls none.
func callsOurs(j job) string {
	file, ours := strings.CutPrefix(j.Uses.Value, "./")
	if !ours {
		return ""
	}
	return file
}

func (t *tree) callee(j job) (workflow, bool) {
	at := slices.IndexFunc(t.workflows, func(w workflow) bool { return w.path == callsOurs(j) })
	if at < 0 {
		return workflow{}, false
	}
	return t.workflows[at], true
}

// ranks orders the levels of a permission.
var ranks = map[string]int{"": 0, "none": 0, "read": 1, "write": 2}

// checkCalls checks that a job that calls a workflow grants the permissions of that workflow's jobs.
// Otherwise GitHub refuses to start the run.
func checkCalls(t *tree, say report) {
	t.jobs(func(w workflow, id string, j job) {
		callee, ok := t.callee(j)
		if !ok {
			return
		}
		for _, lack := range j.lacks(callee) {
			say(w.document, w.line(id), "job %s %s", id, lack)
		}
	})
}

// lacks returns the permissions that a workflow's jobs request and the calling job does not grant.
func (j job) lacks(callee workflow) (all []string) {
	for _, inner := range slices.Sorted(maps.Keys(callee.Jobs)) {
		asked := callee.Jobs[inner].Permissions
		for _, scope := range keys(&asked) {
			grants, wants := get(&j.Permissions, scope).Value, get(&asked, scope).Value
			if ranks[grants] < ranks[wants] {
				all = append(all, fmt.Sprintf("grants %s %q, want %q, as job %s of %s asks for", scope, grants, wants, inner, callee.path))
			}
		}
	}
	return all
}

// checkCalled checks that we use each reusable workflow ourselves.
func checkCalled(t *tree, say report) {
	calls := map[string]bool{}
	t.jobs(func(_ workflow, _ string, j job) { calls[callsOurs(j)] = true })
	for _, w := range t.workflows {
		if w.isReusable() && !calls[w.path] {
			say(w.document, 1, "no workflow of ours calls it")
		}
	}
}

// resolved replaces inputs in values with the given values or their defaults.
func (w workflow) resolved(values, given map[string]string) map[string]string {
	all := map[string]string{}
	for name, value := range values {
		all[name] = braces.ReplaceAllStringFunc(value, func(text string) string {
			return w.value(strings.Trim(text, "${} "), given)
		})
	}
	return all
}

// value evaluates an expression of inputs and the owner to the first value that is not empty. It
// leaves other expressions as they are.
func (w workflow) value(expression string, given map[string]string) string {
	for _, term := range strings.Split(expression, " || ") {
		name, isInput := strings.CutPrefix(term, "inputs.")
		value := term
		switch {
		case isInput:
			value = cmp.Or(given[name], get(&w.On, "workflow_call", "inputs", name, "default").Value)
		case term == "github.repository_owner":
			value = path.Dir(ourselves)
		}
		if value != "" {
			return value
		}
	}
	return ""
}

// bumpWorkflow is started by an upstream's release.
const bumpWorkflow = ".github/workflows/bump.yml"

// checkBumpEvents checks a receiver for the events and inputs that `ghhelper dispatch` uses, see
// internal/dispatch.
func checkBumpEvents(t *tree, say report) {
	w, ok := t.workflow(bumpWorkflow, say)
	if !ok {
		return
	}
	var types []string
	if err := get(&w.On, "repository_dispatch", "types").Decode(&types); err != nil || !slices.Equal(types, []string{"upstream-released"}) {
		say(w.document, w.On.Line, "saw repository_dispatch of types %q, want upstream-released alone", types)
	}
	for _, name := range []string{"component", "version", "id"} {
		if get(&w.On, "workflow_dispatch", "inputs", name).Kind == 0 {
			say(w.document, w.On.Line, "workflow_dispatch has no input %s", name)
		}
	}
	for _, id := range []string{"github.event.client_payload.id", "inputs.id"} {
		if !strings.Contains(w.RunName, id) {
			say(w.document, w.On.Line, "run-name does not show %s, by which the run is found", id)
		}
	}
}

// checkBumpChoices checks that the choices of the input component are the components that can be
// bumped.
func checkBumpChoices(t *tree, say report) {
	w, ok := t.workflow(bumpWorkflow, say)
	if !ok {
		return
	}
	want, err := t.bumpable()
	if err != nil {
		say(w.document, 0, "%v", err)
	}
	var got []string
	choices := get(&w.On, "workflow_dispatch", "inputs", "component", "options")
	if err := choices.Decode(&got); err != nil || !slices.Equal(slices.Sorted(slices.Values(got)), want) {
		say(w.document, choices.Line, "saw the choices %q, want %q, the components of delivery.yaml that others release", got, want)
	}
}

// bumpable returns the components that other repositories release.
func (t *tree) bumpable() ([]string, error) {
	data, err := fs.ReadFile(t.fsys, "delivery.yaml")
	if err != nil {
		return nil, err
	}
	var d struct {
		Self       string
		Components map[string]struct{ Lockstep string }
	}
	if err := yaml.Unmarshal(data, &d); err != nil {
		return nil, fmt.Errorf("delivery.yaml: %w", err)
	}
	maps.DeleteFunc(d.Components, func(name string, c struct{ Lockstep string }) bool { return name == d.Self || c.Lockstep == d.Self })
	return slices.Sorted(maps.Keys(d.Components)), nil
}

var payloadField = regexp.MustCompile(`\bclient_payload\b(\.\w+)?`)

// checkPayload checks that only three fields of an external event are read. ghhelper validates two of
// them. delivery.yaml decides a component's repository.
func checkPayload(t *tree, say report) {
	known := []string{"client_payload.component", "client_payload.version", "client_payload.id"}
	for _, d := range t.documents() {
		for _, e := range expressions(d.node) {
			for _, field := range payloadField.FindAllString(e.text, -1) {
				if !slices.Contains(known, field) {
					say(d, e.line, "saw %s, want none but %s", field, strings.Join(known, ", "))
				}
			}
		}
	}
}

func (t *tree) documents() (all []document) {
	for _, a := range t.actions {
		all = append(all, a.document)
	}
	for _, w := range t.workflows {
		all = append(all, w.document)
	}
	return all
}

var row = regexp.MustCompile(`(?m)^\| \[[^\]]+\]\(\.\./((?:actions|\.github/workflows)/[^)]+)\) \| [^|\n]+ \|$`)

// checkLists checks that the tables of docs/actions.md have a row for each action and each workflow.
func checkLists(t *tree, say report) {
	page := document{path: "docs/actions.md"}
	text, err := fs.ReadFile(t.fsys, page.path)
	if err != nil {
		say(page, 0, "%v", err)
		return
	}
	listed := map[string]bool{}
	for _, match := range row.FindAllStringSubmatch(string(text), -1) {
		listed[match[1]] = true
		if !exists(t.fsys, match[1]) {
			say(page, 0, "a table lists %s, which is not there", match[1])
		}
	}
	for _, d := range t.documents() {
		file := d.path
		if strings.HasPrefix(file, "actions/") {
			file = path.Join(path.Dir(file), "README.md")
		}
		if !listed[file] {
			say(page, 0, "no table lists %s", file)
		}
	}
}

// checkReadmeCalls checks that each example of a call of a reusable workflow in the README is valid.
func checkReadmeCalls(t *tree, say report) {
	readme := document{path: "README.md"}
	text, err := fs.ReadFile(t.fsys, readme.path)
	if err != nil {
		return // checkLists reports this
	}
	shown := map[string]bool{}
	for _, match := range example.FindAllStringSubmatch(string(text), -1) {
		var w workflow
		if err := yaml.Unmarshal([]byte(match[1]), &w); err != nil {
			continue // a list of steps or a part of a workflow
		}
		for _, id := range slices.Sorted(maps.Keys(w.Jobs)) {
			file, ours := strings.CutPrefix(w.Jobs[id].Uses.Value, ourselves+"/")
			file, byCommit := strings.CutSuffix(file, "@<commit>")
			if !ours {
				continue
			}
			shown[file] = true
			for _, wrong := range t.wrongCall(w.Jobs[id], file, byCommit) {
				say(readme, 0, "an example of a call of %s %s", file, wrong)
			}
		}
	}
	for _, w := range t.workflows {
		if w.isReusable() && !shown[w.path] {
			say(readme, 0, "no example calls %s", w.path)
		}
	}
}

func (t *tree) wrongCall(j job, file string, byCommit bool) []string {
	callee, there := t.callee(job{Uses: yaml.Node{Value: "./" + file}})
	if !there || !byCommit {
		return []string{"calls what is not there, or not …@<commit>"}
	}
	all := j.lacks(callee)
	inputs := get(&callee.On, "workflow_call", "inputs")
	for _, name := range slices.Sorted(maps.Keys(j.With)) {
		if get(inputs, name).Kind == 0 {
			all = append(all, "gives the input "+name+", which is not declared")
		}
	}
	for _, name := range keys(inputs) {
		if _, given := j.With[name]; !given && get(inputs, name, "required").Value == "true" {
			all = append(all, "does not give the input "+name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(j.Secrets)) {
		if get(&callee.On, "workflow_call", "secrets", name).Kind == 0 {
			all = append(all, "gives the secret "+name+", which is not declared")
		}
	}
	return all
}
