package main

import (
	"context"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/kubestellar/actions/internal/delivery"
	"github.com/kubestellar/actions/internal/ref"
	"github.com/kubestellar/actions/internal/rehearsal"
	"github.com/kubestellar/actions/internal/report"
	"github.com/kubestellar/actions/internal/workspace"
)

const rehearseHelp = `Rehearses the release of HEAD on this machine, against fake registries and a fake
GitHub on loopback. They answer as ghcr.io, quay.io and github.com, with throwaway
credentials. The release itself is an unchanged "ghhelper release", with the real
goreleaser and git, so its digests are those of the real release.

Artifacts of other projects are not built. Stand-ins with the right name, version
and labels take their place. The output lists each stand-in, and whatever depends
on one counts as "could not check", never as proven.

Then the rehearsal releases a new version of an upstream, as stand-ins, and
dispatches it here. The receiving workflow opens one pull request. The rehearsal
prints it, merges it, and runs "ghhelper verify". --upstream rehearses only this
part.

The default for VERSION is the next one after the newest tag, or 0.1.0.`

const rehearseExample = `  # Rehearse the release of HEAD, and keep the report
  ghhelper rehearse --report rehearsal

  # Rehearse the arrival of an upstream's release
  ghhelper rehearse --upstream kubeflex@0.9.2

  # Explore the fake registries afterwards
  ghhelper rehearse --keep`

type rehearseFlags struct {
	config, report, addr string
	upstream             string
	keep, verbose        bool
	without              []string
}

func newRehearse(p process) *cobra.Command {
	var f rehearseFlags
	cmd := &cobra.Command{
		Use:               "rehearse [VERSION]",
		GroupID:           groupRelease,
		Short:             "Rehearse the release of HEAD on this machine",
		Long:              rehearseHelp,
		Example:           rehearseExample,
		SuggestFor:        []string{"try", "simulate"},
		Args:              cobra.MaximumNArgs(1),
		ValidArgsFunction: cobra.NoFileCompletions,
	}
	addConfig(cmd, &f.config)
	flags := cmd.Flags()
	flags.StringVar(&f.report, "report", "", "write report.md and report.json into this folder")
	flags.StringVar(&f.addr, "addr", "", "the address to listen on (default: a free port of 127.0.0.1)")
	flags.BoolVar(&f.keep, "keep", false, "keep the fakes running until interrupted, and print how to use them")
	flags.BoolVar(&f.verbose, "verbose", false, "show the output of goreleaser")
	flags.StringVar(&f.upstream, "upstream", "",
		"rehearse only the arrival of this release of an upstream (COMPONENT@VERSION)")
	flags.StringArrayVar(&f.without, "without", nil, "leave out this stand-in (location:tag), to see the failure")
	cmd.RunE = func(cmd *cobra.Command, args []string) error { return p.rehearse(cmd.Context(), f, args) }
	return cmd
}

func (p process) rehearse(ctx context.Context, f rehearseFlags, args []string) error {
	src, err := p.opener(f.config).Head(ctx, ".")
	if err != nil {
		return err
	}
	defer src.Close()
	var v ref.Version
	switch {
	case len(args) == 1:
		src.File, v, err = ownRelease(src.File, args[0])
	case len(src.File.Selves) > 1 && f.upstream == "":
		err = usage("several components are released here: name the git tag to rehearse: %s", forms(src.File))
	default:
		v, err = nextVersion(ctx, src)
	}
	if err != nil {
		return err
	}
	executable, err := os.Executable()
	if err != nil {
		return err
	}
	r := &rehearsal.Rehearsal{Repo: src.Repo, Config: f.config, File: src.File, Version: v, Executable: executable,
		Without: f.without, Verbose: f.verbose, Addr: f.addr, ReportDir: f.report, Out: p.Stdout, Now: time.Now}
	if f.keep {
		r.Kept = p.keep
	}
	if err := arriving(r, f.upstream); err != nil {
		return err
	}
	start := time.Now()
	if !r.OnlyUpstream {
		fmt.Fprintf(p.Stdout, "rehearsing the release of %s %s\n", src.File.Self, v)
	}
	rep, err := r.Run(ctx)
	if rep != nil {
		p.summarize(rep.Markdown())
	}
	if err != nil || rep == nil {
		return err
	}
	fmt.Fprintf(p.Stdout, "\nRehearsed %s %s in %.1fs, with %s for artifacts of other projects. "+
		"Whatever depends on a stand-in is not proven.\n",
		rep.Component, rep.Version, time.Since(start).Seconds(), report.Count(len(rep.Unchecked), "stand-in"))
	if f.report != "" {
		fmt.Fprintf(p.Stdout, "Report: %s/report.md\n", f.report)
	}
	return nil
}

// arriving parses --upstream.
func arriving(r *rehearsal.Rehearsal, text string) error {
	if text == "" {
		return nil
	}
	component, version, ok := strings.Cut(text, "@")
	if _, err := r.File.Component(component); !ok || err != nil || r.File.Whole().IsOwn(component) {
		return usage("--upstream %q: want COMPONENT@VERSION of a component in %s that another repository releases",
			text, delivery.FileName)
	}
	v, err := parseVersion(version)
	r.Upstream, r.OnlyUpstream = &rehearsal.Upstream{Component: component, Version: v}, true
	return err
}

// nextVersion returns the next version after the newest tag of the component to release.
func nextVersion(ctx context.Context, src workspace.Workspace) (ref.Version, error) {
	versions, err := src.Repo.Versions(ctx, src.File.Own().Tagged)
	if err != nil {
		return ref.Version{}, err
	}
	if newest := ref.Newest(versions); !newest.IsZero() {
		return newest.Next(), nil
	}
	return ref.ParseVersion("0.1.0")
}

// keep prints commands to paste, and waits for an interrupt.
func (p process) keep(ctx context.Context, k rehearsal.Kept) {
	if k.Failed {
		fmt.Fprintf(p.Stdout, "\nThe release failed, so some of the following is missing.\n")
	}
	fmt.Fprintf(p.Stdout,
		"\nThe fake registries and GitHub stay up on %s until interrupted (Ctrl-C). In another terminal:\n\n", k.Addr)
	for _, entry := range k.Exports {
		name, value, _ := strings.Cut(entry, "=")
		fmt.Fprintf(p.Stdout, "export %s=%s\n", name, shellQuote(value))
	}
	fmt.Fprintln(p.Stdout)
	for _, c := range k.Charts {
		at, tag, _ := strings.Cut(c, ":")
		fmt.Fprintf(p.Stdout, "helm show chart oci://%s --version %s\n", at, tag)
	}
	fmt.Fprintf(p.Stdout, "git clone %s\n", k.Source)
	<-ctx.Done()
}

func shellQuote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }
