package actions_test

import (
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

var update = flag.Bool("update", false, "rewrite the tables in the READMEs of the actions")

func (a action) readme() document { return document{path: path.Join(path.Dir(a.path), "README.md")} }

// table is a section of a README that is derived from action.yml.
type table struct{ heading, text string }

func (a action) tables() []table {
	var all []table
	if names := keys(get(a.node, "inputs")); len(names) > 0 {
		text := "\n| input | description | default |\n|---|---|---|\n"
		for _, name := range names {
			text += fmt.Sprintf("| `%s` | %s | %s |\n", name, cell(a.Inputs[name].Description), a.Inputs[name].shown())
		}
		all = append(all, table{"## Inputs\n", text})
	}
	if names := keys(get(a.node, "outputs")); len(names) > 0 {
		text := "\n| output | description |\n|---|---|\n"
		for _, name := range names {
			text += fmt.Sprintf("| `%s` | %s |\n", name, cell(a.Outputs[name].Description))
		}
		all = append(all, table{"## Outputs\n", text})
	}
	return all
}

func (in input) shown() string {
	switch {
	case in.Default == nil && in.Required:
		return "required"
	case in.Default == nil:
		return "none"
	}
	return "`\"" + *in.Default + "\"`"
}

func cell(text string) string {
	return strings.ReplaceAll(strings.Join(strings.Fields(text), " "), "|", `\|`)
}

// section splits a text around the content below a heading.
func section(text, heading string) (before, inside, after string, found bool) {
	start := strings.Index(text, heading)
	if start < 0 {
		return text, "", "", false
	}
	start += len(heading)
	end := len(text)
	if next := strings.Index(text[start:], "\n## "); next >= 0 {
		end = start + next
	}
	return text[:start], text[start:end], text[end:], true
}

func checkTables(t *tree, say report) {
	for _, a := range t.actions {
		text, err := fs.ReadFile(t.fsys, a.readme().path)
		if err != nil {
			say(a.readme(), 0, "%v", err)
			continue
		}
		for _, want := range a.tables() {
			if _, got, _, found := section(string(text), want.heading); !found || got != want.text {
				say(a.readme(), 0, "%s differs from action.yml: go test ./test/actions -update rewrites it", strings.TrimSpace(want.heading))
			}
		}
	}
}

// TestUpdate rewrites the tables that checkTables checks.
func TestUpdate(t *testing.T) {
	if !*update {
		t.Skip("only with -update")
	}
	tree, err := load(os.DirFS(root))
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range tree.actions {
		if err := a.rewrite(); err != nil {
			t.Error(err)
		}
	}
}

func (a action) rewrite() error {
	file := filepath.Join(root, a.readme().path)
	data, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	text := string(data)
	for _, want := range a.tables() {
		before, _, after, found := section(text, want.heading)
		if !found {
			return fmt.Errorf("%s has no section %q, want one", file, strings.TrimSpace(want.heading))
		}
		text = before + want.text + after
	}
	return os.WriteFile(file, []byte(text), 0o644)
}

var example = regexp.MustCompile("(?s)```yaml\n(.*?)```")

// checkExample checks that the README has an example of its action, pinned by commit, with declared
// inputs.
func checkExample(t *tree, say report) {
	for _, a := range t.actions {
		text, err := fs.ReadFile(t.fsys, a.readme().path)
		if err != nil {
			continue // checkTables reports this
		}
		calls := 0
		for _, match := range example.FindAllStringSubmatch(string(text), -1) {
			steps, err := stepsIn(match[1])
			if err != nil {
				say(a.readme(), 0, "an example is no YAML: %v", err)
			}
			for _, s := range steps {
				calls += a.checkCall(s, say)
			}
		}
		if calls == 0 {
			say(a.readme(), 0, "no example calls %s", a.call())
		}
	}
}

// call returns the name by which other repositories call the action, without the commit.
func (a action) call() string { return ourselves + "/actions/" + a.folder() + "@<commit>" }

// checkCall checks one step of an example, and returns the number of calls of a.
func (a action) checkCall(s step, say report) int {
	if !strings.HasSuffix(s.Uses.Value, "@<commit>") && s.Uses.Value != "" {
		say(a.readme(), 0, "an example calls %s, want …@<commit>", s.Uses.Value)
	}
	if s.Uses.Value != a.call() {
		return 0
	}
	for name := range s.With {
		if _, declared := a.Inputs[name]; !declared {
			say(a.readme(), 0, "an example gives the input %s, which is not declared", name)
		}
	}
	return 1
}

// stepsIn returns the steps of an example, which is a list of steps, a job or a workflow.
func stepsIn(text string) ([]step, error) {
	var file yaml.Node
	if err := yaml.Unmarshal([]byte(text), &file); err != nil {
		return nil, err
	}
	lists := []*yaml.Node{}
	for node := range nodes(&file) {
		if node.Kind == yaml.SequenceNode {
			lists = append(lists, node)
		}
	}
	var all []step
	for _, list := range lists {
		var steps []step
		if slices.ContainsFunc(list.Content, func(n *yaml.Node) bool { return n.Kind == yaml.MappingNode }) {
			if err := list.Decode(&steps); err != nil {
				return nil, err
			}
		}
		all = append(all, steps...)
	}
	return all, nil
}
