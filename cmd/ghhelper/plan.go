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

const planHelp = `Plans over all of an organisation's repositories that have a delivery.yaml: which
pins are behind, which release would unblock which bumps, and in what order. It
writes nothing but its cache.

A pin is behind if "ghhelper bump" would move it now, to the newest release of its
component by git tags. Later steps build on that: a repository with downstreams is
released after its bumps, and then its downstreams are bumped to the new release.
Repositories in lock step are released together. If repositories refer to each
other, the plan names the cycle and a sequence that resolves it. To break a cycle,
one repository is released with its current pin and bumped afterwards.

--matrix prints the bumps that can be made now, on one line, for a workflow's
strategy. A matrix takes at most 256 jobs, the limit of GitHub. More bumps come in
parts.

With GITHUB_TOKEN, the plan includes private repositories. A run uses few requests
of the API's limit if little has changed: it sends ETags, and reads most data with
git.`

const planExample = `  # Show what is behind in an organisation
  GITHUB_TOKEN=$(gh auth token) ghhelper plan --org kubestellar

  # Draw two repositories
  ghhelper plan --repo kubestellar/kubestellar --repo kubestellar/kubeflex --format mermaid

  # Print the matrix of a workflow's job
  ghhelper plan --org kubestellar --matrix`

type planFlags struct {
	org, format, cache string
	repos              []string
	matrix             bool
	part               int
}

func newPlan(p process) *cobra.Command {
	var f planFlags
	cmd := &cobra.Command{
		Use:               "plan",
		GroupID:           groupMany,
		Short:             "Show what is behind in an organisation, and the order of bumps and releases",
		Long:              planHelp,
		Example:           planExample,
		SuggestFor:        []string{"graph", "outdated"},
		Args:              cobra.NoArgs,
		ValidArgsFunction: cobra.NoFileCompletions,
	}
	flags := cmd.Flags()
	flags.StringVar(&f.org, "org", "",
		"the organisation (default: the owner of the repository that ./delivery.yaml is about)")
	flags.StringArrayVar(&f.repos, "repo", nil, "plan only over this repository, OWNER/NAME; may be repeated")
	addFormat(cmd, &f.format, "text", "json", "mermaid")
	flags.BoolVar(&f.matrix, "matrix", false, "print the bumps that can be made now as a workflow's matrix")
	flags.IntVar(&f.part, "matrix-part", 0,
		"the part of the matrix, from 1, if there are more bumps than a matrix takes")
	flags.StringVar(&f.cache, "cache", "", "the folder for fetched files (default: ghhelper in the user's cache)")
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
		return usage("--org and --repo both select repositories: give one of them")
	case given("org") && !gh.IsOrganisation(f.org):
		return usage("--org %+q is not the name of an organisation", ref.Shorten(f.org))
	case given("matrix-part") && (!f.matrix || f.part < 1):
		return usage("--matrix-part %d: want a number from 1, with --matrix", f.part)
	case f.matrix && given("format"):
		return usage("--matrix has a format of its own: leave out --format")
	}
	for _, name := range f.repos {
		if !gh.IsRepository(name) {
			return usage("--repo %+q is not the name of a repository, want OWNER/NAME", ref.Shorten(name))
		}
	}
	return oneOf(f.format, "text", "json", "mermaid")
}

func (p process) plan(ctx context.Context, f planFlags) error {
	if f.org == "" && len(f.repos) == 0 {
		src, err := p.opener(delivery.FileName).Folder(ctx, "")
		if err != nil {
			return fmt.Errorf("%w; or name the organisation with --org", err)
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
		return outcome.As(outcome.Unchecked, fmt.Errorf("%s could not be checked: the plan is only about the others",
			report.Count(len(result.Unchecked), "thing")))
	}
	return nil
}

// survey reads the repositories. Git runs in an empty folder, so no repository's
// settings apply.
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
	s := plan.Survey{Forge: forge, Git: git.Repo{Dir: scratch, Env: p.gitWithToken()}, Server: p.server(),
		Keeper: keeper}
	if len(f.repos) > 0 {
		return s.Repositories(ctx, f.repos)
	}
	return s.Organisation(ctx, f.org)
}

func openCache(dir string) (cache.Dir, error) {
	if dir == "" {
		home, err := os.UserCacheDir()
		if err != nil {
			return cache.Dir{}, usage("there is no folder for fetched files: %w; name one with --cache", err)
		}
		dir = filepath.Join(home, "ghhelper")
	}
	c, err := cache.Open(dir)
	return c, outcome.As(outcome.Usage, err)
}

// gitWithToken returns an environment in which git sends GITHUB_TOKEN to the server
// and to no other host. Arguments would show the token to each user of the machine.
// https://git-scm.com/docs/git-config#ENVIRONMENT
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

// printOpen prints to stderr what could not be checked, for formats without it.
func (p process) printOpen(result *plan.Plan) {
	for _, o := range result.Unchecked {
		fmt.Fprintln(p.Stderr, report.Plain(fmt.Sprintf("could not check %s: %s", o.What, o.Because)))
	}
}

// printMatrix prints one line, as GITHUB_OUTPUT takes it. If no part was requested
// and bumps are left, that is an error, so none is lost unnoticed.
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
	note := fmt.Sprintf("a matrix takes %d bumps, and %d are left: use --matrix-part %d and on for them",
		plan.MostJobs, left, max(part, 1)+1)
	if part == 0 {
		return outcome.Wrongf("%s; give --matrix-part 1 for these", note)
	}
	fmt.Fprintln(p.Stderr, note)
	return nil
}
