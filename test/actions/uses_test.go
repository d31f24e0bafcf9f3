package actions_test

import (
	"io/fs"
	"path"
	"regexp"
	"strings"

	"go.yaml.in/yaml/v3"
)

// ourselves is the repository in other repositories' calls of our actions.
const ourselves = "kubestellar/actions"

var (
	pinned    = regexp.MustCompile(`^[\w.-]+/[\w./-]+@[0-9a-f]{40}$`)
	inComment = regexp.MustCompile(`^# v\d+\.\d+\.\d+$`)
)

// uses visits all calls of actions and reusable workflows.
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

// checkOnePin checks that an action is pinned to one commit everywhere, with one version.
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

// checkOwnActions checks that a workflow calls our actions by a path, and so runs the files of its own
// commit. A reusable workflow uses the path $/, because ./ refers to its caller's repository. An
// action calls no action of ours for the same reason.
func checkOwnActions(t *tree, say report) {
	t.uses(func(u unit, uses yaml.Node) {
		if !isOwn(uses.Value) {
			return
		}
		prefix := "./"
		if !u.composite && t.isReusable(u.path) && !strings.HasPrefix(uses.Value, "./.github/workflows/") {
			prefix = "$/"
		}
		switch folder, local := strings.CutPrefix(uses.Value, prefix); {
		case u.composite:
			say(u.document, uses.Line, "%s: an action calls %s, want a script by $GITHUB_ACTION_PATH", u.name, uses.Value)
		case !local:
			say(u.document, uses.Line, "%s: saw %s, want it by its path, %s…", u.name, uses.Value, prefix)
		case !exists(t.fsys, folder) && !exists(t.fsys, path.Join(folder, "action.yml")):
			say(u.document, uses.Line, "%s: there is no %s", u.name, uses.Value)
		}
	})
}

// ownAction returns the folder of the action of ours that a step calls.
func ownAction(s step) (folder string, own bool) {
	for _, prefix := range []string{"./actions/", "$/actions/"} {
		if folder, own = strings.CutPrefix(s.Uses.Value, prefix); own {
			return folder, true
		}
	}
	return "", false
}

func exists(fsys fs.FS, file string) bool {
	info, err := fs.Stat(fsys, file)
	return err == nil && !info.IsDir()
}
