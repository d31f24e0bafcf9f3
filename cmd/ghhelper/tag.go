package main

import (
	"context"
	"fmt"
	"regexp"
	"time"

	"github.com/spf13/cobra"

	"github.com/kubestellar/actions/internal/gh"
	"github.com/kubestellar/actions/internal/prove"
	"github.com/kubestellar/actions/internal/ref"
	"github.com/kubestellar/actions/internal/report"
	"github.com/kubestellar/actions/internal/tag"
)

const tagHelp = `Puts the annotated tag of VERSION on a commit of the own component's repository,
once. If the tag is on this commit already, nothing is left to do. A tag never
moves from another commit.

First tag checks everything, and reports every problem:

  - VERSION is newer than every other one in its line: the default branch's, or X.Y
    of a branch such as release-X.Y
  - the commit is on the default branch or on a release branch
  - its checks are green, including those that rulesets require
  - "ghhelper verify" has no findings in its tree
  - the artifacts of components in lock step are published

A check that has not ended is reported as "could not check": exit code 3. Most
tokens cannot read classic branch protection, so it is ignored. A run that a
dispatch started counts only if it is required, because it does not test the
commit.

Needs GITHUB_TOKEN with contents: write. git needs no credentials. GitHub starts no
workflow for a tag that a workflow's own token makes. To start one, give an App's
token.`

const tagExample = `  # Check everything, and make no tag
  GITHUB_TOKEN=$(gh auth token) ghhelper tag 0.29.0 --dry-run

  # Tag a commit of main
  GITHUB_TOKEN=$(gh auth token) ghhelper tag 0.29.0 --commit origin/main`

type tagFlags struct {
	commit, config string
	dryRun         bool
	ifAbsent       bool
}

func newTag(p process) *cobra.Command {
	var f tagFlags
	cmd := &cobra.Command{
		Use:               "tag VERSION",
		GroupID:           groupRelease,
		Short:             "Put the tag of VERSION on a commit, once",
		Long:              tagHelp,
		Example:           tagExample,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: cobra.NoFileCompletions,
	}
	addConfig(cmd, &f.config)
	flags := cmd.Flags()
	flags.StringVar(&f.commit, "commit", "HEAD", "the commit, by any name that git knows here")
	flags.BoolVar(&f.dryRun, "dry-run", false, "check everything, and make no tag")
	flags.BoolVar(&f.ifAbsent, "if-absent", false, "accept an existing tag on any commit")
	cmd.RunE = func(cmd *cobra.Command, args []string) error { return p.tag(cmd.Context(), f, args[0]) }
	return cmd
}

func (p process) tag(ctx context.Context, f tagFlags, version string) error {
	tagger, err := p.tagger(ctx, f, version)
	if err != nil {
		return err
	}
	defer p.warnRenamed(ctx, tagger.Forge)
	made, err := tagger.Tag(ctx)
	p.summarize(summaryOfTag(tagger, made, err))
	if made != nil {
		p.output("tag", map[string]string{"version": tagger.Version.String(), "tag": tagger.GitTag(),
			"commit": made.Commit})
	}
	if err == nil && made != nil && made.ByWorkflow() {
		p.warn("tag %s was made by a workflow's own token (GITHUB_TOKEN), for which GitHub starts no workflow: "+
			"start the release by hand, or give the token of an App", tagger.GitTag())
	}
	return err
}

// summaryOfTag returns the checks and the result as Markdown.
func summaryOfTag(t *tag.Tagger, made *gh.Tag, err error) string {
	did := "No tag was made"
	if made != nil {
		did = "It is on commit " + report.Code(made.Commit)
	}
	var rows [][]string
	for _, s := range t.Log.Steps {
		rows = append(rows, []string{"✓ " + s.Name, report.Cell(report.Plain(s.Did))})
	}
	if err != nil {
		rows = append(rows, []string{"✗", report.Cell(err.Error())})
	}
	return fmt.Sprintf("### Tag %s\n\n%s.\n%s", t.GitTag(), did, report.Table([]string{"step", "what"}, rows))
}

// revision matches names of commits: https://git-scm.com/docs/gitrevisions
var revision = regexp.MustCompile(`^[A-Za-z0-9@][A-Za-z0-9._/@{}^~+-]{0,249}$`)

// tagger returns a Tagger of a commit.
func (p process) tagger(ctx context.Context, f tagFlags, version string) (*tag.Tagger, error) {
	repo, err := p.opener("").Repository(ctx, ".")
	if err != nil {
		return nil, err
	}
	if !revision.MatchString(f.commit) {
		return nil, usage("--commit %+q is not a commit here: want a name that git knows, such as HEAD",
			ref.Shorten(f.commit))
	}
	commit, err := repo.Commit(ctx, f.commit)
	if err != nil {
		return nil, usage("--commit %q is not a commit here: %w", f.commit, err)
	}
	src, err := p.opener(f.config).Commit(ctx, repo, commit)
	if err != nil {
		return nil, err
	}
	var v ref.Version
	if src.File, v, err = ownRelease(src.File, version); err != nil {
		return nil, err
	}
	dispatch, err := p.dispatched("repository_dispatch")
	if err != nil {
		return nil, err
	}
	if err := dispatch.CheckSource(src.File.Self, src.File.Own().Repository); err != nil {
		return nil, err
	}
	forge, err := p.forge("GITHUB_TOKEN")
	if err != nil {
		return nil, err
	}
	proven := p.resolver(src, p.registry())
	proven.Brief = false // the revision of an image is on its label
	return &tag.Tagger{
		Repo: repo, Commit: commit, Tree: src.Tree, Names: src.Names, File: src.File, Version: v,
		Forge: forge, Server: p.server(),
		Ask: p.asker(src), OwnRun: p.Getenv("GITHUB_RUN_ID"), DryRun: f.dryRun, IfAbsent: f.ifAbsent,
		Prover: &prove.Prover{File: src.File, Component: src.File.Self, Version: v, Repo: repo, Server: p.server(),
			Registry: p.registry(), Resolver: proven, Forge: forge,
			Source: &prove.Source{Commit: commit, Tree: src.Tree, File: src.File, Self: src.File.Self, Declares: true}},
		Log: &report.Log{Out: p.Stdout, Now: time.Now},
	}, nil
}

// warn prints a warning, which does not change the exit code.
func (p process) warn(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	fmt.Fprintln(p.Stderr, "ghhelper: warning:", report.Plain(text))
	if p.Getenv("GITHUB_ACTIONS") == "true" {
		to := p
		to.Stdout = p.Stderr
		to.actions().Warningf("%s", plainLines(text))
	}
}
