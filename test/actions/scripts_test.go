package actions_test

import (
	"cmp"
	"errors"
	"maps"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// mostLines is the limit for a script in YAML, because it cannot be tested there.
const mostLines = 12

// scripts visits the run steps of all units.
func (t *tree) scripts(visit func(u unit, s step)) {
	for _, u := range t.units {
		for _, s := range u.steps {
			if s.Run.Value != "" {
				visit(u, s)
			}
		}
	}
}

func checkExpressions(t *tree, say report) {
	t.scripts(func(u unit, s step) {
		if strings.Contains(s.Run.Value, "${{") {
			say(u.document, s.Run.Line, "%s: ${{ }} in a script is text that its author did not write: pass it through env", u.name)
		}
	})
}

func checkScriptLength(t *tree, say report) {
	t.scripts(func(u unit, s step) {
		if n := len(strings.Split(strings.TrimSpace(s.Run.Value), "\n")); n > mostLines {
			say(u.document, s.Run.Line, "%s: saw a script of %d lines, want at most %d: put it into actions/_lib or ghhelper", u.name, n, mostLines)
		}
	})
}

func checkShell(t *tree, say report) {
	t.scripts(func(u unit, s step) {
		if shell := cmp.Or(s.Shell, u.shell); shell != "bash" {
			say(u.document, s.Run.Line, "%s: saw shell %q, want bash, which is then run with -eo pipefail", u.name, shell)
		}
	})
}

// checkScriptFails checks that each script of an action sets its own options, because actions also run
// in shells with other options.
func checkScriptFails(t *tree, say report) {
	t.scripts(func(u unit, s step) {
		if u.composite && !strings.HasPrefix(s.Run.Value, "set -euo pipefail\n") {
			say(u.document, s.Run.Line, "%s: the script does not begin with set -euo pipefail", u.name)
		}
	})
}

// readByGhhelper are variables that ghhelper reads and no script does.
var readByGhhelper = []string{"GITHUB_TOKEN", "DISPATCH_TOKEN"}

// checkEnv checks that each script reads the variables that its step sets.
func checkEnv(t *tree, say report) {
	t.scripts(func(u unit, s step) {
		text, err := t.script(s)
		if err != nil {
			say(u.document, s.Run.Line, "%v", err)
		}
		for _, name := range slices.Sorted(maps.Keys(s.Env)) {
			read := regexp.MustCompile(`\$\{?` + regexp.QuoteMeta(name) + `\b`).MatchString(text)
			if !read && !slices.Contains(readByGhhelper, name) {
				say(u.document, s.Run.Line, "%s: the variable %s is set, but the script does not read it", u.name, name)
			}
		}
	})
}

// errNoShellcheck reports that scripts could not be checked.
var errNoShellcheck = errors.New("no command shellcheck found on PATH: install it, by apt-get install shellcheck or brew install shellcheck")

// shellcheck returns shellcheck's report on a script.
func shellcheck(script string) (string, error) {
	command, err := exec.LookPath("shellcheck")
	if err != nil {
		return "", errNoShellcheck
	}
	cmd := exec.Command(command, "--shell=bash", "-")
	cmd.Stdin = strings.NewReader(script)
	out, err := cmd.CombinedOutput()
	if exit := new(exec.ExitError); errors.As(err, &exit) && exit.ExitCode() == 1 {
		return string(out), nil // exit code 1 means findings
	}
	return string(out), err
}

func TestScriptsPassShellcheck(t *testing.T) {
	t.Parallel()
	tree, err := load(os.DirFS(root))
	if err != nil {
		t.Fatal(err)
	}
	looked := 0
	tree.scripts(func(u unit, s step) {
		said, err := shellcheck(s.Run.Value)
		if errors.Is(err, errNoShellcheck) {
			skipOrFail(t, err)
		}
		if err != nil || said != "" {
			t.Errorf("%s:%d: %s: %v\n%s", u.path, s.Run.Line, u.name, err, said)
		}
		looked++
	})
	if looked == 0 {
		t.Error("saw no scripts, want some")
	}
}

func TestShellcheckFindsFaults(t *testing.T) {
	t.Parallel()
	said, err := shellcheck("rm -r $1/bin\n")
	if errors.Is(err, errNoShellcheck) {
		skipOrFail(t, err)
	}
	if err != nil || !strings.Contains(said, "SC2086") {
		t.Errorf("saw %q, %v, want SC2086", said, err)
	}
}

// skipOrFail skips a test if the machine lacks a program that only tests need. In CI it fails the
// test.
func skipOrFail(t *testing.T, lacks error) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatal(lacks)
	}
	t.Skip(lacks)
}
