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

const goreleaserHelp = `Runs goreleaser by itself, for a repository whose own workflow does the rest of a
release; "ghhelper release" is the whole of it, and can be run again.

With VERSION, whose tag is checked out, it releases. Before anything is pushed it
looks whether the tree is clean and the clone whole, the tag on this commit here
and at the repository, no image published by any of its names, and whether
.goreleaser.yaml gives each image labels that say its source, revision and
version. Then it looks at the images that were pushed. Without VERSION it makes a
snapshot, which publishes nothing, and holds .goreleaser.yaml to the same. Images
of a snapshot are built where Docker answers, with which goreleaser leaves them.

Images are those of kos. goreleaser gets, for its templates and for go:

  LDFLAGS            -s -w -X main.version=VERSION -X main.commit=COMMIT, with what
                     is in LDFLAGS already; a snapshot's version is that of
                     "git describe"
  COMMIT_TIME        the commit's time, as 2026-01-02T03:04:05Z
  SOURCE_DATE_EPOCH  the same in seconds
  GOTOOLCHAIN        the toolchain of go.mod
  GOFLAGS            -mod=readonly -trimpath -buildvcs=false

Needs git, go and goreleaser on PATH; and for a release GITHUB_TOKEN, with
credentials of docker for registries other than ghcr.io.`

type goreleaserFlags struct {
	folder, repository, goreleaser, format string
	verbose                                bool
}

func newGoreleaser(p process) *cobra.Command {
	var f goreleaserFlags
	cmd := &cobra.Command{Use: "goreleaser [VERSION]", Short: "Run goreleaser alone, for a release or a snapshot", Long: goreleaserHelp, Args: cobra.MaximumNArgs(1)}
	cmd.Flags().StringVar(&f.folder, "workdir", ".", "the folder of the repository that holds .goreleaser.yaml and go.mod")
	cmd.Flags().StringVar(&f.repository, "repository", "", "owner/name of the repository (default: that of delivery.yaml, else GITHUB_REPOSITORY)")
	cmd.Flags().StringVar(&f.goreleaser, "goreleaser", "goreleaser", "the goreleaser command")
	cmd.Flags().StringVar(&f.format, "format", "text", "text or json")
	cmd.Flags().BoolVar(&f.verbose, "verbose", false, "show what goreleaser says")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if err := oneOf(f.format, "text", "json"); err != nil {
			return err
		}
		return p.goreleaser(cmd.Context(), f, args)
	}
	return cmd
}

func (p process) goreleaser(ctx context.Context, f goreleaserFlags, args []string) error {
	var v ref.Version
	if len(args) > 0 {
		var err error
		if v, err = parseVersion(args[0]); err != nil {
			return err
		}
	}
	run, err := p.goreleaserOf(ctx, f, v)
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

// goreleaserOf puts a run together from the surroundings. The build of a snapshot,
// which may be that of a pull request, sees no token.
func (p process) goreleaserOf(ctx context.Context, f goreleaserFlags, v ref.Version) (run goreleaser.Standalone, err error) {
	run = goreleaser.Standalone{Server: p.server(), Version: v, Registry: builderRegistry()}
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
	if run.Repository, err = p.ownRepository(tree, f.repository); err != nil {
		return run, err
	}
	if run.Tree, err = below(tree, f.folder); err != nil {
		return run, err
	}
	if run.Forge, err = p.forge("GITHUB_TOKEN"); err != nil {
		return run, err
	}
	env := p.without(dispatchToken)
	if v.IsZero() {
		env = p.without(dispatchToken, "GITHUB_TOKEN", identityURL, identityToken)
	}
	run.Program = goreleaser.Program{Command: f.goreleaser, Dir: filepath.Join(run.Repo.Dir, f.folder), Env: env}
	if f.verbose {
		run.Program.Output = p.Stderr
	}
	return run, nil
}

// below is a folder of a tree.
func below(tree fs.FS, folder string) (fs.FS, error) {
	if info, err := fs.Stat(tree, folder); err != nil || !info.IsDir() {
		return nil, usage("--workdir %+q is no folder of the commit that is checked out, want one, by its path from the top", ref.Shorten(folder))
	}
	return fs.Sub(tree, folder)
}

var repositoryName = regexp.MustCompile(`^[A-Za-z0-9._-]+/[A-Za-z0-9._-]+$`)

// ownRepository is owner/name of what is checked out: what was given or, without
// that, what delivery.yaml declares or, without one, what the runner says.
func (p process) ownRepository(tree fs.FS, given string) (string, error) {
	if _, err := fs.Stat(tree, delivery.FileName); err == nil && given == "" {
		file, err := delivery.Load(tree, delivery.FileName)
		if err != nil {
			return "", outcome.As(outcome.Usage, err)
		}
		return file.Own().Repository, nil
	}
	name := orElse(given, p.Getenv("GITHUB_REPOSITORY"))
	if !repositoryName.MatchString(name) {
		return "", usage("--repository, else GITHUB_REPOSITORY, is %+q, want owner/name: it is what images name as their source", ref.Shorten(name))
	}
	return name, nil
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
	p.output("goreleaser", map[string]string{"version": made.Version, "commit": made.Commit, "images": string(images), "digest": made.Digest(), "checksums": made.Checksums})
	return err
}
