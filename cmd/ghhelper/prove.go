package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/kubestellar/actions/internal/attest"
	"github.com/kubestellar/actions/internal/delivery"
	"github.com/kubestellar/actions/internal/goreleaser"
	"github.com/kubestellar/actions/internal/outcome"
	"github.com/kubestellar/actions/internal/prove"
	"github.com/kubestellar/actions/internal/ref"
	"github.com/kubestellar/actions/internal/rehearsal"
	"github.com/kubestellar/actions/internal/report"
	"github.com/kubestellar/actions/internal/workspace"
)

const proveHelp = `Looks at a release from outside, the own component's where none is named, by
what anybody can read, and says of each association between what was published
and its git tag whether it is proven, refuted, or could not be checked, with the
evidence.

The tag's own delivery.yaml says what the release consists of. Charts are
packaged again from the tag and compared byte for byte; labels, which say what
the builder said, are called so. With --rebuild, images and archives are built
again too: from the tag, in a clean clone in another folder, with an empty build
cache and the recorded toolchain, in a world of its own. That takes goreleaser
on PATH, and the time of a cold build. It runs what the tag's .goreleaser.yaml
says, as you, on this machine: of a repository that you do not trust, do that in a
machine to throw away.

Needs git, and gh where something is attested. GITHUB_TOKEN is of use only where
GitHub limits how much anybody may ask. Exit codes: 0 all is proven, 1 something
is refuted, 3 something could not be checked.

With --newest, no version is given: the newest release of each component that is
named, or of all that are declared, is proven; the newest is that of which any
image or chart is published.`

type proveFlags struct {
	config, format, goreleaser string
	root                       string
	rebuild, standIns, verbose bool
	newest                     bool
}

func newProve(p process) *cobra.Command {
	var f proveFlags
	cmd := &cobra.Command{Use: "prove {[COMPONENT] VERSION | --newest [COMPONENT…]}", Short: "Prove a release from what was published", Long: proveHelp}
	cmd.Args = func(cmd *cobra.Command, args []string) error {
		if f.newest {
			return nil
		}
		if len(args) != 1 && len(args) != 2 {
			return fmt.Errorf("want COMPONENT and VERSION, or VERSION of the own component, or --newest; got %s", report.Count(len(args), "argument"))
		}
		return nil
	}
	cmd.Flags().StringVar(&f.config, "config", delivery.FileName, "the file that declares the components")
	cmd.Flags().StringVar(&f.format, "format", "text", "text or json")
	cmd.Flags().BoolVar(&f.rebuild, "rebuild", false, "build images and archives again from the tag, and compare")
	cmd.Flags().StringVar(&f.goreleaser, "goreleaser", "goreleaser", "the goreleaser command, for --rebuild")
	cmd.Flags().StringVar(&f.root, "trusted-root", "", "a file of who may certify attestations, as \"gh attestation trusted-root\" writes it (default: what Sigstore and GitHub publish)")
	cmd.Flags().BoolVar(&f.verbose, "verbose", false, "show what goreleaser says while it builds")
	cmd.Flags().BoolVar(&f.newest, "newest", false, "prove the newest release of each component")
	cmd.Flags().BoolVar(&f.standIns, "accept-stand-ins", false, "end well where all that could not be checked rests on stand-ins, as in a rehearsal")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if err := oneOf(f.format, "text", "json"); err != nil {
			return err
		}
		return p.prove(cmd.Context(), f, args)
	}
	return cmd
}

func (p process) prove(ctx context.Context, f proveFlags, args []string) error {
	src, err := p.opener(f.config).Folder(ctx, "")
	if err != nil {
		return err
	}
	if f.newest {
		return p.proveNewest(ctx, f, src, args)
	}
	component, v, err := releaseOf(src.File, args)
	if err != nil {
		return err
	}
	proof, err := p.proof(ctx, f, src, component, v)
	if err != nil {
		return err
	}
	p.outputProof(proof)
	if err := p.printProof(proof, f.format); err != nil {
		return err
	}
	return proof.Err(f.standIns)
}

// outputProof gives the later steps what one proof came to.
func (p process) outputProof(proof *report.Proof) {
	conclusion := report.Proven
	switch {
	case len(proof.Findings) > 0:
		conclusion = report.Refuted
	case len(proof.Unchecked) > 0:
		conclusion = report.Unchecked
	}
	p.output("prove", map[string]string{"component": proof.Component, "version": proof.Version, "commit": proof.Commit, "conclusion": string(conclusion)})
}

// proveNewest proves one release of each component, and fails by the worst.
func (p process) proveNewest(ctx context.Context, f proveFlags, src workspace.Workspace, components []string) error {
	if len(components) == 0 {
		components = src.File.Names()
	}
	proofs := []*report.Proof{}
	var errs []error
	for _, name := range components {
		c, err := src.File.Component(name)
		if err != nil {
			return outcome.As(outcome.Usage, err)
		}
		v, err := prove.Newest(ctx, c, p.registry().Tags)
		if err != nil {
			errs = append(errs, fmt.Errorf("looking for the newest release of %s: %w", name, err))
			continue
		}
		if v.IsZero() {
			fmt.Fprintf(p.Stderr, "%s: nothing is published\n", name)
			continue
		}
		proof, err := p.proof(ctx, f, src, name, v)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		proofs, errs = append(proofs, proof), append(errs, proof.Err(f.standIns))
		if f.format == "text" {
			errs = append(errs, p.printProof(proof, f.format))
			fmt.Fprintln(p.Stdout)
		}
	}
	if f.format == "json" {
		errs = append(errs, p.printJSON(proofs))
	}
	if len(proofs) == 1 {
		p.outputProof(proofs[0])
	}
	if len(proofs) == 0 {
		errs = append(errs, errors.New("nothing was proven: no release of any of these components was found"))
	}
	return errors.Join(errs...)
}

// proof looks at one release.
func (p process) proof(ctx context.Context, f proveFlags, src workspace.Workspace, component string, v ref.Version) (*report.Proof, error) {
	forge, err := p.forge("GITHUB_TOKEN")
	if err != nil {
		return nil, err
	}
	home, err := os.MkdirTemp("", "ghhelper-gh-*") // gh keeps there what it has fetched of whom to trust
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(home)
	registry := p.registry() // one, which keeps the tokens that registries give
	prover := &prove.Prover{
		File: src.File, Config: src.Config, Component: component, Version: v, Repo: src.Repo, Server: p.server(),
		Registry: registry, Anybody: anybody(), World: p.resolver(src, registry), Forge: forge,
	}
	prover.Attestations = &attest.Verifier{GitHub: forge.Attestations, Registry: registry, Command: "gh", Env: attest.Environment(p.Environ), TrustedRoot: f.root, Home: home}
	if f.rebuild {
		program := goreleaser.Program{Command: f.goreleaser}
		if f.verbose {
			program.Output = p.Stderr
		}
		again := rehearsal.Rebuild{
			Repo: src.Repo, Server: p.server(), Version: v, Registry: registry, Goreleaser: program, Now: time.Now,
		}
		prover.Rebuild = again.Run
	}
	defer p.warnRenamed(ctx, forge)
	return prover.Prove(ctx)
}

func (p process) printProof(proof *report.Proof, format string) error {
	p.summarize(proof.Markdown())
	if format == "text" {
		proof.Table(p.Stdout)
		return nil
	}
	return p.printJSON(proof)
}
