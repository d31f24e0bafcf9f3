package main

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"path/filepath"
	"regexp"

	"github.com/spf13/cobra"

	"github.com/kubestellar/actions/internal/delivery"
	"github.com/kubestellar/actions/internal/goreleaser"
	"github.com/kubestellar/actions/internal/outcome"
	"github.com/kubestellar/actions/internal/ref"
)

const goreleaserHelp = `Runs goreleaser alone, for a repository whose own workflow does the rest of a
release. "ghhelper release" does a whole release, and can be run again.

With VERSION, it releases the tag that is checked out. Before anything is pushed,
it checks that the tree is clean and the clone complete, that the tag is on this
commit here and on the server, that no image is published under any of its names,
and that .goreleaser.yaml gives each image labels with its source, revision and
version. Afterwards it checks the images that were pushed.

Without VERSION it makes a snapshot. That publishes nothing, and checks
.goreleaser.yaml in the same way. If Docker answers, goreleaser also builds the
images, and leaves them in Docker.

Images are built by the section kos. goreleaser gets, for its templates and for go:

  LDFLAGS            -s -w -X main.version=VERSION -X main.commit=COMMIT, after
                     the current value of LDFLAGS; a snapshot's version is that
                     of "git describe"
  COMMIT_TIME        the commit's time, as 2026-01-02T03:04:05Z
  SOURCE_DATE_EPOCH  the same in seconds
  GOTOOLCHAIN        the toolchain of go.mod
  GOFLAGS            -mod=readonly -trimpath -buildvcs=false

Needs git, go and goreleaser on PATH. A release needs GITHUB_TOKEN, and docker's
credentials for registries other than ghcr.io.`

const goreleaserExample = `  # Build a snapshot, which publishes nothing
  ghhelper goreleaser

  # Release the tag that is checked out
  GITHUB_TOKEN=… ghhelper goreleaser 0.29.0`

type goreleaserFlags struct {
	folder, repository, goreleaser, format string
	verbose                                bool
}

func newGoreleaser(p process) *cobra.Command {
	var f goreleaserFlags
	cmd := &cobra.Command{
		Use:               "goreleaser [VERSION]",
		GroupID:           groupRelease,
		Short:             "Run goreleaser alone, for a release or a snapshot",
		Long:              goreleaserHelp,
		Example:           goreleaserExample,
		Args:              cobra.MaximumNArgs(1),
		ValidArgsFunction: cobra.NoFileCompletions,
	}
	flags := cmd.Flags()
	flags.StringVar(&f.folder, "workdir", ".", "the folder of the repository with .goreleaser.yaml and go.mod")
	flags.StringVar(&f.repository, "repository", "",
		"owner/name of the repository (default: that of delivery.yaml, else GITHUB_REPOSITORY)")
	addGoreleaser(cmd, &f.goreleaser)
	addFormat(cmd, &f.format, "text", "json")
	flags.BoolVar(&f.verbose, "verbose", false, "show the output of goreleaser")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if err := oneOf(f.format, "text", "json"); err != nil {
			return err
		}
		return p.goreleaser(cmd.Context(), f, args)
	}
	return cmd
}

func (p process) goreleaser(ctx context.Context, f goreleaserFlags, args []string) error {
	run, err := p.goreleaserOf(ctx, f, args)
	if err != nil {
		return err
	}
	defer p.warnRenamed(ctx, run.Forge)
	made, err := run.Run(ctx)
	if made == nil {
		return err
	}
	return errors.Join(err, p.concludeGoreleaser(made, f))
}

// goreleaserOf returns a run of the current commit. A snapshot may be that of a pull
// request, so its build gets no token.
func (p process) goreleaserOf(
	ctx context.Context, f goreleaserFlags, args []string,
) (run goreleaser.Standalone, err error) {
	run = goreleaser.Standalone{Server: p.server(), Registry: builderRegistry()}
	if run.Repo, err = p.opener("").Repository(ctx, "."); err != nil {
		return run, err
	}
	if run.Commit, err = run.Repo.Head(ctx); err != nil {
		return run, usage("%w; the repository has no commit yet", err)
	}
	tree, err := run.Repo.Snapshot(ctx, run.Commit)
	if err != nil {
		return run, err
	}
	if run.Own, run.Version, err = p.ownComponent(tree, f, args); err != nil {
		return run, err
	}
	if run.Tree, err = below(tree, f.folder); err != nil {
		return run, err
	}
	if run.Forge, err = p.forge("GITHUB_TOKEN"); err != nil {
		return run, err
	}
	env := p.without(dispatchToken)
	if run.Version.IsZero() {
		env = p.withoutTokens()
	}
	run.Program = goreleaser.Program{Command: f.goreleaser, Dir: filepath.Join(run.Repo.Dir, f.folder), Env: env}
	if f.verbose {
		run.Program.Output = p.Stderr
	}
	return run, nil
}

// below returns a folder of a tree.
func below(tree fs.FS, folder string) (fs.FS, error) {
	if info, err := fs.Stat(tree, folder); err != nil || !info.IsDir() {
		return nil, usage("--workdir %+q is not a folder of the commit that is checked out, "+
			"want one, by its path from the top", ref.Shorten(folder))
	}
	return fs.Sub(tree, folder)
}

var repositoryName = regexp.MustCompile(`^[A-Za-z0-9._-]+/[A-Za-z0-9._-]+$`)

// ownComponent returns the component of the repository that is checked out, and the version
// to release, if there is one. The component is that of delivery.yaml, or one with the given
// name of the repository, or else GITHUB_REPOSITORY.
func (p process) ownComponent(
	tree fs.FS, f goreleaserFlags, args []string,
) (c delivery.Component, v ref.Version, err error) {
	if _, err := fs.Stat(tree, delivery.FileName); err == nil && f.repository == "" {
		file, err := delivery.Load(tree, delivery.FileName)
		if err != nil {
			return c, v, outcome.As(outcome.Usage, err)
		}
		if len(args) == 0 {
			return file.Own(), v, nil
		}
		file, v, err = ownRelease(file, args[0])
		if prefix, _ := file.Own().TagPrefix(); prefix != "" && err == nil {
			err = usage("goreleaser alone cannot release the tag %s: run ghhelper release", file.Own().GitTag(v))
		}
		return file.Own(), v, err
	}
	c.Repository = orElse(f.repository, p.Getenv("GITHUB_REPOSITORY"))
	if !repositoryName.MatchString(c.Repository) {
		return c, v, usage("--repository, else GITHUB_REPOSITORY, is %+q, "+
			"want owner/name: images name it as their source", ref.Shorten(c.Repository))
	}
	if len(args) > 0 {
		v, err = parseVersion(args[0])
	}
	return c, v, err
}

func (p process) concludeGoreleaser(made *goreleaser.Result, f goreleaserFlags) error {
	images, err := json.Marshal(made.Images)
	if err != nil {
		return err
	}
	if f.format == "json" {
		err = p.printJSON(made)
	} else {
		err = made.Text(p.Stdout)
	}
	for _, note := range made.Notes {
		p.warn("%s", note)
	}
	p.summarize(made.Markdown())
	p.output("goreleaser", map[string]string{
		"version": made.Version, "commit": made.Commit, "images": string(images),
		"digest": made.Digest(), "checksums": made.Checksums,
	})
	return err
}
