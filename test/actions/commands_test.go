package actions_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// putListener installs a fake ghhelper. It prints its arguments, one a line, and exits with a code.
func (r runner) putListener(code string) {
	r.file(filepath.Join(r.commands, "ghhelper"), "#!/usr/bin/env bash\nprintf '<%s>' \"$@\"; echo\nexit "+code+"\n", 0o755)
}

var (
	tagged    = []string{"GITHUB_REF_TYPE=tag", "GITHUB_REF_NAME=v1.2.3"}
	dispatch  = []string{"COMPONENT=", "TO=", "WORKFLOW=", "REF=main", "WAIT=false", "TIMEOUT=30m"}
	prove     = []string{"COMPONENT=", "REBUILD=false", "ALLOW_UNCHECKED=false"}
	packaged  = []string{"MODE=auto", "WORKDIR=."}
	verify    = []string{"ALLOW_UNCHECKED=false"}
	uncertain = []string{"ALLOW_UNCHECKED=true"}
)

// Each script passes its action's inputs to ghhelper unchanged, as arguments, and passes on the exit
// code.
func TestScriptsCallGhhelper(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		script string
		env    [][]string
		says   string // printed by ghhelper
		ends   string // ghhelper's exit code
		code   int
	}{
		"dispatch the pushed tag": {"dispatch.sh", [][]string{dispatch, tagged}, "<dispatch><--timeout=30m><--ref=main><--><v1.2.3>", "0", 0},
		"dispatch all that is given": {
			"dispatch.sh", [][]string{dispatch, {
				"COMPONENT=app", "VERSION=1.0.0", "TO=a/b  c/*\n$(id)/d", "WORKFLOW=bump.yml", "REF=x y", "WAIT=true", "TIMEOUT=1h",
			}},
			"<dispatch><--timeout=1h><--ref=x y><--wait><--workflow=bump.yml><--to=a/b><--to=c/*><--to=$(id)/d><--><app><1.0.0>", "0", 0},
		"dispatch fails":           {"dispatch.sh", [][]string{dispatch, tagged}, "<v1.2.3>", "3", 3},
		"dispatch without version": {"dispatch.sh", [][]string{dispatch}, "", "0", 2},
		"dispatch and wait oddly":  {"dispatch.sh", [][]string{dispatch, tagged, {"WAIT=yes"}}, "", "0", 2},
		"goreleaser on a branch":   {"goreleaser.sh", [][]string{packaged}, "<goreleaser><--verbose><--workdir=.><-->\n", "0", 0},
		"goreleaser on a tag":      {"goreleaser.sh", [][]string{packaged, tagged}, "<goreleaser><--verbose><--workdir=.><--><v1.2.3>\n", "0", 0},
		"goreleaser on a tag that is no version": {"goreleaser.sh", [][]string{packaged, tagged, {"GITHUB_REF_NAME=api/v1"}},
			"<goreleaser><--verbose><--workdir=.><-->\n", "0", 0},
		"goreleaser a version": {"goreleaser.sh", [][]string{packaged, {"VERSION=2.0.0 $(id)", "WORKDIR=--x y"}},
			"<goreleaser><--verbose><--workdir=--x y><--><2.0.0 $(id)>\n", "0", 0},
		"goreleaser a snapshot of a tag": {
			"goreleaser.sh", [][]string{packaged, tagged, {"MODE=snapshot"}},
			"<goreleaser><--verbose><--workdir=.><-->\n", "0", 0,
		},
		"goreleaser a release":          {"goreleaser.sh", [][]string{packaged, tagged, {"MODE=release"}}, "<--><v1.2.3>\n", "1", 1},
		"goreleaser releases no branch": {"goreleaser.sh", [][]string{packaged, {"MODE=release"}}, "", "0", 2},
		"goreleaser oddly":              {"goreleaser.sh", [][]string{packaged, {"MODE=yes"}}, "", "0", 2},
		"prove the pushed tag":          {"prove.sh", [][]string{prove, tagged}, "<prove><--><v1.2.3>", "0", 0},
		"prove the newest":              {"prove.sh", [][]string{prove}, "<prove><--newest><-->\n", "0", 0},
		"prove the newest of one":       {"prove.sh", [][]string{prove, {"COMPONENT=--x y"}}, "<prove><--newest><--><--x y>", "0", 0},
		"prove by building": {"prove.sh", [][]string{prove, {"COMPONENT=app", "VERSION=1.0.0", "REBUILD=true"}},
			"<prove><--rebuild><--><app><1.0.0>", "0", 0},
		"prove what cannot be checked":    {"prove.sh", [][]string{prove, tagged}, "<prove>", "3", 3},
		"prove where that is allowed":     {"prove.sh", [][]string{prove, tagged, uncertain}, "<prove>", "3", 0},
		"prove what is refuted":           {"prove.sh", [][]string{prove, tagged, uncertain}, "<prove>", "1", 1},
		"prove by building oddly":         {"prove.sh", [][]string{prove, tagged, {"REBUILD=1"}}, "", "0", 2},
		"verify":                          {"verify.sh", [][]string{verify}, "<verify>\n", "0", 0},
		"verify finds":                    {"verify.sh", [][]string{uncertain}, "<verify>\n", "1", 1},
		"verify cannot check":             {"verify.sh", [][]string{verify}, "<verify>\n", "3", 3},
		"verify where that is allowed":    {"verify.sh", [][]string{uncertain}, "<verify>\n", "3", 0},
		"verify where that is said oddly": {"verify.sh", [][]string{{"ALLOW_UNCHECKED=maybe"}}, "", "0", 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRunner(t)
			r.putListener(c.ends)
			code, out, errOut := r.run(slices.Concat(c.env...), c.script)
			if code != c.code || errOut != "" {
				t.Errorf("saw exit code %d and %q, want %d and no errors", code, errOut, c.code)
			}
			want(t, "stdout", out, c.says)
			if c.says == "" && (strings.Contains(out, "<") || !strings.HasPrefix(out, "::error title=ghhelper::")) {
				t.Errorf("saw %q, want no call of ghhelper, and an annotation", out)
			}
		})
	}
}

// The scripts inside action.yml pass a hostile value on as one argument. cmd/ghhelper tests what
// ghhelper does with it.
func TestScriptsInActionsHandOnWhatTheyGet(t *testing.T) {
	t.Parallel()
	const evil = "--x $(id) `id` ; * \"'\n::error::y"
	tree, err := load(os.DirFS(root))
	if err != nil {
		t.Fatal(err)
	}
	for action, says := range map[string]string{
		"Bump references": "<bump><--pull-request><--><" + evil + "><" + evil + ">\n",
		"Tag a release":   "<tag><--commit=" + evil + "><--if-absent=" + evil + "><--><" + evil + ">\n",
	} {
		r := newRunner(t)
		r.putListener("0")
		u := tree.units[slices.IndexFunc(tree.units, func(u unit) bool { return u.name == action })]
		cmd := exec.Command("bash", "-e", "-c", u.steps[len(u.steps)-1].Run.Value)
		cmd.Env = []string{"PATH=" + r.commands + string(filepath.ListSeparator) + os.Getenv("PATH"),
			"COMPONENT=" + evil, "VERSION=" + evil, "COMMIT=" + evil, "IF_ABSENT=" + evil}
		if out, err := cmd.CombinedOutput(); err != nil || string(out) != says {
			t.Errorf("%s: saw %q, %v, want %q", action, out, err, says)
		}
	}
}
