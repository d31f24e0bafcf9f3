package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/kubestellar/actions/internal/apply"
)

const stampHelp = `Writes copies of the own charts and hooks with VERSION in place of each
placeholder: charts as folders and as packages (.tgz), hooks as files. The sources
do not change. Charts that ours depend on are fetched from their registry. --only
stamps the named artifacts, and skips whatever the others need.

stamp reads HEAD, and the packages carry its time. The same commit gives the same
bytes, whatever else is in the work tree.`

const stampExample = `  # Stamp everything into a new folder
  ghhelper stamp 0.29.0 --out stamped

  # Stamp one chart
  ghhelper stamp 0.29.0 --out stamped --only core-chart`

func newStamp(p process) *cobra.Command {
	var config, out string
	var only []string
	cmd := &cobra.Command{
		Use:               "stamp VERSION --out DIR",
		GroupID:           groupRelease,
		Short:             "Write stamped copies of the own charts and hooks",
		Long:              stampHelp,
		Example:           stampExample,
		SuggestFor:        []string{"package"},
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: cobra.NoFileCompletions,
	}
	addConfig(cmd, &config)
	cmd.Flags().StringVar(&out, "out", "", "the folder to write, empty or absent (required)")
	cmd.Flags().StringArrayVar(&only, "only", nil,
		"an artifact to stamp, by its name in delivery.yaml; may be repeated (default: all)")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if out == "" {
			return usage("--out is missing: name the folder to write, empty or absent")
		}
		return p.stamp(cmd.Context(), config, args[0], out, only)
	}
	return cmd
}

func (p process) stamp(ctx context.Context, config, versionArg, out string, only []string) error {
	src, err := p.opener(config).Head(ctx, ".")
	if err != nil {
		return err
	}
	defer src.Close()
	file, v, err := ownRelease(src.File, versionArg)
	if err != nil {
		return err
	}
	at, err := src.Repo.CommitTime(ctx, src.Commit)
	if err != nil {
		return err
	}
	stamper := apply.Stamper{
		Tree: src.Tree, File: file, Version: v, Time: at, Fetch: p.registry().Chart, Only: only,
	}
	stamped, err := stamper.Stamp(ctx, out)
	for _, s := range stamped {
		fmt.Fprintln(p.Stdout, s.Path)
		if s.Package != "" {
			fmt.Fprintln(p.Stdout, s.Package)
		}
	}
	return err
}
