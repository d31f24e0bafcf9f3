package main

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/kubestellar/actions/internal/outcome"
	"github.com/kubestellar/actions/internal/plan"
	"github.com/kubestellar/actions/internal/ref"
)

// A matrix that is cut off without a part being requested is reported, also to the job.
func TestALargeMatrixIsNotCutWithoutAWord(t *testing.T) {
	t.Parallel()
	v, err := ref.ParseVersion("2.0.0")
	if err != nil {
		t.Fatal(err)
	}
	p := &plan.Plan{}
	for i := range 300 {
		p.Repositories = append(p.Repositories, plan.Repository{Name: fmt.Sprintf("o/r%03d", i),
			Arrows: []plan.Arrow{{Component: "up", To: "o/up", Bumps: []plan.Bump{{Version: v, Places: 1}}}}})
	}
	for part, want := range map[int]struct {
		code        outcome.Code
		bumps       int
		said, error string
	}{
		0: {outcome.Wrong, 256, "", "a matrix takes 256 bumps, and 44 are left: use --matrix-part 2 and on for them; give --matrix-part 1 for these"},
		1: {outcome.Fine, 256, "a matrix takes 256 bumps, and 44 are left: use --matrix-part 2 and on for them\n", ""},
		2: {outcome.Fine, 44, "", ""},
		3: {outcome.Fine, 0, "", ""},
	} {
		var out, said bytes.Buffer
		err := process{Stdout: &out, Stderr: &said}.printMatrix(p, part)
		if outcome.Of(err) != want.code || err != nil && err.Error() != want.error || said.String() != want.said {
			t.Errorf("part %d: %v and %q, want %+v", part, err, said.String(), want)
		}
		if n := strings.Count(out.String(), `"repository"`); n != want.bumps || strings.Count(out.String(), "\n") != 1 {
			t.Errorf("part %d: %d bumps on %d lines, want %d on one", part, n, strings.Count(out.String(), "\n"), want.bumps)
		}
	}
}

// Git gets the token for the server only, after the existing settings.
func TestGitWithToken(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ environ, want string }{
		{"A=b", "A=b GIT_TERMINAL_PROMPT=0"},
		{"GITHUB_TOKEN=t",
			"GITHUB_TOKEN=t GIT_TERMINAL_PROMPT=0 GIT_CONFIG_COUNT=1 GIT_CONFIG_KEY_0=http.https://github.com/.extraHeader " +
				"GIT_CONFIG_VALUE_0=Authorization:_Basic_eC1hY2Nlc3MtdG9rZW46dA=="},
		{"GITHUB_TOKEN=t GITHUB_SERVER_URL=https://h GIT_CONFIG_COUNT=2",
			"GITHUB_TOKEN=t GITHUB_SERVER_URL=https://h GIT_CONFIG_COUNT=2 GIT_TERMINAL_PROMPT=0 GIT_CONFIG_COUNT=3 " +
				"GIT_CONFIG_KEY_2=http.https://h/.extraHeader GIT_CONFIG_VALUE_2=Authorization:_Basic_eC1hY2Nlc3MtdG9rZW46dA=="},
	} {
		var got []string
		for _, entry := range (process{Environ: strings.Fields(test.environ)}).gitWithToken() {
			got = append(got, strings.ReplaceAll(entry, " ", "_"))
		}
		if strings.Join(got, " ") != test.want {
			t.Errorf("%s:\ngot  %s\nwant %s", test.environ, strings.Join(got, " "), test.want)
		}
	}
}
