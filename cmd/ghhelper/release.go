package main

import (
	"context"
	"errors"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/kubestellar/actions/internal/delivery"
	"github.com/kubestellar/actions/internal/goreleaser"
	"github.com/kubestellar/actions/internal/release"
	"github.com/kubestellar/actions/internal/report"
)

const releaseHelp = `Releases the checked-out commit: preflight, tag, build with goreleaser, stamp,
stage, check, sign, promote by digest, publish, prove, dispatch to the downstreams.

Nothing becomes visible under its final name before all of it has been built
and checked. Each step looks whether it is done first, so a release that
stopped anywhere is finished by running the same command again.

Needs git, go and goreleaser on PATH, GITHUB_TOKEN, and credentials for
registries other than ghcr.io: those of docker, with its credential helpers, or
for charts those of helm, in that order, before GITHUB_TOKEN. DISPATCH_TOKEN, if
it is set, is used for the downstreams alone. "ghhelper rehearse" runs the same
without any.

With --sign cosign, cosign 3 or newer signs each image and chart as the job of
a workflow, by its OIDC token, with docker's credentials. To see that it did:

  cosign verify LOCATION@DIGEST \
    --certificate-oidc-issuer https://token.actions.githubusercontent.com \
    --certificate-identity https://github.com/OWNER/NAME/.github/workflows/FILE@refs/tags/vVERSION

Without, nothing is signed here. On github.com, actions/attest attests what
subjects.txt lists, beside the report, and "gh attestation verify" sees to it.`

// dispatchToken names the variable with the downstreams' token; the build,
// which runs other people's code, does not see it.
const dispatchToken = "DISPATCH_TOKEN"

const publishHelp = `Stamps, packages, stages, checks, promotes and proves the charts of VERSION
alone, for a repository whose images are published already. The same stages
as in "ghhelper release".`

// releaseFlags are the flags of release and publish.
type releaseFlags struct {
	config, report, goreleaser string
	sign                       string
	verbose, standIns, private bool
}

func (f *releaseFlags) add(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.config, "config", delivery.FileName, "the file that declares what is released")
	cmd.Flags().StringVar(&f.report, "report", "", "write report.md and report.json into this folder")
	cmd.Flags().BoolVar(&f.verbose, "verbose", false, "show what goreleaser says while it builds")
	cmd.Flags().BoolVar(&f.standIns, "accept-stand-ins", false, "let the release rest on stand-ins, as a rehearsal does")
	cmd.Flags().BoolVar(&f.private, "allow-private", false, "go on with packages that are private, or new and so will be; the end says which nobody else can see")
	cmd.Flags().StringVar(&f.sign, "sign", "", "sign images and charts by digest before they are promoted: cosign (default: do not)")
	cmd.Flags().StringVar(&f.goreleaser, "goreleaser", "goreleaser", "the goreleaser command")
}

func newRelease(p process) *cobra.Command {
	return newReleaser(p, "release VERSION", "Release the checked-out commit as VERSION", releaseHelp, (*release.Releaser).Release)
}

func newPublish(p process) *cobra.Command {
	return newReleaser(p, "publish VERSION", "Publish the charts alone as VERSION", publishHelp, (*release.Releaser).Publish)
}

type releaseFunc func(*release.Releaser, context.Context) (*report.Report, error)

func newReleaser(p process, use, short, long string, run releaseFunc) *cobra.Command {
	var flags releaseFlags
	cmd := &cobra.Command{Use: use, Short: short, Long: long, Args: cobra.ExactArgs(1)}
	flags.add(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		releaser, err := p.releaser(cmd.Context(), flags, args[0])
		if err != nil {
			return err
		}
		defer p.warnRenamed(cmd.Context(), releaser.Forge, releaser.Downstreams)
		rep, err := run(releaser, cmd.Context())
		return p.conclude(rep, flags.report, err)
	}
	return cmd
}

// releaser returns a Releaser of the checked-out commit.
func (p process) releaser(ctx context.Context, flags releaseFlags, versionArg string) (*release.Releaser, error) {
	v, err := parseVersion(versionArg)
	if err != nil {
		return nil, err
	}
	signer, err := p.signer(flags.sign)
	if err != nil {
		return nil, err
	}
	src, err := p.opener(flags.config).Head(ctx, ".")
	if err != nil {
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
		Registry: p.registry(), BuilderRegistry: builderRegistry(), Public: anybody(), Forge: forge, Downstreams: downstreams, Server: p.server(), World: p.resolver(src, nil),
		Goreleaser:     program,
		Signer:         signer,
		Log:            &report.Log{Out: p.Stdout, Now: time.Now},
		AcceptStandIns: flags.standIns, AllowPrivate: flags.private, Untracked: within(src.Repo.Dir, flags.report),
	}, nil
}

// within is the path from the top of the repository, if it leads into it.
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
