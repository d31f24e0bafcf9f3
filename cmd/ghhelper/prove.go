package main

import (
	"context"
	"encoding/json"
	"io"

	"github.com/spf13/cobra"

	"github.com/kubestellar/actions/internal/delivery"
	"github.com/kubestellar/actions/internal/prove"
	"github.com/kubestellar/actions/internal/rehearsal"
	"github.com/kubestellar/actions/internal/report"
)

const proveHelp = `Looks at a release from outside, by what anybody can read, and says of each
association between what was published and its git tag whether it is proven,
refuted, or could not be checked, with the evidence.

The tag's own delivery.yaml says what the release consists of. Charts are
packaged again from the tag and compared byte for byte; labels, which say what
the builder said, are called so. With --rebuild, images and archives are built
again too: from the tag, in a clean clone in another folder, with an empty build
cache and the recorded toolchain, in a world of its own. That takes goreleaser
on PATH, and the time of a cold build.`

type proveFlags struct {
	config, format, goreleaser string
	rebuild, standIns, verbose bool
}

func newProve(w world) *cobra.Command {
	var f proveFlags
	cmd := &cobra.Command{Use: "prove COMPONENT VERSION", Short: "Prove a release from what was published", Long: proveHelp, Args: cobra.ExactArgs(2)}
	cmd.Flags().StringVar(&f.config, "config", delivery.FileName, "the file that declares the components")
	cmd.Flags().StringVar(&f.format, "format", "text", "text or json")
	cmd.Flags().BoolVar(&f.rebuild, "rebuild", false, "build images and archives again from the tag, and compare")
	cmd.Flags().StringVar(&f.goreleaser, "goreleaser", "goreleaser", "the goreleaser command, for --rebuild")
	cmd.Flags().BoolVar(&f.verbose, "verbose", false, "show what goreleaser says while it builds")
	cmd.Flags().BoolVar(&f.standIns, "accept-stand-ins", false, "end well where all that could not be checked rests on stand-ins, as in a rehearsal")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if err := oneOf(f.format, "text", "json"); err != nil {
			return err
		}
		return w.prove(cmd.Context(), f, args[0], args[1])
	}
	return cmd
}

func (w world) prove(ctx context.Context, f proveFlags, component, versionArg string) error {
	v, err := parseVersion(versionArg)
	if err != nil {
		return err
	}
	src, err := w.folder(ctx, "", f.config)
	if err != nil {
		return err
	}
	forge, err := w.forge("GITHUB_TOKEN")
	if err != nil {
		return err
	}
	prover := &prove.Prover{
		File: src.file, Config: src.config, Component: component, Version: v, Repo: src.repo, Server: w.server(),
		Registry: registry(), World: w.resolver(src, registry()), Forge: forge,
	}
	if f.rebuild {
		says := io.Discard
		if f.verbose {
			says = w.Stderr
		}
		again := rehearsal.Rebuild{Repo: src.repo, Server: w.server(), Version: v, Registry: registry(), Goreleaser: f.goreleaser, Errors: says}
		prover.Rebuild = again.Run
	}
	proof, err := prover.Prove(ctx)
	if err != nil {
		return err
	}
	if err := w.printProof(proof, f.format); err != nil {
		return err
	}
	return proof.Err(f.standIns)
}

func (w world) printProof(proof *report.Proof, format string) error {
	if w.Getenv("GITHUB_STEP_SUMMARY") != "" {
		w.actions().AddStepSummary(proof.Markdown())
	}
	if format == "text" {
		proof.Table(w.Stdout)
		return nil
	}
	encoder := json.NewEncoder(w.Stdout)
	encoder.SetIndent("", "  ")
	encoder.SetEscapeHTML(false)
	return encoder.Encode(proof)
}
