// Package actions_test checks the composite actions and the workflows against rules that GitHub,
// actionlint and act do not check.
package actions_test

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// root is the path of the repository's root from this package.
const root = "../.."

// tree is the set of files that the rules check.
type tree struct {
	fsys      fs.FS
	actions   []action
	workflows []workflow
	units     []unit
}

// document is a YAML file, with its nodes for positions and comments.
type document struct {
	path string
	node *yaml.Node
}

type action struct {
	document    `yaml:"-"`
	Name        string
	Description string
	Inputs      map[string]input
	Outputs     map[string]output
	Runs        struct {
		Using string
		Steps []step
	}
}

type input struct {
	Description string
	Required    bool
	Default     *string
	Type        string   // only for inputs of workflows
	Options     []string // only for inputs of workflows
}

type output struct {
	Description string
	Value       string
}

type step struct {
	ID, Name, If, Shell string
	Uses, Run           yaml.Node
	With, Env           map[string]string
	WorkingDirectory    string `yaml:"working-directory"`
	ContinueOnError     string `yaml:"continue-on-error"`
}

type workflow struct {
	document    `yaml:"-"`
	On          yaml.Node
	RunName     string `yaml:"run-name"`
	Permissions yaml.Node
	Concurrency yaml.Node
	Defaults    struct{ Run struct{ Shell string } }
	Jobs        map[string]job
}

type job struct {
	Uses        yaml.Node
	With        map[string]string
	Secrets     map[string]string
	Permissions yaml.Node
	Concurrency yaml.Node
	Timeout     int `yaml:"timeout-minutes"`
	Steps       []step
}

// unit is a list of steps that run one after the other: a composite action or a job of a workflow.
type unit struct {
	document
	name  string     // name in messages
	node  *yaml.Node // node of the unit
	shell string     // shell of steps that name none
	steps []step
	// composite is true for an action and false for a job.
	composite bool
}

// load reads all actions and workflows. A tree without any is an error, because it would pass every
// rule.
func load(fsys fs.FS) (*tree, error) {
	t := &tree{fsys: fsys}
	err := errors.Join(t.loadActions(), t.loadWorkflows())
	if err == nil && (len(t.actions) == 0 || len(t.workflows) == 0) {
		err = fmt.Errorf("saw %d actions and %d workflows, want some of both: nothing would be checked", len(t.actions), len(t.workflows))
	}
	return t, err
}

func (t *tree) loadActions() error {
	paths, err := actionFiles(t.fsys)
	for _, p := range paths {
		a := action{document: document{path: p}}
		// actionlint does not check actions, so an unknown key must fail here.
		if readErr := a.read(t.fsys, &a, true); readErr != nil {
			return readErr
		}
		t.actions = append(t.actions, a)
		t.units = append(t.units, unit{document: a.document, name: a.Name, node: a.node, steps: a.Runs.Steps, composite: true})
	}
	return err
}

func (t *tree) loadWorkflows() error {
	paths, err := fs.Glob(t.fsys, ".github/workflows/*.y*ml")
	for _, p := range paths {
		w := workflow{document: document{path: p}}
		if readErr := w.read(t.fsys, &w, false); readErr != nil {
			return readErr
		}
		t.workflows = append(t.workflows, w)
		for _, id := range slices.Sorted(maps.Keys(w.Jobs)) {
			node := get(w.node, "jobs", id)
			t.units = append(t.units, unit{document: w.document, name: "job " + id, node: node, shell: w.Defaults.Run.Shell, steps: w.Jobs[id].Steps})
		}
	}
	return err
}

// actionFiles returns the files below actions/ that a caller can name.
func actionFiles(fsys fs.FS) (paths []string, err error) {
	err = fs.WalkDir(fsys, "actions", func(p string, entry fs.DirEntry, err error) error {
		if name := path.Base(p); name == "action.yml" || name == "action.yaml" {
			paths = append(paths, p)
		}
		return err
	})
	return paths, err
}

func (d *document) read(fsys fs.FS, into any, strict bool) error {
	data, err := fs.ReadFile(fsys, d.path)
	if err != nil {
		return err
	}
	var file yaml.Node
	if err := yaml.Unmarshal(data, &file); err != nil {
		return fmt.Errorf("%s: %w", d.path, err)
	}
	d.node = &file
	if len(file.Content) == 1 {
		d.node = file.Content[0]
	}
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	decoder.KnownFields(strict)
	if err := decoder.Decode(into); err != nil {
		return fmt.Errorf("%s: %w", d.path, err)
	}
	return nil
}

// folder returns the name of the document's folder.
func (d document) folder() string { return path.Base(path.Dir(d.path)) }

// get follows keys of mappings. It returns an empty node if a key is missing.
func get(node *yaml.Node, keys ...string) *yaml.Node {
	for _, key := range keys {
		_, node = entry(node, key)
	}
	return node
}

func entry(node *yaml.Node, key string) (k, v *yaml.Node) {
	for i := 0; node.Kind == yaml.MappingNode && i+1 < len(node.Content); i += 2 {
		if node.Content[i].Value == key {
			return node.Content[i], node.Content[i+1]
		}
	}
	return &yaml.Node{}, &yaml.Node{}
}

// keys returns the keys of a mapping in the file's order.
func keys(node *yaml.Node) []string {
	var names []string
	for i := 0; node.Kind == yaml.MappingNode && i < len(node.Content); i += 2 {
		names = append(names, node.Content[i].Value)
	}
	return names
}

// nodes returns a node and all nodes below it.
func nodes(node *yaml.Node) iter.Seq[*yaml.Node] {
	return func(yield func(*yaml.Node) bool) { walk(node, yield) }
}

func walk(node *yaml.Node, yield func(*yaml.Node) bool) bool {
	if !yield(node) {
		return false
	}
	for _, child := range node.Content {
		if !walk(child, yield) {
			return false
		}
	}
	return true
}

// expression is the text between ${{ and }}, or the condition of an if.
type expression struct {
	text string
	line int
}

var braces = regexp.MustCompile(`(?s)\$\{\{(.*?)\}\}`)

// expressions returns the expressions below a node.
func expressions(node *yaml.Node) []expression {
	var found []expression
	if node.Kind == yaml.ScalarNode {
		for _, match := range braces.FindAllStringSubmatch(node.Value, -1) {
			found = append(found, expression{match[1], node.Line})
		}
	}
	for i, child := range node.Content {
		if node.Kind == yaml.MappingNode && i%2 == 1 && node.Content[i-1].Value == "if" && !strings.Contains(child.Value, "${{") {
			found = append(found, expression{child.Value, child.Line})
		}
		found = append(found, expressions(child)...)
	}
	return found
}

// sourced finds the scripts of ours that a script names for shellcheck.
var sourced = regexp.MustCompile(`(?m)^# shellcheck source=(actions/_lib/[\w.-]+)$`)

var called = regexp.MustCompile(`\$GITHUB_ACTION_PATH/\.\./(_lib/[\w.-]+)`)

// script returns the text of a run step with the scripts of ours that it calls.
func (t *tree) script(s step) (string, error) {
	text := s.Run.Value
	for _, match := range called.FindAllStringSubmatch(s.Run.Value, -1) {
		data, err := fs.ReadFile(t.fsys, path.Join("actions", match[1]))
		if err != nil {
			return "", err
		}
		text += "\n" + string(data)
		for _, more := range sourced.FindAllStringSubmatch(string(data), -1) {
			part, err := fs.ReadFile(t.fsys, more[1])
			if err != nil {
				return "", err
			}
			text += "\n" + string(part)
		}
	}
	return text, nil
}
