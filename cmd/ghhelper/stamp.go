package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/kubestellar/actions/internal/apply"
	"github.com/kubestellar/actions/internal/delivery"
)

const stampHelp = `Writes copies of our own charts and hooks in which every placeholder has become
VERSION: charts as folders and as packages (.tgz), hooks as files. The sources
are not touched. Charts that ours depend on are fetched from their registry;
--only stamps the artifacts that it names, and so does without what others need.

What is stamped is HEAD, and the packages carry its time: the same commit gives
the same bytes, whatever else lies in the work tree.`

func newStamp(p process) *cobra.Command {
	var config, out string
	var only []string
	cmd := &cobra.Command{Use: "stamp VERSION --out DIR", Short: "Write stamped copies of our charts and hooks", Long: stampHelp, Args: cobra.ExactArgs(1)}
	cmd.Flags().StringVar(&config, "config", delivery.FileName, "the file that declares what is released")
	cmd.Flags().StringVar(&out, "out", "", "the folder to write, empty or absent (required)")
	cmd.Flags().StringArrayVar(&only, "only", nil, "an artifact to stamp, by its name in the file; may be repeated (default all)")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if out == "" {
			return usage("--out is missing: name the folder to write, empty or absent")
		}
		return p.stamp(cmd.Context(), config, args[0], out, only)
	}
	return cmd
}

func (p process) stamp(ctx context.Context, config, versionArg, out string, only []string) error {
	v, err := parseVersion(versionArg)
	if err != nil {
		return err
	}
	src, err := p.opener(config).Head(ctx, ".")
	if err != nil {
		return err
	}
	defer src.Close()
	at, err := src.Repo.CommitTime(ctx, src.Commit)
	if err != nil {
		return err
	}
	stamper := apply.Stamper{Tree: src.Tree, File: src.File, Version: v, Time: at, Fetch: p.registry().Chart, Only: only}
	stamped, err := stamper.Stamp(ctx, out)
	for _, s := range stamped {
		fmt.Fprintln(p.Stdout, s.Path)
		if s.Package != "" {
			fmt.Fprintln(p.Stdout, s.Package)
		}
	}
	return err
}
