package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/kubestellar/actions/internal/rehearsal/network"
	"github.com/kubestellar/actions/test/networktest"
	"github.com/kubestellar/actions/test/testkit"
)

// field is an argument that a workflow may take from an event: a command line with a valid value,
// and whether it may be empty.
type field struct {
	right string
	args  func(value string) []string
	// optional: an empty value means not given, which is valid.
	optional bool
}

// fields are all such arguments, by command and name. A workflow puts them behind "--", or behind a
// flag's "=".
var fields = map[string]field{
	"bump component": {"app", func(v string) []string { return []string{"bump", "--pull-request", "--", v, "1.1.0"} }, false},
	"bump version":   {"1.1.0", func(v string) []string { return []string{"bump", "--pull-request", "--", "app", v} }, false},
	"bump from": {"1.0.0", func(v string) []string {
		return []string{"bump", "--pull-request", "--from=" + v, "--", "app", "1.1.0"}
	}, true},
	"tag version":        {"0.1.0", func(v string) []string { return []string{"tag", "--", v} }, false},
	"tag commit":         {"HEAD", func(v string) []string { return []string{"tag", "--commit=" + v, "--", "0.1.0"} }, false},
	"dispatch component": {"app", func(v string) []string { return []string{"dispatch", "--to=example/tiny", "--", v, "1.1.0"} }, false},
	"dispatch version":   {"1.1.0", func(v string) []string { return []string{"dispatch", "--to=example/tiny", "--", "app", v} }, false},
	"dispatch to":        {"example/tiny", func(v string) []string { return []string{"dispatch", "--to=" + v, "--", "app", "1.1.0"} }, true},
	"dispatch workflow": {"bump.yml", func(v string) []string {
		return []string{"dispatch", "--to=example/tiny", "--workflow=" + v, "--", "app", "1.1.0"}
	}, true},
	"dispatch ref": {"main", func(v string) []string {
		return []string{"dispatch", "--to=example/tiny", "--ref=" + v, "--", "app", "1.1.0"}
	}, true},
	"prove component":       {"app", func(v string) []string { return []string{"prove", "--", v, "1.1.0"} }, false},
	"prove version":         {"1.1.0", func(v string) []string { return []string{"prove", "--", "app", v} }, false},
	"prove newest":          {"app", func(v string) []string { return []string{"prove", "--newest", "--", v} }, false},
	"release version":       {"0.1.0", func(v string) []string { return []string{"release", "--", v} }, false},
	"publish version":       {"0.1.0", func(v string) []string { return []string{"publish", "--", v} }, false},
	"goreleaser version":    {"0.1.0", func(v string) []string { return []string{"goreleaser", "--", v} }, false},
	"goreleaser workdir":    {"app", func(v string) []string { return []string{"goreleaser", "--workdir=" + v} }, false},
	"goreleaser repository": {"example/tiny", func(v string) []string { return []string{"goreleaser", "--repository=" + v} }, true},
	"stamp version":         {"0.1.0", func(v string) []string { return []string{"stamp", "--out=" + filepath.Join("..", "stamped"), "--", v} }, false},
}

// classes of hostile values, made from a valid one.
var classes = map[string]func(right string) string{
	"empty":                 func(string) string { return "" },
	"space":                 func(right string) string { return right + " " },
	"command substitution":  func(right string) string { return right + "$(touch pwned)" },
	"backquotes":            func(right string) string { return "`touch pwned`" + right },
	"next command":          func(right string) string { return right + ";touch pwned" },
	"pipe":                  func(right string) string { return right + "|touch pwned" },
	"redirect":              func(right string) string { return right + ">pwned" },
	"quotes":                func(right string) string { return right + `";'touch pwned';"` },
	"glob":                  func(right string) string { return "*" },
	"another line":          func(right string) string { return right + "\nstate=opened" },
	"carriage return":       func(right string) string { return right + "\r\nstate=opened" },
	"the output's end":      func(right string) string { return right + "\n_GitHubActionsFileCommandDelimeter_\nstate=opened" },
	"command of the runner": func(right string) string { return "\n::add-mask::" + right },
	"encoded command":       func(right string) string { return right + "%0A::error::x" },
	"expression":            func(right string) string { return right + "${{ github.token }}" },
	"template":              func(right string) string { return right + "{{ env.GITHUB_TOKEN }}" },
	"option":                func(string) string { return "--upload-pack=touch pwned" },
	"short option":          func(string) string { return "-ctouch.pwned" },
	"option of ours":        func(string) string { return "--allow-downgrade" },
	"path":                  func(right string) string { return "../../" + right },
	"path within":           func(right string) string { return right + "/../../../etc/passwd" },
	"absolute path":         func(string) string { return "/etc/passwd" },
	"terminal":              func(right string) string { return right + "\x1b]0;x\x07" },
	"no UTF-8":              func(right string) string { return right + "\xff\xfe" },
	"look-alike letter": func(right string) string {
		return strings.NewReplacer("a", "а", "1", "１", "D", "Ｄ", "m", "ｍ").Replace(right)
	}, // Cyrillic, full width
	"letter of no width":      func(right string) string { return right + "\u200b" },
	"text from right to left": func(right string) string { return right + "\u202e" },
	"long":                    func(right string) string { return strings.Repeat(right, 100_000/len(right)) },
	"rather long":             func(right string) string { return strings.Repeat(right, 3_000/len(right)) },
}

// Every field with a value of every class is refused as wrong usage, in few words without the
// command in it, and nothing is written, here or elsewhere.
func TestHostileArgumentsAreRefused(t *testing.T) {
	t.Parallel()
	s := newSiege(t)
	before := s.state()
	t.Run("group", func(t *testing.T) {
		for name, f := range fields {
			for class, of := range classes {
				if value := of(f.right); value != f.right && (value != "" || !f.optional) {
					t.Run(name+"/"+class, func(t *testing.T) {
						t.Parallel()
						s.refused(t, f.args(value))
					})
				}
			}
		}
	})
	if after := s.state(); after != before {
		t.Errorf("there was\n%s\nand now there is\n%s", before, after)
	}
	for _, r := range s.network.Requests()[s.begun:] {
		if r.Effect {
			t.Errorf("saw %s %s%s, want nothing that writes", r.Method, r.Host, r.Path)
		}
	}
	s.control(t)
}

// A megabyte is more than the system passes to a program, but not more than a function takes.
func TestMegabytesAreNotRepeated(t *testing.T) {
	t.Parallel()
	for name, f := range fields {
		var out, errs bytes.Buffer
		code := execute(context.Background(), f.args(strings.Repeat("1.0.0", 1<<18)), process{Stdout: &out, Stderr: &errs})
		if code != 2 || errs.Len() > 200 || out.Len() > 0 {
			t.Errorf("%s: exit code %d, %d and %d bytes printed, want 2, at most 200, and 0", name, code, errs.Len(), out.Len())
		}
	}
}

// siege is a clone in a fake network, and a workflow's job in it.
type siege struct {
	network *networktest.Network
	dir     string // that contains the clone
	clone   string
	env     []string
	begun   int // requests before the first attempt
}

func newSiege(t *testing.T) *siege {
	t.Helper()
	n := testkit.Start(t, network.Options{}, "example/app")
	app := n.Repo(filepath.Join(n.Dir, "app"))
	n.Git(n.Dir, "clone", "--quiet", "https://github.com/example/app", app.Dir)
	n.Push(app, "begin", nil)
	testkit.Git(t, app, "tag", "v1.1.0")
	testkit.Git(t, app, "push", "--quiet", "origin", "v1.1.0")
	tiny := n.Seed("example/tiny", map[string]string{"delivery.yaml": besieged, "values.yaml": "APP_VERSION: \"1.0.0\"\n"})
	s := &siege{network: n.Network, dir: n.Dir, clone: tiny.Dir}
	s.env = append(tiny.Env, "GITHUB_ACTIONS=true", "GITHUB_OUTPUT="+filepath.Join(n.Dir, "output"),
		"GITHUB_STEP_SUMMARY="+filepath.Join(n.Dir, "summary"))
	s.begun = len(n.Requests())
	return s
}

const besieged = `version: 1
self: tiny
components:
  tiny: {repository: example/tiny}
  app: {repository: example/app, names: [APP_VERSION]}
downstreams: [example/tiny]
`

// run runs ghhelper like a step of a job.
func (s *siege) run(args []string) (code int, said string) {
	cmd := exec.Command("ghhelper", args...)
	cmd.Dir, cmd.Env = s.clone, s.env
	out, err := cmd.CombinedOutput()
	if cmd.ProcessState == nil {
		return -1, err.Error()
	}
	return cmd.ProcessState.ExitCode(), string(out)
}

func (s *siege) refused(t *testing.T, args []string) {
	t.Helper()
	const most = 1500
	code, said := s.run(args)
	if code != 2 || !strings.HasPrefix(said, "ghhelper: ") || len(said) > most {
		t.Errorf("exit code %d and %d bytes, want 2, and an error of at most %d:\n%.600s", code, len(said), most, said)
	}
	if strings.Contains(said, s.network.Token()) {
		t.Errorf("the token is shown:\n%.600s", said)
	}
	for line := range strings.Lines(said) {
		if isCommand := strings.HasPrefix(strings.TrimSpace(line), "::"); isCommand && !strings.HasPrefix(line, "::error::") {
			t.Errorf("the runner gets %q", line)
		}
	}
	if strings.ContainsAny(said, "\x1b\x07\r\u202e\u200b") {
		t.Errorf("what controls a terminal is printed: %q", said)
	}
}

// state returns everything that could have been written: files around the clone, and the forge's
// contents.
func (s *siege) state() string {
	var all []string
	for _, pattern := range []string{"*", "example/*", "example/tiny/*", "example/tiny/.git/refs/*/*"} {
		found, _ := filepath.Glob(filepath.Join(s.dir, pattern)) // errs only on a malformed pattern
		all = append(all, found...)
	}
	for _, name := range []string{"example/tiny", "example/app"} {
		refs, err := exec.Command("git", "--git-dir", s.network.Forge.RepositoryDir(name), "for-each-ref").CombinedOutput()
		all = append(all, fmt.Sprintf("%s %v %d pull requests, %d dispatches", refs, err, len(s.network.Forge.PullRequests(name)),
			len(s.network.Forge.Dispatches(name))))
	}
	slices.Sort(all)
	return strings.Join(all, "\n")
}

// control runs the same harness with valid values: it writes.
func (s *siege) control(t *testing.T) {
	t.Helper()
	code, said := s.run(fields["bump component"].args("app"))
	if pulls := s.network.Forge.PullRequests("example/tiny"); code != 0 || len(pulls) != 1 {
		t.Errorf("with right values: exit code %d, %d pull requests, want 0 and 1:\n%s", code, len(pulls), said)
	}
	output, err := os.ReadFile(filepath.Join(s.dir, "output"))
	if err != nil || !strings.Contains(string(output), "\nopened\n") {
		t.Errorf("the outputs are %q, %v, want a state opened", output, err)
	}
}
