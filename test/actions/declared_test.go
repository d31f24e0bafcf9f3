package actions_test

import (
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"io/fs"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

var (
	inputUse   = regexp.MustCompile(`\binputs(?:\.([\w-]+)|\['([^']+)'\])`)
	stepOutput = regexp.MustCompile(`\bsteps\.([\w-]+)\.outputs\.([\w-]+)`)
	kebab      = regexp.MustCompile(`^[a-z][a-z0-9]*(-[a-z0-9]+)*$`)
)

// offer is the set of inputs that a document accepts.
type offer struct {
	document
	inputs map[string]input
	// body is the part of the document that uses the inputs.
	body []*yaml.Node
}

// offers returns the offers of all actions, and of the workflows that are called or started by hand.
func (t *tree) offers() (all []offer, err error) {
	for _, a := range t.actions {
		all = append(all, offer{a.document, a.Inputs, []*yaml.Node{get(a.node, "runs"), get(a.node, "outputs")}})
	}
	for _, w := range t.workflows {
		inputs := map[string]input{}
		for _, event := range []string{"workflow_call", "workflow_dispatch"} {
			more := map[string]input{}
			if err := get(&w.On, event, "inputs").Decode(&more); err != nil {
				return nil, fmt.Errorf("%s: %w", w.path, err)
			}
			maps.Copy(inputs, more)
		}
		all = append(all, offer{w.document, inputs, []*yaml.Node{w.node}})
	}
	return all, nil
}

func checkInputs(t *tree, say report) {
	all, err := t.offers()
	if err != nil {
		say(document{}, 0, "%v", err)
	}
	for _, o := range all {
		used := map[string]bool{}
		for _, node := range o.body {
			for _, e := range expressions(node) {
				for _, name := range inputsIn(e.text) {
					used[name] = true
					if _, declared := o.inputs[name]; !declared {
						say(o.document, e.line, "input %s is used, but not declared", name)
					}
				}
			}
		}
		for _, name := range slices.Sorted(maps.Keys(o.inputs)) {
			o.checkInput(name, used[name], say)
		}
	}
}

func inputsIn(text string) (names []string) {
	for _, match := range inputUse.FindAllStringSubmatch(text, -1) {
		names = append(names, match[1]+match[2])
	}
	return names
}

func (o offer) checkInput(name string, used bool, say report) {
	line := o.lineOf(name)
	in := o.inputs[name]
	if !used {
		say(o.document, line, "input %s is declared, but nothing uses it", name)
	}
	if in.Description == "" {
		say(o.document, line, "input %s has no description", name)
	}
	if !kebab.MatchString(name) {
		say(o.document, line, "input %s is not in kebab-case", name)
	}
	if in.Required && in.Default != nil {
		say(o.document, line, "input %s is required and has a default: it is one or the other", name)
	}
}

func (o offer) lineOf(name string) int {
	for _, at := range [][]string{{"inputs"}, {"on", "workflow_call", "inputs"}, {"on", "workflow_dispatch", "inputs"}} {
		if key, _ := entry(get(o.node, at...), name); key.Line > 0 {
			return key.Line
		}
	}
	return 0
}

func checkDescriptions(t *tree, say report) {
	for _, a := range t.actions {
		if a.Name == "" || a.Description == "" {
			say(a.document, 1, "saw name %q and description %q, want both", a.Name, a.Description)
		}
	}
}

// checkOutputs checks that each output of an action has a description, and that a step writes it.
func checkOutputs(t *tree, say report) {
	for _, a := range t.actions {
		for _, name := range keys(get(a.node, "outputs")) {
			out := a.Outputs[name]
			key, _ := entry(get(a.node, "outputs"), name)
			if out.Description == "" {
				say(a.document, key.Line, "output %s has no description", name)
			}
			if !kebab.MatchString(name) {
				say(a.document, key.Line, "output %s is not in kebab-case", name)
			}
			if !stepOutput.MatchString(out.Value) {
				say(a.document, key.Line, "output %s has value %q, want ${{ steps.ID.outputs.NAME }}", name, out.Value)
			}
		}
	}
}

// checkStepOutputs checks that each use of a step's output names an earlier step that writes it.
func checkStepOutputs(t *tree, say report) {
	for _, u := range t.units {
		list := get(u.node, "steps")
		if u.composite {
			list = get(u.node, "runs", "steps")
		}
		for i, node := range list.Content {
			t.refer(u, node, u.steps[:i], say)
		}
		t.refer(u, get(u.node, "outputs"), u.steps, say)
	}
}

func (t *tree) refer(u unit, node *yaml.Node, before []step, say report) {
	for _, e := range expressions(node) {
		for _, match := range stepOutput.FindAllStringSubmatch(e.text, -1) {
			id, name := match[1], match[2]
			at := slices.IndexFunc(before, func(s step) bool { return s.ID == id })
			if at < 0 {
				say(u.document, e.line, "steps.%s.outputs.%s: no step before has the id %s", id, name, id)
				continue
			}
			switch writes, err := t.writes(before[at], name); {
			case err != nil:
				say(u.document, e.line, "steps.%s.outputs.%s: %v", id, name, err)
			case !writes:
				say(u.document, e.line, "steps.%s.outputs.%s: the step does not write %s", id, name, name)
			}
		}
	}
}

// runsGhhelper finds the commands of ghhelper in a script, outside of comments.
var runsGhhelper = regexp.MustCompile(`(?m)^[^#\n]*\bghhelper ([a-z]+)`)

// outputsFile declares the outputs of ghhelper's commands in a map of literals.
const outputsFile = "cmd/ghhelper/github.go"

func (t *tree) outputsOf() (map[string][]string, error) {
	data, err := fs.ReadFile(t.fsys, outputsFile)
	if err != nil {
		return nil, err
	}
	_, list, found := strings.Cut(string(data), "var outputsOf = ")
	list, _, closed := strings.Cut(list, "\n}\n")
	literal, err := parser.ParseExpr(list + "\n}")
	if err != nil || !found || !closed {
		return nil, errors.Join(fmt.Errorf("%s has no map outputsOf", outputsFile), err)
	}
	outputs := map[string][]string{}
	for _, e := range literal.(*ast.CompositeLit).Elts {
		command := e.(*ast.KeyValueExpr)
		for _, name := range command.Value.(*ast.CompositeLit).Elts {
			outputs[unquote(command.Key)] = append(outputs[unquote(command.Key)], unquote(name))
		}
	}
	return outputs, nil
}

func unquote(literal ast.Expr) string {
	text, _ := strconv.Unquote(literal.(*ast.BasicLit).Value)
	return text
}

// writes reports whether a step writes an output: in the form that our scripts use, or with a command
// of ghhelper. It assumes the outputs of other people's actions.
func (t *tree) writes(s step, name string) (bool, error) {
	if s.Run.Value != "" {
		text, err := t.script(s)
		if err != nil || strings.Contains(text, `echo "`+name+`=`) {
			return true, err
		}
		outputs, err := t.outputsOf()
		for _, match := range runsGhhelper.FindAllStringSubmatch(text, -1) {
			if slices.Contains(outputs[match[1]], name) {
				return true, err
			}
		}
		return false, err
	}
	folder, own := ownAction(s)
	if !own {
		return true, nil
	}
	for _, a := range t.actions {
		if _, ok := a.Outputs[name]; ok && a.folder() == folder {
			return true, nil
		}
	}
	return false, nil
}
