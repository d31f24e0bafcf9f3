package actions_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// git runs git in the caller's repository, with a test identity.
func (r runner) git(args ...string) string {
	r.t.Helper()
	cmd := exec.Command("git", args...)
	cmd.Dir = r.work
	cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL="+os.DevNull,
		"GIT_AUTHOR_NAME=x", "GIT_AUTHOR_EMAIL=x@example.com", "GIT_COMMITTER_NAME=x", "GIT_COMMITTER_EMAIL=x@example.com")
	out, err := cmd.CombinedOutput()
	if err != nil {
		r.t.Fatalf("git %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

// newDeriver creates a repository in which derive.sh copies the file source to the file derived. more
// is appended to derive.sh.
func newDeriver(t *testing.T, more string) runner {
	t.Helper()
	r := newRunner(t)
	r.git("init", "--quiet")
	r.put("source", "one\n")
	r.put("derived", "one\n")
	r.put("deep/derive.sh", "cp ../source ../derived\n"+more)
	r.put("derive.sh", "cd deep && . ./derive.sh\n")
	r.commit()
	return r
}

func (r runner) put(name, text string) {
	r.t.Helper()
	path := filepath.Join(r.work, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		r.t.Fatal(err)
	}
	r.file(path, text, 0o644)
}

func (r runner) commit() {
	r.t.Helper()
	r.git("add", "--all")
	r.git("commit", "--quiet", "--message", "x")
}

// derive runs the script. It checks that the script changes none of the caller's files and leaves none
// behind.
func (r runner) derive(env ...string) (code int, said string) {
	r.t.Helper()
	before := r.state()
	code, out, errOut := r.run(append([]string{"GITHUB_ACTIONS=", "COMMAND=bash derive.sh", "DIRECTORY="}, env...), "verify-derived.sh")
	if after := r.state(); after != before {
		r.t.Errorf("the caller's repository changed from\n%s\nto\n%s", before, after)
	}
	if left, _ := filepath.Glob(filepath.Join(r.temp, "verify-derived.*")); len(left) > 0 {
		r.t.Errorf("left behind: %v", left)
	}
	return code, out + errOut
}

// state returns the visible state of the caller's repository.
func (r runner) state() string {
	r.t.Helper()
	if _, err := os.Stat(filepath.Join(r.work, ".git")); err != nil {
		return "no repository"
	}
	return r.git("status", "--porcelain", "--branch", "--ignored") + r.git("for-each-ref") + r.git("worktree", "list") + r.git("stash", "list")
}

func TestVerifyDerived(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		more   string // appended to derive.sh
		change func(r runner)
		env    []string
		code   int
		says   []string
	}{
		"fresh": {says: []string{"bash derive.sh changes nothing at "}},
		"stale": {change: func(r runner) { r.put("source", "two\n"); r.commit() }, code: 1,
			says: []string{"-one\n+two\n", "stale (diff above): derived; run bash derive.sh and commit the result"}},
		"a new file":     {more: "echo new >../more\n", code: 1, says: []string{"new file mode", "+new\n", "(diff above): more; run"}},
		"a deleted file": {more: "rm ../derived\n", code: 1, says: []string{"deleted file mode", "-one\n", "(diff above): derived; run"}},
		"another mode":   {more: "chmod +x ../derived\n", code: 1, says: []string{"old mode 100644\nnew mode 100755"}},
		"several files":  {more: "echo x >../a; echo y >>../source\n", code: 1, says: []string{"(diff above): a, source; run"}},
		"a commit": {
			more: "echo x >../a; git add --all; git -c user.name=x -c user.email=x@x commit -qm x\n",
			code: 1, says: []string{"(diff above): a; run"},
		},
		"an ignored file":  {more: "echo x >../a\n", change: func(r runner) { r.put(".gitignore", "a\n"); r.commit() }},
		"a read-only file": {more: "mkdir ../x && echo y >../x/y && chmod -R a-w ../x\n", code: 1, says: []string{"(diff above): x/y; run"}},
		"a dirty tree": {change: func(r runner) { r.put("source", "two\n") }, code: 2,
			says: []string{"must be invoked in a state where the git status is clean", " M source"}},
		"a dirty index":     {change: func(r runner) { r.put("n", "two\n"); r.git("add", "n") }, code: 2, says: []string{"A  n"}},
		"an untracked file": {change: func(r runner) { r.put("scratch", "two\n") }},
		"a failing command": {more: "exit 7\n", code: 3, says: []string{"could not derive: bash derive.sh ended with exit code 7"}},
		"an absent command": {env: []string{"COMMAND=no-such-command"}, code: 3, says: []string{"no-such-command ended with exit code 127"}},
		"no command":        {env: []string{"COMMAND= \n"}, code: 2, says: []string{"no command: the input command is empty"}},
		"words, no shell":   {env: []string{"COMMAND=printf <%s> * $(id) a;b\nc"}, says: []string{"<*><$(id)><a;b><c>"}},
		"a folder":          {env: []string{"DIRECTORY=deep"}, more: "echo x >new\n", code: 1, says: []string{"(diff above): deep/new; run"}},
		"no such folder":    {env: []string{"DIRECTORY=shallow"}, code: 2, says: []string{`directory "shallow" is not in a clone`}},
		"without a checkout": {
			change: func(r runner) { _ = os.RemoveAll(filepath.Join(r.work, ".git")) },
			code:   2, says: []string{`directory "." is not in a clone`},
		},
		"without a commit": {change: func(r runner) { _ = os.RemoveAll(filepath.Join(r.work, ".git")); r.git("init", "--quiet") }, code: 2,
			says: []string{"has no commit yet"}},
		"on a runner": {env: []string{"GITHUB_ACTIONS=true"}, more: "echo ::stop >>../derived\n", code: 1,
			says: []string{"::stop-commands::verify-derived.", "+::stop\n::verify-derived.",
				"::error title=ghhelper::stale (diff above): derived; run bash derive.sh"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newDeriver(t, c.more)
			if c.change != nil {
				c.change(r)
			}
			code, said := r.derive(c.env...)
			if code != c.code {
				t.Errorf("saw exit code %d, want %d\n%s", code, c.code, said)
			}
			for _, part := range c.says {
				want(t, "output", said, part)
			}
		})
	}
}

// actions/checkout fetches one commit and checks out no branch.
func TestVerifyDerivedInAShallowClone(t *testing.T) {
	t.Parallel()
	r := newDeriver(t, "")
	r.put("source", "two\n")
	r.commit()
	from := r.work
	r.work = filepath.Join(r.temp, "clone")
	if out, err := exec.Command("git", "clone", "--quiet", "--depth=1", "file://"+from, r.work).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	r.git("checkout", "--quiet", "--detach")
	if code, said := r.derive(); code != 1 || !strings.Contains(said, "+two\n") {
		t.Errorf("saw exit code %d and\n%s\nwant 1 and the diff", code, said)
	}
}
