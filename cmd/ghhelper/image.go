package main

import (
	"context"
	"errors"
	"io"
	"regexp"
	"runtime"

	"github.com/spf13/cobra"

	"github.com/kubestellar/actions/internal/git"
	"github.com/kubestellar/actions/internal/image"
	"github.com/kubestellar/actions/internal/ref"
)

const imageHelp = `Builds the image of a tool that another project releases: a component with an
image that declares a build in delivery.yaml. VERSION is a release of it. The
default is the newest regular one, by the tags of its repository.

The source comes from the module proxy, and is checked against the checksum
database and the files of the git tag. It comes from the git tag itself if no
module is declared, or if the module's go.mod replaces a module by a folder.

ko builds it for each platform of the image (default: linux/amd64, linux/arm64 and
linux/ppc64le), on ghhelper's own base image, with labels for its repository,
commit, version and time. The same ghhelper builds the same version with the same
digest everywhere.

Without --push nothing is pushed. With it, the image is pushed under a staging
name, checked, and promoted by digest. A tag never moves: if it has the same
digest, nothing is left to do, and any other digest is an error.

Needs git, go, and on PATH the ko that "make .tools/bin/ko" builds. --push needs
credentials for the registry: docker login.`

const imageExample = `  # Build an image, and leave it in a folder
  ghhelper image example-tool 1.4.0 --layout image

  # Build and publish the image of the newest release
  ghhelper image example-tool --push`

type imageFlags struct {
	config, format, layout string
	platforms              []string
	push, verbose          bool
}

func newImage(p process) *cobra.Command {
	var f imageFlags
	cmd := &cobra.Command{
		Use:               "image COMPONENT [VERSION]",
		GroupID:           groupRelease,
		Short:             "Build the image of another project's tool",
		Long:              imageHelp,
		Example:           imageExample,
		SuggestFor:        []string{"ko"},
		Args:              cobra.RangeArgs(1, 2),
		ValidArgsFunction: p.completeComponent,
	}
	addConfig(cmd, &f.config)
	addFormat(cmd, &f.format, "text", "json")
	flags := cmd.Flags()
	flags.StringVar(&f.layout, "layout", "", "leave the image as an OCI layout in this new folder")
	flags.StringSliceVar(&f.platforms, "platform", nil,
		"build only for these of the image's platforms; the result cannot be pushed")
	flags.BoolVar(&f.push, "push", false, "publish the image")
	flags.BoolVar(&f.verbose, "verbose", false, "show the output of ko")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if err := oneOf(f.format, "text", "json"); err != nil {
			return err
		}
		return p.image(cmd.Context(), f, args)
	}
	return cmd
}

func (p process) image(ctx context.Context, f imageFlags, args []string) error {
	var v ref.Version
	if len(args) > 1 && args[1] != "" {
		var err error
		if v, err = parseVersion(args[1]); err != nil {
			return err
		}
	}
	src, err := p.opener(f.config).Folder(ctx, "")
	if err != nil {
		return err
	}
	var output io.Writer
	if f.verbose {
		output = p.Stderr
	}
	img, err := image.Builder{
		File: src.File, Component: args[0], Version: v, Platforms: f.platforms,
		Repo: git.Repo{Dir: src.Repo.Dir, Env: p.Environ},
		Env:  p.withoutTokens(), Toolchain: toolchain(), Server: p.server(),
		Registry: p.registry(), Push: f.push, Layout: f.layout, Output: output,
	}.Build(ctx)
	if err != nil {
		return err
	}
	return p.concludeImage(img, f)
}

func (p process) concludeImage(img *image.Image, f imageFlags) error {
	var errs []error
	if f.format == "json" {
		errs = append(errs, p.printJSON(img))
	} else {
		errs = append(errs, img.Text(p.Stdout))
	}
	p.summarize(img.Markdown())
	p.output("image", map[string]string{"version": img.Version, "image": img.Name, "digest": img.Digest})
	return errors.Join(errs...)
}

var toolchainName = regexp.MustCompile(`^go1\.[0-9]+(\.[0-9]+)?(rc[0-9]+)?`)

// toolchain returns the toolchain that built this program, which go.mod pins. It
// returns "local" if that is not one that can be fetched.
func toolchain() string { return orElse(toolchainName.FindString(runtime.Version()), "local") }
