package actions_test

import (
	"io/fs"
	"path"
	"regexp"
	"strings"

	"go.yaml.in/yaml/v3"
)

// ourselves, as others call our actions.
const ourselves = "kubestellar/actions"

var (
	pinned    = regexp.MustCompile(`^[\w.-]+/[\w./-]+@[0-9a-f]{40}$`)
	inComment = regexp.MustCompile(`^# v\d+\.\d+\.\d+$`)
)

// uses are all calls of actions and reusable workflows.
func (t *tree) uses(visit func(u unit, uses yaml.Node)) {
	for _, u := range t.units {
		if call := get(u.node, "uses"); !u.composite && call.Value != "" {
			visit(u, *call)
		}
		for _, s := range u.steps {
			if s.Uses.Value != "" {
				visit(u, s.Uses)
			}
		}
	}
}

func isOwn(uses string) bool {
	return strings.HasPrefix(uses, "./") || strings.HasPrefix(uses, "$/") || uses == ourselves ||
		strings.HasPrefix(uses, ourselves+"/") || strings.HasPrefix(uses, ourselves+"@")
}

func checkPins(t *tree, say report) {
	t.uses(func(u unit, uses yaml.Node) {
		if isOwn(uses.Value) {
			return
		}
		if !pinned.MatchString(uses.Value) || !inComment.MatchString(uses.LineComment) {
			say(u.document, uses.Line, "%s: saw %q with comment %q, want owner/name@FULL-COMMIT # vX.Y.Z", u.name, uses.Value, uses.LineComment)
		}
	})
}

// checkOnePin: an action is used at one commit, and that commit has one
// version.
func checkOnePin(t *tree, say report) {
	pins := map[string]string{}
	t.uses(func(u unit, uses yaml.Node) {
		name, commit, _ := strings.Cut(uses.Value, "@")
		pin := commit + " " + uses.LineComment
		if first, seen := pins[name]; seen && first != pin {
			say(u.document, uses.Line, "%s: saw %s at %s, want %s as elsewhere", u.name, name, pin, first)
		} else {
			pins[name] = pin
		}
	})
}

// checkOwnActions: a workflow calls ours by a path, so that it runs what the
// commit holds; an action calls none, since a path there leads into the
// caller's tree.
func checkOwnActions(t *tree, say report) {
	t.uses(func(u unit, uses yaml.Node) {
		if !isOwn(uses.Value) {
			return
		}
		switch folder, local := strings.CutPrefix(uses.Value, "./"); {
		case u.composite:
			say(u.document, uses.Line, "%s: an action calls %s, want a script by $GITHUB_ACTION_PATH", u.name, uses.Value)
		case !local:
			say(u.document, uses.Line, "%s: saw %s, want it by its path, ./…", u.name, uses.Value)
		case !exists(t.fsys, folder) && !exists(t.fsys, path.Join(folder, "action.yml")):
			say(u.document, uses.Line, "%s: there is no %s", u.name, uses.Value)
		}
	})
}

func exists(fsys fs.FS, file string) bool {
	info, err := fs.Stat(fsys, file)
	return err == nil && !info.IsDir()
}
