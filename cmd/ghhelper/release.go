package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/kubestellar/actions/internal/goreleaser"
	"github.com/kubestellar/actions/internal/ref"
	"github.com/kubestellar/actions/internal/release"
	"github.com/kubestellar/actions/internal/report"
)

// step is a step of a release.
type step struct{ name, does string }

// releaseSteps are the steps of "ghhelper release" in order. A script compares them
// with the steps that a release prints.
var releaseSteps = []step{
	{"preflight", "check the commit, its references, and every right that is needed"},
	{"stamp", "write copies of charts and hooks with VERSION in place of placeholders"},
	{"tag", "put the tag of VERSION on the commit"},
	{"build", "draft a GitHub release, and run goreleaser"},
	{"stage", "push the charts under names that nothing uses yet"},
	{"check", "compare everything that is staged with the tag"},
	{"sign", "sign images and charts by digest"},
	{"promote", "give images and charts their final tags, by digest"},
	{"publish", "make the draft public"},
	{"prove", "compare everything that is published with the tag"},
	{"dispatch", "notify the downstreams"},
}

// publishSteps are the steps of "ghhelper publish" in order.
var publishSteps = []step{
	{"preflight", "check the tag, its references, and every right that is needed"},
	{"stamp", "write copies of the charts with VERSION in place of placeholders"},
	{"stage", "push the charts under names that nothing uses yet"},
	{"check", "compare the staged charts with the tag"},
	{"sign", "sign the charts by digest"},
	{"promote", "give the charts their final tags, by digest"},
	{"prove", "compare the published charts with the tag"},
}

// describe lists steps for the help.
func describe(steps []step) string {
	var b strings.Builder
	for _, s := range steps {
		fmt.Fprintf(&b, "  %-10s %s\n", s.name, s.does)
	}
	return strings.TrimRight(b.String(), "\n")
}

var releaseHelp = `Releases the checked-out commit in these steps:

` + describe(releaseSteps) + `

Nothing gets its final name before everything is built and checked. Each step
first checks whether it is done already. If a release stops anywhere, run the same
command again to finish it.

Needs git, go and goreleaser on PATH, GITHUB_TOKEN, and credentials for registries
other than ghcr.io. Those of docker come first, with its credential helpers, then
for charts those of helm, then GITHUB_TOKEN. DISPATCH_TOKEN, if it is set, is used
only for the downstreams. "ghhelper rehearse" needs no credentials.

With --sign cosign, cosign 3 or newer signs each image and chart as the workflow's
job, with the job's OIDC token and docker's credentials. To verify a signature:

  cosign verify LOCATION@DIGEST \
    --certificate-oidc-issuer https://token.actions.githubusercontent.com \
    --certificate-identity https://github.com/OWNER/NAME/.github/workflows/FILE@refs/tags/vVERSION

Without --sign, the release signs nothing. On github.com, actions/attest attests
the list in subjects.txt, beside the report, and "gh attestation verify" verifies
it.`

const releaseExample = `  # Rehearse the release first, without credentials
  ghhelper rehearse

  # Release the checked-out commit
  GITHUB_TOKEN=… DISPATCH_TOKEN=… ghhelper release 0.29.0 --report report`

// dispatchToken names the variable with the token for the downstreams. The build
// runs other people's code, and does not see it.
const dispatchToken = "DISPATCH_TOKEN"

var publishHelp = `Publishes only the charts of VERSION, for a repository whose images are published
already. The steps are the same as in "ghhelper release":

` + describe(publishSteps)

const publishExample = `  # Publish the charts of a tag that is checked out
  GITHUB_TOKEN=… ghhelper publish 0.29.0`

// releaseFlags are the flags of release and publish.
type releaseFlags struct {
	config, report, goreleaser string
	sign                       string
	verbose, standIns, private bool
}

func (f *releaseFlags) add(cmd *cobra.Command) {
	addConfig(cmd, &f.config)
	flags := cmd.Flags()
	flags.StringVar(&f.report, "report", "", "write report.md and report.json into this folder")
	flags.BoolVar(&f.standIns, "accept-stand-ins", false, "release even if stand-ins are needed, as a rehearsal does")
	flags.BoolVar(&f.private, "allow-private", false,
		"release even if packages are private or new (new packages start private); list them at the end")
	flags.StringVar(&f.sign, "sign", "",
		"sign images and charts by digest before they are promoted: cosign (default: do not sign)")
	completeFlag(cmd, "sign", cobra.FixedCompletions([]string{cosign}, cobra.ShellCompDirectiveNoFileComp))
}

func addGoreleaser(cmd *cobra.Command, command *string) {
	cmd.Flags().StringVar(command, "goreleaser", "goreleaser", "the goreleaser command")
}

func newRelease(p process) *cobra.Command {
	var f releaseFlags
	cmd := &cobra.Command{
		Use:               "release VERSION",
		GroupID:           groupRelease,
		Short:             "Release the checked-out commit as VERSION",
		Long:              releaseHelp,
		Example:           releaseExample,
		SuggestFor:        []string{"deliver", "ship"},
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: cobra.NoFileCompletions,
	}
	f.add(cmd)
	cmd.Flags().BoolVar(&f.verbose, "verbose", false, "show the output of goreleaser and cosign")
	addGoreleaser(cmd, &f.goreleaser)
	cmd.RunE = p.releasing(&f, (*release.Releaser).Release)
	return cmd
}

func newPublish(p process) *cobra.Command {
	var f releaseFlags
	cmd := &cobra.Command{
		Use:               "publish VERSION",
		GroupID:           groupRelease,
		Short:             "Publish only the charts as VERSION",
		Long:              publishHelp,
		Example:           publishExample,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: cobra.NoFileCompletions,
	}
	f.add(cmd)
	cmd.Flags().BoolVar(&f.verbose, "verbose", false, "show the output of cosign")
	cmd.RunE = p.releasing(&f, (*release.Releaser).Publish)
	return cmd
}

type releaseFunc func(*release.Releaser, context.Context) (*report.Report, error)

// releasing returns the body of release and of publish.
func (p process) releasing(f *releaseFlags, run releaseFunc) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		releaser, err := p.releaser(cmd.Context(), *f, args[0])
		if err != nil {
			return err
		}
		defer p.warnRenamed(cmd.Context(), releaser.Forge, releaser.Downstreams)
		rep, err := run(releaser, cmd.Context())
		return p.conclude(rep, f.report, err)
	}
}

// releaser returns a Releaser of the checked-out commit.
func (p process) releaser(ctx context.Context, flags releaseFlags, versionArg string) (*release.Releaser, error) {
	signer, err := p.signer(flags.sign)
	if err != nil {
		return nil, err
	}
	src, err := p.opener(flags.config).Head(ctx, ".")
	if err != nil {
		return nil, err
	}
	var v ref.Version
	if src.File, v, err = ownRelease(src.File, versionArg); err != nil {
		return nil, err
	}
	forge, err := p.forge("GITHUB_TOKEN")
	if err != nil {
		return nil, err
	}
	downstreams := forge
	if p.Getenv(dispatchToken) != "" {
		if downstreams, err = p.forge(dispatchToken); err != nil {
			return nil, err
		}
	}
	program := goreleaser.Program{
		Command: flags.goreleaser,
		Dir:     src.Repo.Dir,
		Env:     p.without(dispatchToken, identityURL, identityToken),
	}
	if flags.verbose {
		program.Output, signer.Output = p.Stderr, p.Stderr
	}
	return &release.Releaser{
		Repo: src.Repo, Commit: src.Commit, Tree: src.Tree, File: src.File, Version: v,
		Registry: p.registry(), BuilderRegistry: builderRegistry(), Public: anonymous(),
		Forge: forge, Downstreams: downstreams, Server: p.server(), Lookup: p.resolver(src, nil),
		Goreleaser:     program,
		Signer:         signer,
		Log:            &report.Log{Out: p.Stdout, Now: time.Now},
		AcceptStandIns: flags.standIns,
		AllowPrivate:   flags.private,
		Untracked:      within(src.Repo.Dir, flags.report),
	}, nil
}

// within returns the path from the top of the repository, if it is inside.
func within(top, path string) []string {
	absolute, err := filepath.Abs(path)
	if err != nil || path == "" {
		return nil
	}
	inside, err := filepath.Rel(top, absolute)
	if err != nil || !filepath.IsLocal(inside) || inside == "." {
		return nil
	}
	return []string{inside}
}

// conclude prints and writes the report.
func (p process) conclude(rep *report.Report, dir string, err error) error {
	if rep == nil {
		return err
	}
	if len(rep.Artifacts) > 0 {
		rep.Table(p.Stdout)
	}
	p.summarize(rep.Markdown())
	if dir != "" {
		err = errors.Join(err, rep.Write(dir))
	}
	if err == nil && len(rep.Unchecked) > 0 {
		return uncheckedError{len(rep.Unchecked)}
	}
	return err
}
