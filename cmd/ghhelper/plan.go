package main

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/kubestellar/actions/internal/cache"
	"github.com/kubestellar/actions/internal/delivery"
	"github.com/kubestellar/actions/internal/gh"
	"github.com/kubestellar/actions/internal/git"
	"github.com/kubestellar/actions/internal/outcome"
	"github.com/kubestellar/actions/internal/plan"
	"github.com/kubestellar/actions/internal/ref"
	"github.com/kubestellar/actions/internal/report"
)

const planHelp = `Says over all of an organisation's repositories that have a delivery.yaml what is
behind what, which release would unblock which bumps, and in what order. It
writes nothing but its cache.

What is behind is what ghhelper bump would move now: to the newest release of a
component by its git tags, and to a prerelease only where bump takes one. Steps
go on from there: a repository that was bumped, and that others refer to, is
released, and they are bumped to that. Repositories in lock step are released
together. Where repositories refer to each other, the cycle is named with the
sequence that resolves it: one of them is released against an older version of
another, and caught up with at the end.

--matrix prints the bumps that can be made now for a workflow's strategy, on one
line, at most 256 of them, as many as GitHub takes; more come in parts.

With GITHUB_TOKEN, private repositories are looked at too. Of the API's limit,
a run takes few requests where little has changed: all that can be asked by ETag
is, and all else comes by git.`

type planFlags struct {
	org, format, cache string
	repos              []string
	matrix             bool
	part               int
}

func newPlan(p process) *cobra.Command {
	var f planFlags
	cmd := &cobra.Command{Use: "plan", Short: "Say what is behind what in an organisation, and in what order to bump and release", Long: planHelp, Args: cobra.NoArgs}
	cmd.Flags().StringVar(&f.org, "org", "", "the organisation (default: the owner of the repository that ./delivery.yaml is about)")
	cmd.Flags().StringArrayVar(&f.repos, "repo", nil, "only this repository, OWNER/NAME; may be given several times")
	cmd.Flags().StringVar(&f.format, "format", "text", "text, json or mermaid")
	cmd.Flags().BoolVar(&f.matrix, "matrix", false, "print the bumps that can be made now as the matrix of a workflow's job")
	cmd.Flags().IntVar(&f.part, "matrix-part", 0, "the part of the matrix, from 1, where there are more bumps than a matrix takes")
	cmd.Flags().StringVar(&f.cache, "cache", "", "the folder to keep what is fetched in (default: ghhelper in the user's cache)")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if err := f.check(cmd.Flags().Changed); err != nil {
			return err
		}
		return p.plan(cmd.Context(), f)
	}
	return cmd
}

func (f planFlags) check(given func(string) bool) error {
	switch {
	case f.org != "" && len(f.repos) > 0:
		return usage("--org and --repo both say where to look: give one of them")
	case given("org") && !gh.IsOrganisation(f.org):
		return usage("--org %+q is no name of an organisation", ref.Shorten(f.org))
	case given("matrix-part") && (!f.matrix || f.part < 1):
		return usage("--matrix-part %d: want a number from 1, with --matrix", f.part)
	case f.matrix && given("format"):
		return usage("--matrix has a format of its own: leave out --format")
	}
	for _, name := range f.repos {
		if !gh.IsRepository(name) {
			return usage("--repo %+q is no name of a repository, want OWNER/NAME", ref.Shorten(name))
		}
	}
	return oneOf(f.format, "text", "json", "mermaid")
}

func (p process) plan(ctx context.Context, f planFlags) error {
	if f.org == "" && len(f.repos) == 0 {
		src, err := p.opener(delivery.FileName).Folder(ctx, "")
		if err != nil {
			return fmt.Errorf("%w; or name the organisation by --org", err)
		}
		f.org, _, _ = strings.Cut(src.File.Own().Repository, "/")
	}
	result, err := p.survey(ctx, f)
	if err != nil {
		return err
	}
	p.summarize(result.Markdown())
	if err := p.printPlan(result, f); err != nil {
		return err
	}
	if len(result.Unchecked) > 0 {
		return outcome.As(outcome.Unchecked, fmt.Errorf("%s could not be checked: what is said holds for the others", report.Count(len(result.Unchecked), "thing")))
	}
	return nil
}

// survey looks at the repositories. Git runs in an empty folder, where no
// repository's settings meet those that it is given.
func (p process) survey(ctx context.Context, f planFlags) (result *plan.Plan, err error) {
	forge, err := p.forge("GITHUB_TOKEN")
	if err != nil {
		return nil, err
	}
	defer p.warnRenamed(ctx, forge)
	keeper, err := openCache(f.cache)
	if err != nil {
		return nil, err
	}
	scratch, err := os.MkdirTemp("", "ghhelper-plan-*")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(scratch)) }()
	s := plan.Survey{Forge: forge, Git: git.Repo{Dir: scratch, Env: p.gitWithToken()}, Server: p.server(), Keeper: keeper}
	if len(f.repos) > 0 {
		return s.Repositories(ctx, f.repos)
	}
	return s.Organisation(ctx, f.org)
}

func openCache(dir string) (cache.Dir, error) {
	if dir == "" {
		home, err := os.UserCacheDir()
		if err != nil {
			return cache.Dir{}, usage("there is no folder to keep what is fetched in: %w; name one by --cache", err)
		}
		dir = filepath.Join(home, "ghhelper")
	}
	c, err := cache.Open(dir)
	return c, outcome.As(outcome.Usage, err)
}

// gitWithToken is git's environment, by which it shows GITHUB_TOKEN to the
// server and to nobody else. Arguments would show it to all users of the
// machine. https://git-scm.com/docs/git-config#ENVIRONMENT
func (p process) gitWithToken() []string {
	env := append(slices.Clone(p.Environ), "GIT_TERMINAL_PROMPT=0")
	token := p.Getenv("GITHUB_TOKEN")
	if token == "" {
		return env
	}
	n, err := strconv.Atoi(p.Getenv("GIT_CONFIG_COUNT"))
	if err != nil || n < 0 {
		n = 0
	}
	basic := base64.StdEncoding.EncodeToString([]byte("x-access-token:" + token))
	return append(env, fmt.Sprintf("GIT_CONFIG_COUNT=%d", n+1),
		fmt.Sprintf("GIT_CONFIG_KEY_%d=http.%s/.extraHeader", n, p.server()),
		fmt.Sprintf("GIT_CONFIG_VALUE_%d=Authorization: Basic %s", n, basic))
}

func (p process) printPlan(result *plan.Plan, f planFlags) error {
	if f.matrix {
		return p.printMatrix(result, f.part)
	}
	switch f.format {
	case "json":
		return p.printJSON(result.Document())
	case "mermaid":
		p.printOpen(result)
		_, err := fmt.Fprint(p.Stdout, result.Mermaid())
		return err
	}
	return result.Text(p.Stdout)
}

// printOpen says what could not be checked where the output has no place for it.
func (p process) printOpen(result *plan.Plan) {
	for _, o := range result.Unchecked {
		fmt.Fprintln(p.Stderr, report.Plain(fmt.Sprintf("could not check %s: %s", o.What, o.Because)))
	}
}

// printMatrix prints one line, as GITHUB_OUTPUT takes it. Who asks for no part
// shall not lose bumps without a word.
func (p process) printMatrix(result *plan.Plan, part int) error {
	p.printOpen(result)
	m, left := result.Matrix(max(part, 1))
	line, err := json.Marshal(m)
	if err != nil {
		return err
	}
	fmt.Fprintf(p.Stdout, "%s\n", line)
	if left == 0 {
		return nil
	}
	said := fmt.Sprintf("a matrix takes %d bumps, and %d are left: they come by --matrix-part %d and on", plan.MostJobs, left, max(part, 1)+1)
	if part == 0 {
		return outcome.Wrongf("%s; say --matrix-part 1 for these", said)
	}
	fmt.Fprintln(p.Stderr, said)
	return nil
}
