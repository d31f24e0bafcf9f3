package main

import (
	"context"
	"errors"
	"io"
	"regexp"
	"runtime"

	"github.com/spf13/cobra"

	"github.com/kubestellar/actions/internal/delivery"
	"github.com/kubestellar/actions/internal/git"
	"github.com/kubestellar/actions/internal/image"
	"github.com/kubestellar/actions/internal/ref"
)

const imageHelp = `Builds the image of somebody else's tool: a component that has an image with a
build in delivery.yaml. VERSION is a release of it; by default the newest regular
one, by the tags of its repository.

The source is that of the Go module, from the module proxy and held to the
checksum database and to the files of the git tag; or that of the git tag itself,
where no module is declared or the module's go.mod replaces something by a folder.
It is built with ko, for each platform of the image (by default linux/amd64,
linux/arm64 and linux/ppc64le), on the base image of ghhelper's own, and carries
labels with its repository, commit, version and time. The same version, built by
the same ghhelper, has the same digest wherever it is built.

Without --push nothing is pushed. With it, the image is pushed under a staging
name, looked at, and promoted by digest. A tag never moves: the same digest is
done already, another one is an error.

Needs git, go, and on PATH the ko that "make .tools/bin/ko" builds; and for --push
credentials for the registry: docker login.`

type imageFlags struct {
	config, format, layout string
	platforms              []string
	push, verbose          bool
}

func newImage(p process) *cobra.Command {
	var f imageFlags
	cmd := &cobra.Command{Use: "image COMPONENT [VERSION]", Short: "Build the image of somebody else's tool", Long: imageHelp, Args: cobra.RangeArgs(1, 2)}
	cmd.Flags().StringVar(&f.config, "config", delivery.FileName, "the file that declares the components")
	cmd.Flags().StringVar(&f.format, "format", "text", "text or json")
	cmd.Flags().StringVar(&f.layout, "layout", "", "leave the image as an OCI layout in this new folder")
	cmd.Flags().StringSliceVar(&f.platforms, "platform", nil, "build for these of its platforms alone, which is never pushed")
	cmd.Flags().BoolVar(&f.push, "push", false, "publish the image")
	cmd.Flags().BoolVar(&f.verbose, "verbose", false, "show what ko says while it builds")
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
	says := io.Discard
	if f.verbose {
		says = p.Stderr
	}
	img, err := image.Builder{
		File: src.File, Component: args[0], Version: v, Platforms: f.platforms, Repo: git.Repo{Dir: src.Repo.Dir, Env: p.Environ},
		Env: p.without("GITHUB_TOKEN", dispatchToken, identityURL, identityToken), Toolchain: toolchain(), Server: p.server(),
		Registry: p.registry(), Push: f.push, Layout: f.layout, Errors: says,
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

// toolchain is the one that this program was built with, which go.mod pins; "local"
// where that is none that can be fetched.
func toolchain() string { return orElse(toolchainName.FindString(runtime.Version()), "local") }
