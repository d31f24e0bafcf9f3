package main

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/kubestellar/actions/internal/delivery"
	"github.com/kubestellar/actions/internal/find"
	"github.com/kubestellar/actions/internal/outcome"
	"github.com/kubestellar/actions/internal/ref"
)

const referencesHelp = `Lists the references in the files that git tracks: places that name a version of
a component that delivery.yaml declares, and uses, whose version stands
elsewhere.`

func newReferences(w world) *cobra.Command {
	var config, component, format string
	cmd := &cobra.Command{Use: "references", Short: "List the references in the tree", Long: referencesHelp, Args: cobra.NoArgs}
	cmd.Flags().StringVar(&config, "config", delivery.FileName, "the file that declares the components")
	cmd.Flags().StringVar(&component, "component", "", "only references to this component")
	cmd.Flags().StringVar(&format, "format", "text", "text or json")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		found, err := w.references(cmd.Context(), config, component)
		if err != nil {
			return err
		}
		return w.printReferences(found, format)
	}
	return cmd
}

func (w world) references(ctx context.Context, config, component string) ([]ref.Reference, error) {
	src, err := w.workTree(ctx, config)
	if err != nil {
		return nil, err
	}
	if component != "" {
		if _, err := src.file.Component(component); err != nil {
			return nil, outcome.As(outcome.Usage, err)
		}
	}
	files, err := src.repo.Files(ctx)
	if err != nil {
		return nil, err
	}
	found, err := find.New(src.file).Files(src.tree, files)
	return slices.DeleteFunc(found, func(r ref.Reference) bool { return component != "" && r.Component != component }), err
}

func (w world) printReferences(found []ref.Reference, format string) error {
	switch format {
	case "json":
		encoder := json.NewEncoder(w.Stdout)
		encoder.SetIndent("", "  ")
		return encoder.Encode(append([]ref.Reference{}, found...))
	case "text":
		t := tabwriter.NewWriter(w.Stdout, 0, 8, 2, ' ', 0)
		for _, r := range found {
			fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\n", r.Site, r.Component, orElse(r.Artifact, "-"), r.Written, r.Syntax)
		}
		return t.Flush()
	}
	return usage("--format %q is unknown: it is text or json", format)
}
