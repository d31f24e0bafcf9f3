package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/kubestellar/actions/internal/attest"
	"github.com/kubestellar/actions/internal/goreleaser"
	"github.com/kubestellar/actions/internal/outcome"
	"github.com/kubestellar/actions/internal/prove"
	"github.com/kubestellar/actions/internal/ref"
	"github.com/kubestellar/actions/internal/rehearsal"
	"github.com/kubestellar/actions/internal/report"
	"github.com/kubestellar/actions/internal/workspace"
)

const proveHelp = `Compares release VERSION of COMPONENT, or of the own component, with its git tag.
prove reads only public data. It reports for each association between an artifact
and the tag whether it is proven, refuted, or could not be checked, with the
evidence.

The tag's own delivery.yaml declares the artifacts of the release. Charts are
packaged again from the tag and compared byte for byte. Labels are reported as
labels, because only the builder vouches for them.

With --rebuild, images and archives are built again too: from the tag, in a clean
clone in another folder, with an empty build cache and the recorded toolchain, on
an isolated network. That needs goreleaser on PATH, and takes as long as a cold
build. It runs the commands of the tag's .goreleaser.yaml, as you, on this machine.
If you do not trust the repository, use a disposable machine.

Needs git, and gh if something is attested. GITHUB_TOKEN only raises GitHub's rate
limit. Exit codes: 0 everything is proven, 1 something is refuted, 3 something
could not be checked.

With --newest instead of a version, prove proves the newest release of each named
component, or of every declared one. The newest release is the newest version with
a published image or chart.`

const proveExample = `  # Prove a release of the own component
  ghhelper prove 0.29.0

  # Prove another component's release, and build its images again
  ghhelper prove pay 1.4.0 --rebuild

  # Prove the newest release of each component
  ghhelper prove --newest`

type proveFlags struct {
	config, format, goreleaser string
	root                       string
	rebuild, standIns, verbose bool
	newest                     bool
}

func newProve(p process) *cobra.Command {
	var f proveFlags
	cmd := &cobra.Command{
		Use:        "prove {[COMPONENT] VERSION | --newest [COMPONENT…]}",
		GroupID:    groupRelease,
		Short:      "Compare a published release with its git tag",
		Long:       proveHelp,
		Example:    proveExample,
		SuggestFor: []string{"audit", "attest"},
	}
	cmd.Args = func(cmd *cobra.Command, args []string) error {
		if !f.newest && len(args) != 1 && len(args) != 2 {
			return fmt.Errorf("want COMPONENT and VERSION, or VERSION of the own component, or --newest; got %s",
				report.Count(len(args), "argument"))
		}
		return nil
	}
	cmd.ValidArgsFunction = func(
		cmd *cobra.Command, args []string, word string,
	) ([]cobra.Completion, cobra.ShellCompDirective) {
		if f.newest {
			return p.completeComponents(cmd, args, word)
		}
		return p.completeComponent(cmd, args, word)
	}
	addConfig(cmd, &f.config)
	addFormat(cmd, &f.format, "text", "json")
	flags := cmd.Flags()
	flags.BoolVar(&f.rebuild, "rebuild", false, "build images and archives again from the tag, and compare")
	addGoreleaser(cmd, &f.goreleaser)
	flags.StringVar(&f.root, "trusted-root", "",
		"a file of the authorities that may certify attestations, as \"gh attestation trusted-root\" writes it\n"+
			"(default: those of Sigstore and GitHub)")
	flags.BoolVar(&f.verbose, "verbose", false, "show the output of goreleaser, with --rebuild")
	flags.BoolVar(&f.newest, "newest", false, "prove the newest release of each component")
	flags.BoolVar(&f.standIns, "accept-stand-ins", false,
		"succeed if only stand-ins kept something from being checked, as in a rehearsal")
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
	return proof.Err(report.StandIns(f.standIns))
}

// outputProof sets the outputs for later steps.
func (p process) outputProof(proof *report.Proof) {
	conclusion := report.Proven
	switch {
	case len(proof.Findings) > 0:
		conclusion = report.Refuted
	case len(proof.Unchecked) > 0:
		conclusion = report.Unchecked
	}
	p.output("prove", map[string]string{
		"component": proof.Component, "version": proof.Version, "commit": proof.Commit,
		"conclusion": string(conclusion),
	})
}

// proveNewest proves one release of each component. The worst result decides the
// exit code.
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
		proofs, errs = append(proofs, proof), append(errs, proof.Err(report.StandIns(f.standIns)))
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

// proof proves one release.
func (p process) proof(
	ctx context.Context, f proveFlags, src workspace.Workspace, component string, v ref.Version,
) (*report.Proof, error) {
	forge, err := p.forge("GITHUB_TOKEN")
	if err != nil {
		return nil, err
	}
	home, err := os.MkdirTemp("", "ghhelper-gh-*") // where gh keeps the trusted authorities
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(home)
	registry := p.registry() // a single one, because it caches tokens
	resolver := p.resolver(src, registry)
	prover := &prove.Prover{
		File: src.File, Config: src.Config, Component: component, Version: v, Repo: src.Repo, Server: p.server(),
		Registry: registry, Anonymous: anonymous(), Resolver: resolver, Forge: forge,
		Repositories: resolver.Repositories,
	}
	prover.Attestations = &attest.Verifier{
		GitHub: forge.Attestations, Registry: registry,
		Command: "gh", Env: attest.Environment(p.Environ), TrustedRoot: f.root, Home: home,
	}
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
