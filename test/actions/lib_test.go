package actions_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// runner is the part of GitHub's runner that a step can see: the files that it writes to, and folders.
type runner struct {
	t        *testing.T
	temp     string
	work     string // the caller's repository
	commands string // the first folder on PATH
}

func newRunner(t *testing.T) runner {
	t.Helper()
	r := runner{t, t.TempDir(), t.TempDir(), t.TempDir()}
	for _, name := range []string{"path", "output", "summary"} {
		r.file(filepath.Join(r.temp, name), "", 0o644)
	}
	return r
}

func (r runner) file(path, content string, mode os.FileMode) {
	r.t.Helper()
	if err := os.WriteFile(path, []byte(content), mode); err != nil {
		r.t.Fatal(err)
	}
}

// wrote returns the content of one of the runner's files.
func (r runner) wrote(name string) string {
	r.t.Helper()
	data, err := os.ReadFile(filepath.Join(r.temp, name))
	if err != nil {
		r.t.Fatal(err)
	}
	return string(data)
}

// run runs a script of actions/_lib as an action would. It returns the exit code and the output.
func (r runner) run(env []string, script string, args ...string) (code int, stdout, stderr string) {
	r.t.Helper()
	lib, err := filepath.Abs(filepath.Join(root, "actions", "_lib", script))
	if err != nil {
		r.t.Fatal(err)
	}
	var out, errOut bytes.Buffer
	cmd := exec.Command("bash", append([]string{lib}, args...)...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = r.work, &out, &errOut
	cmd.Env = append(os.Environ(), "PATH="+r.commands+string(filepath.ListSeparator)+os.Getenv("PATH"), "RUNNER_TEMP="+r.temp,
		"GITHUB_PATH="+filepath.Join(r.temp, "path"), "GITHUB_OUTPUT="+filepath.Join(r.temp, "output"), "GITHUB_STEP_SUMMARY="+filepath.Join(r.temp, "summary"),
		"GITHUB_REF=refs/heads/main", "GITHUB_REF_TYPE=branch", "GITHUB_REF_NAME=main", "VERSION=", "TOOLS=false")
	cmd.Env = append(cmd.Env, env...)
	err = cmd.Run()
	if exit := new(exec.ExitError); err != nil && !errors.As(err, &exit) {
		r.t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), out.String(), errOut.String()
}

// putGhhelper installs a fake ghhelper. It prints its arguments and then runs a script.
func (r runner) putGhhelper(script string) {
	r.file(filepath.Join(r.commands, "ghhelper"), "#!/usr/bin/env bash\necho \"called $1 $2 ${*:4}\"\nreport=$3\n"+script, 0o755)
}

func want(t *testing.T, what, got, want string) {
	t.Helper()
	if !strings.Contains(got, want) {
		t.Errorf("%s: saw %q, want %q in it", what, got, want)
	}
}

func TestTrainTakesThePushedTag(t *testing.T) {
	t.Parallel()
	r := newRunner(t)
	r.putGhhelper(`echo "# done" >"$report/report.md"`)
	code, out, errOut := r.run([]string{"GITHUB_REF_TYPE=tag", "GITHUB_REF_NAME=v1.2.3"}, "train.sh", "publish")
	if code != 0 || errOut != "" {
		t.Errorf("saw exit code %d and %q, want 0 and no errors", code, errOut)
	}
	want(t, "stdout", out, "called publish --report -- v1.2.3\n")
	want(t, "outputs", r.wrote("output"), "version=1.2.3\nreport-path="+r.temp)
}

func TestTrainPrefersTheInput(t *testing.T) {
	t.Parallel()
	r := newRunner(t)
	r.putGhhelper("")
	_, out, _ := r.run([]string{"VERSION=2.0.0", "GITHUB_REF_TYPE=tag", "GITHUB_REF_NAME=v1.2.3"}, "train.sh", "release")
	want(t, "stdout", out, "called release --report -- 2.0.0\n")
}

func TestTrainAllowsPrivatePackages(t *testing.T) {
	t.Parallel()
	r := newRunner(t)
	r.putGhhelper("")
	_, out, _ := r.run([]string{"VERSION=2.0.0", "ALLOW_PRIVATE=true"}, "train.sh", "release")
	want(t, "stdout", out, "called release --report --allow-private -- 2.0.0\n")
	_, out, _ = r.run([]string{"VERSION=2.0.0", "ALLOW_PRIVATE=false"}, "train.sh", "release")
	want(t, "stdout", out, "called release --report -- 2.0.0\n")
	code, out, _ := r.run([]string{"VERSION=2.0.0", "ALLOW_PRIVATE=yes"}, "train.sh", "release")
	if code != 2 || strings.Contains(out, "called") {
		t.Errorf("saw exit code %d and %q, want 2, and no call of ghhelper", code, out)
	}
	want(t, "stdout", out, `input allow-private is "yes", want "true" or "false"`)
}

// train.sh passes on the exit codes of ghhelper.
func TestTrainFailsAsGhhelperDoes(t *testing.T) {
	t.Parallel()
	for code, script := range map[int]string{1: "exit 1", 2: "exit 2", 3: "exit 3"} {
		r := newRunner(t)
		r.putGhhelper("echo '# stopped' >\"$report/report.md\"\n" + script)
		got, _, _ := r.run([]string{"VERSION=v1.0.0"}, "train.sh", "release")
		if got != code {
			t.Errorf("saw exit code %d, want %d", got, code)
		}
		want(t, "outputs", r.wrote("output"), "version=1.0.0\n")
	}
}

// ghhelper writes no report if it refuses the version. train.sh then writes no outputs.
func TestTrainGivesOutNothingWithoutAReport(t *testing.T) {
	t.Parallel()
	r := newRunner(t)
	r.putGhhelper("echo 'no semver' >&2; exit 2")
	code, _, _ := r.run([]string{"VERSION=x\npath=y"}, "train.sh", "release")
	if said := r.wrote("output") + r.wrote("summary"); code != 2 || said != "" {
		t.Errorf("saw exit code %d and %q, want 2 and nothing", code, said)
	}
}

func TestTrainWithoutAVersion(t *testing.T) {
	t.Parallel()
	r := newRunner(t)
	r.putGhhelper("")
	code, out, _ := r.run(nil, "train.sh", "release")
	if code != 2 || strings.Contains(out, "called") {
		t.Errorf("saw exit code %d and %q, want 2, and no call of ghhelper", code, out)
	}
	want(t, "stdout", out, "::error title=ghhelper::no version: the input version is empty and the run's ref, refs/heads/main, is not a tag")
}

func TestSetupRefuses(t *testing.T) {
	t.Parallel()
	r := newRunner(t)
	code, out, _ := r.run([]string{"TOOLS=yes"}, "setup.sh")
	if code != 2 {
		t.Errorf("saw exit code %d, want 2", code)
	}
	want(t, "stdout", out, `::error title=ghhelper::input tools is "yes", want "true", "ko" or "false"`)
}

// The subjects of attestations are an output only if the whole release is published.
func TestTrainGivesOutWhatMayBeAttested(t *testing.T) {
	t.Parallel()
	for code, subjects := range map[int]bool{0: true, 1: false} {
		r := newRunner(t)
		version := map[bool]string{true: "v1.0.0", false: "web2/v1.0.0"}[subjects]
		r.putGhhelper(fmt.Sprintf("echo x >\"$report/report.md\"; echo y >\"$report/subjects.txt\"; exit %d", code))
		if got, _, _ := r.run([]string{"VERSION=" + version}, "train.sh", "release"); got != code {
			t.Errorf("saw exit code %d, want %d", got, code)
		}
		if got := r.wrote("output"); strings.Contains(got, "\nsubjects="+r.temp) != subjects || !strings.Contains(got, "version=1.0.0\n") {
			t.Errorf("exit code %d: saw outputs %q, want subjects: %t", code, got, subjects)
		}
	}
}

func TestAttest(t *testing.T) {
	t.Parallel()
	can := []string{"GITHUB_SERVER_URL=https://github.com", "GITHUB_REF=refs/tags/v1.2.3", "GITHUB_REF_NAME=v1.2.3",
		"ACTIONS_ID_TOKEN_REQUEST_URL=https://token.example", "ACTIONS_ID_TOKEN_REQUEST_TOKEN=secret"}
	for name, c := range map[string]struct {
		env  []string
		why  string // there is no attestation
		code int    // the exit code if attestations are required
	}{
		"the tag's run":          {},
		"the version of the tag": {env: []string{"VERSION=1.2.3"}},
		"with its v":             {env: []string{"VERSION=v1.2.3"}},
		"a tag with a prefix":    {env: []string{"GITHUB_REF=refs/tags/web/v1.2.3", "GITHUB_REF_NAME=web/v1.2.3"}},
		"and its version":        {env: []string{"GITHUB_REF=refs/tags/web/v1.2.3", "VERSION=1.2.3"}},
		"another tag's end":      {[]string{"VERSION=2.3"}, "instead of the tag v2.3", 2},
		"a branch's run": {
			[]string{"GITHUB_REF=refs/heads/main", "VERSION=1.2.3"},
			"would name the ref of this run, refs/heads/main, instead of the tag v1.2.3", 2,
		},
		"another tag's run":        {[]string{"VERSION=1.2.4"}, "instead of the tag v1.2.4", 2},
		"an Enterprise server":     {[]string{"GITHUB_SERVER_URL=https://git.example.com"}, "this run is on https://git.example.com", 2},
		"without the permission":   {[]string{"ACTIONS_ID_TOKEN_REQUEST_URL="}, "give it the permissions id-token: write and attestations: write", 2},
		"with half the permission": {[]string{"ACTIONS_ID_TOKEN_REQUEST_TOKEN="}, "the job has no OIDC token", 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			decided(t, append(slices.Clone(can), c.env...), "auto", c.why, 0)
			decided(t, append(slices.Clone(can), c.env...), "true", c.why, c.code)
		})
	}
	decided(t, can, "false", `the input attest is "false"`, 0)
	decided(t, can, "yes", `input attest is "yes", want "auto", "true" or "false"`, 2)
	decided(t, can, "", `input attest is "", want`, 2)
}

// decided checks the decision of attest.sh and the reason that it prints.
func decided(t *testing.T, env []string, input, why string, code int) {
	t.Helper()
	r := newRunner(t)
	got, out, errOut := r.run(append(slices.Clone(env), "ATTEST="+input), "attest.sh")
	if got != code || errOut != "" {
		t.Errorf("%s: saw exit code %d and %q, want %d", input, got, errOut, code)
	}
	wanted := map[bool]string{true: "wanted=true\n", false: "wanted=false\n"}[why == ""]
	if code != 0 {
		wanted = ""
	}
	if outputs := r.wrote("output"); outputs != wanted || !strings.Contains(out, why) || why == "" && out != "" {
		t.Errorf("%s: saw outputs %q and %q, want %q and %q", input, outputs, out, wanted, why)
	}
}

// putImager installs a fake ghhelper that prints its arguments.
func (r runner) putImager(script string) {
	r.file(filepath.Join(r.commands, "ghhelper"), "#!/usr/bin/env bash\nprintf '<%s>' \"$@\"\n"+script+"\n", 0o755)
}

func TestImage(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		env    []string
		script string
		code   int
		says   string
	}{
		"the newest":     {env: []string{"COMPONENT=helm", "PUSH=true"}, says: "<image><--push><--><helm>"},
		"a version":      {env: []string{"COMPONENT=helm", "VERSION=v1.2.3", "PUSH=false"}, says: "<image><--><helm><v1.2.3>"},
		"hostile":        {env: []string{"COMPONENT=--config=x $(id)", "VERSION=--push\n;", "PUSH=false"}, says: "<image><--><--config=x $(id)><--push\n;>"},
		"no component":   {env: []string{"PUSH=true"}, code: 2, says: "::error title=ghhelper::input component is empty"},
		"push or not":    {env: []string{"COMPONENT=helm", "PUSH=yes"}, code: 2, says: `input push is "yes", want "true" or "false"`},
		"ghhelper fails": {env: []string{"COMPONENT=helm", "PUSH=true"}, script: "exit 3", code: 3, says: "<--push>"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRunner(t)
			r.putImager(c.script)
			code, out, errOut := r.run(append([]string{"COMPONENT="}, c.env...), "image.sh")
			if code != c.code {
				t.Errorf("saw exit code %d, want %d\n%s%s", code, c.code, out, errOut)
			}
			want(t, "stdout", out, c.says)
			if got := r.wrote("output"); got != "" {
				t.Errorf("saw outputs %q, want those of ghhelper alone", got)
			}
		})
	}
}
