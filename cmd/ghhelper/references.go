package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/kubestellar/actions/internal/find"
	"github.com/kubestellar/actions/internal/outcome"
	"github.com/kubestellar/actions/internal/ref"
	"github.com/kubestellar/actions/internal/report"
)

const referencesHelp = `Lists the references in the tree: places that name a version of a component in
delivery.yaml, and uses, whose version is written elsewhere. It reads the files
that git tracks or does not ignore, or every file if the folder is not a part of a
repository.`

const referencesExample = `  # List every reference
  ghhelper references

  # List the references to one component
  ghhelper references --component kubeflex`

func newReferences(p process) *cobra.Command {
	var dir, config, component, format string
	cmd := &cobra.Command{
		Use:               "references",
		GroupID:           groupReferences,
		Short:             "List the references in the tree",
		Long:              referencesHelp,
		Example:           referencesExample,
		SuggestFor:        []string{"list", "find"},
		Args:              cobra.NoArgs,
		ValidArgsFunction: cobra.NoFileCompletions,
	}
	addTree(cmd, &dir, &config)
	cmd.Flags().StringVar(&component, "component", "", "list only references to this component")
	completeFlag(cmd, "component", p.completeComponents)
	addFormat(cmd, &format, "text", "json")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if err := oneOf(format, "text", "json"); err != nil {
			return err
		}
		found, err := p.references(cmd.Context(), dir, config, component)
		if err != nil {
			return err
		}
		return p.printReferences(found, format)
	}
	return cmd
}

// oneOf checks the value of --format.
func oneOf(format string, formats ...string) error {
	if !slices.Contains(formats, format) {
		return usage("--format %q is unknown: it is one of %s", format, strings.Join(formats, ", "))
	}
	return nil
}

func (p process) references(ctx context.Context, dir, config, component string) ([]ref.Reference, error) {
	src, err := p.opener(config).Folder(ctx, dir)
	if err != nil {
		return nil, err
	}
	if component != "" {
		if _, err := src.File.Component(component); err != nil {
			return nil, outcome.As(outcome.Usage, err)
		}
	}
	found, err := find.New(src.File).Files(ctx, src.Tree, src.Names)
	return slices.DeleteFunc(found.References, func(r ref.Reference) bool {
		return component != "" && r.Component != component
	}), err
}

// folded keeps only the first of many places with the same excuse, and notes how
// many more there are. The JSON output lists each place.
func folded[T any](all []T, excuse func(T) string) (shown []T, more map[string]string) {
	const most = 3
	count := map[string]int{}
	for _, one := range all {
		count[excuse(one)]++
	}
	more = map[string]string{}
	for _, one := range all {
		reason := excuse(one)
		if reason == "" || count[reason] <= most {
			shown = append(shown, one)
			continue
		}
		if more[reason] == "" {
			more[reason] = fmt.Sprintf(" (and %d more places)", count[reason]-1)
			shown = append(shown, one)
		}
	}
	return shown, more
}

func (p process) printReferences(found []ref.Reference, format string) error {
	if format == "json" {
		return p.printJSON(append([]ref.Reference{}, found...))
	}
	out := bufio.NewWriter(p.Stdout)
	t := tabwriter.NewWriter(out, 0, 8, 2, ' ', 0)
	shown, more := folded(found, func(r ref.Reference) string { return r.Excused })
	for _, r := range shown {
		note := ""
		if r.Use {
			note = "\ta use"
		}
		if r.Excused != "" {
			note = "\texcused: " + report.Plain(r.Excused) + more[r.Excused]
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s%s\n",
			report.Plain(r.Site.String()), r.Component, orElse(r.Artifact,
				"-"), report.Plain(r.Written), r.Syntax, note)
	}
	return errors.Join(t.Flush(), out.Flush())
}
