package main

import (
	"context"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/kubestellar/actions/internal/delivery"
	"github.com/kubestellar/actions/internal/git"
	"github.com/kubestellar/actions/internal/ref"
	"github.com/kubestellar/actions/internal/rehearsal"
)

const rehearseHelp = `Releases HEAD in a world of its own on this machine: registries and a forge that
answer as ghcr.io, quay.io and github.com on loopback, with throwaway
credentials. The release itself is "ghhelper release", unchanged, with real
goreleaser and git, so the digests are those that the real release will have.

What others publish is not rebuilt: a stand-in with the right name, version and
labels takes its place, the output says so at each one, and what rests on a
stand-in counts as "could not check", never as proven.

Then a release of an upstream arrives: it publishes (stand-ins), tells us, and
what the receiving workflow does opens one pull request, which is shown, merged
and followed by "ghhelper verify". --upstream does that alone.

VERSION is the next one after the newest tag, or 0.1.0, unless it is given.`

type rehearseFlags struct {
	config, report, addr string
	upstream             string
	keep, verbose        bool
	without              []string
}

func newRehearse(p process) *cobra.Command {
	var f rehearseFlags
	cmd := &cobra.Command{Use: "rehearse [VERSION]", Short: "Release HEAD in a world of its own on this machine", Long: rehearseHelp, Args: cobra.MaximumNArgs(1)}
	cmd.Flags().StringVar(&f.config, "config", delivery.FileName, "the file that declares what is released")
	cmd.Flags().StringVar(&f.report, "report", "", "write report.md and report.json into this folder")
	cmd.Flags().StringVar(&f.addr, "addr", "", "where the world listens (default: a free port of 127.0.0.1)")
	cmd.Flags().BoolVar(&f.keep, "keep", false, "leave the world up until interrupted, and print how to look around in it")
	cmd.Flags().BoolVar(&f.verbose, "verbose", false, "show what goreleaser says while it builds")
	cmd.Flags().StringVar(&f.upstream, "upstream", "", "rehearse only that this release (COMPONENT@VERSION) of an upstream arrives")
	cmd.Flags().StringArrayVar(&f.without, "without", nil, "withhold this stand-in (location:tag), to see it missed")
	cmd.RunE = func(cmd *cobra.Command, args []string) error { return p.rehearse(cmd.Context(), f, args) }
	return cmd
}

func (p process) rehearse(ctx context.Context, f rehearseFlags, args []string) error {
	src, err := p.opener(f.config).Head(ctx, ".")
	if err != nil {
		return err
	}
	defer src.Close()
	v, err := versionOrNext(ctx, src.Repo, args)
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
	fmt.Fprintf(p.Stdout, "\nRehearsed %s %s in %.1fs. %d stand-ins took the place of what others publish, and what rests on them is not proven.\n",
		rep.Component, rep.Version, time.Since(start).Seconds(), len(rep.Unchecked))
	if f.report != "" {
		fmt.Fprintf(p.Stdout, "Report: %s/report.md\n", f.report)
	}
	return nil
}

// arriving reads --upstream.
func arriving(r *rehearsal.Rehearsal, text string) error {
	if text == "" {
		return nil
	}
	component, version, ok := strings.Cut(text, "@")
	if _, err := r.File.Component(component); !ok || err != nil || r.File.IsOwn(component) {
		return usage("--upstream %q: want COMPONENT@VERSION of a component in %s that is released elsewhere", text, delivery.FileName)
	}
	v, err := parseVersion(version)
	r.Upstream, r.OnlyUpstream = &rehearsal.Upstream{Component: component, Version: v}, true
	return err
}

// versionOrNext is the version given, or the next one after the newest tag.
func versionOrNext(ctx context.Context, repo git.Repo, args []string) (ref.Version, error) {
	if len(args) == 1 {
		return parseVersion(args[0])
	}
	versions, err := repo.Versions(ctx)
	if err != nil {
		return ref.Version{}, err
	}
	if newest := ref.Newest(versions); !newest.IsZero() {
		return newest.Next(), nil
	}
	return ref.ParseVersion("0.1.0")
}

// keep prints what a person can paste, and waits for an interrupt.
func (p process) keep(ctx context.Context, k rehearsal.Kept) {
	if k.Failed {
		fmt.Fprintf(p.Stdout, "\nThe release failed, so not all of what follows is there.\n")
	}
	fmt.Fprintf(p.Stdout, "\nThe world stays up on %s until interrupted (Ctrl-C). In another terminal:\n\n", k.Addr)
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
