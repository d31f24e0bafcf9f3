package actions_test

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/rogpeppe/go-internal/txtar"
)

// report records that a line of a file breaks a rule.
type report func(d document, line int, format string, args ...any)

// rules are the rules for actions and workflows. Each has a case in testdata/wrong that breaks it.
var rules = map[string]func(*tree, report){
	"inputs":         checkInputs,
	"outputs":        checkOutputs,
	"step-outputs":   checkStepOutputs,
	"descriptions":   checkDescriptions,
	"expressions":    checkExpressions,
	"script-length":  checkScriptLength,
	"shell":          checkShell,
	"script-fails":   checkScriptFails,
	"env":            checkEnv,
	"pins":           checkPins,
	"one-pin":        checkOnePin,
	"own-actions":    checkOwnActions,
	"permissions":    checkPermissions,
	"reasons":        checkReasons,
	"timeout":        checkTimeout,
	"concurrency":    checkConcurrency,
	"credentials":    checkCredentials,
	"history":        checkHistory,
	"attestations":   checkAttestations,
	"release-tags":   checkReleaseTags,
	"release-token":  checkReleaseToken,
	"tool-images":    checkToolImages,
	"prebuilt":       checkPrebuilt,
	"setup-token":    checkSetupToken,
	"tokens":         checkTokens,
	"calls":          checkCalls,
	"called":         checkCalled,
	"bump-events":    checkBumpEvents,
	"bump-choices":   checkBumpChoices,
	"payload":        checkPayload,
	"readme-lists":   checkLists,
	"readme-calls":   checkReadmeCalls,
	"readme-tables":  checkTables,
	"readme-example": checkExample,
	"dependabot":     checkDependabot,
}

// findings returns the findings of the rules for a tree, sorted, as "path:line: [rule] text".
func findings(fsys fs.FS) ([]string, error) {
	t, err := load(fsys)
	if err != nil {
		return nil, err
	}
	var found []string
	for name, check := range rules {
		check(t, func(d document, line int, format string, args ...any) {
			found = append(found, fmt.Sprintf("%s:%d: [%s] ", d.path, line, name)+fmt.Sprintf(format, args...))
		})
	}
	slices.Sort(found)
	return found, nil
}

func TestThisRepository(t *testing.T) {
	t.Parallel()
	found, err := findings(os.DirFS(root))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range found {
		t.Error(f)
	}
}

// Each case is a set of files that replace files of a correct tree. The comment of the archive has one
// line for each finding. The parts of a line between "..." must all occur in the finding, in order. A
// line "- path" deletes a file.
func TestWrongTrees(t *testing.T) {
	t.Parallel()
	cases, err := filepath.Glob("testdata/wrong/*.txtar")
	if err != nil || len(cases) == 0 {
		t.Fatalf("no cases: %v", err)
	}
	right := archive(t, "testdata/right.txtar")
	if found, err := findings(lay(right)); err != nil || len(found) > 0 {
		t.Errorf("the right tree: saw %q, %v, want nothing", found, err)
	}
	broken := map[string]bool{}
	for _, file := range cases {
		wrong := archive(t, file)
		for rule := range rules {
			broken[rule] = broken[rule] || strings.Contains(string(wrong.Comment), "["+rule+"]")
		}
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			t.Parallel()
			checkWrong(t, right, wrong)
		})
	}
	for rule := range rules {
		if !broken[rule] {
			t.Errorf("rule %s: want a case in testdata/wrong that breaks it", rule)
		}
	}
}

func checkWrong(t *testing.T, right, wrong *txtar.Archive) {
	fsys := lay(right, wrong)
	var want []string
	for _, line := range strings.Split(strings.TrimSpace(string(wrong.Comment)), "\n") {
		if taken, ok := strings.CutPrefix(line, "- "); ok {
			delete(fsys, taken)
		} else {
			want = append(want, line)
		}
	}
	found, err := findings(fsys)
	if err != nil {
		found = append(found, err.Error())
	}
	if len(found) != len(want) {
		t.Fatalf("saw\n  %s\nwant\n  %s", strings.Join(found, "\n  "), strings.Join(want, "\n  "))
	}
	for i := range want {
		if !inOrder(found[i], strings.Split(want[i], "...")) {
			t.Errorf("saw  %s\nwant %s", found[i], want[i])
		}
	}
}

// inOrder reports whether all parts occur in the text, one after the other.
func inOrder(text string, parts []string) bool {
	for _, part := range parts {
		at := strings.Index(text, part)
		if at < 0 {
			return false
		}
		text = text[at+len(part):]
	}
	return true
}

func archive(t *testing.T, file string) *txtar.Archive {
	t.Helper()
	a, err := txtar.ParseFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// lay returns the files of several archives. Later archives replace files of earlier ones.
func lay(archives ...*txtar.Archive) fstest.MapFS {
	fsys := fstest.MapFS{}
	for _, a := range archives {
		for _, f := range a.Files {
			fsys[f.Name] = &fstest.MapFile{Data: f.Data, Mode: 0o644}
		}
	}
	return fsys
}
