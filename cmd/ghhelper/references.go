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

	"github.com/kubestellar/actions/internal/delivery"
	"github.com/kubestellar/actions/internal/find"
	"github.com/kubestellar/actions/internal/outcome"
	"github.com/kubestellar/actions/internal/ref"
	"github.com/kubestellar/actions/internal/report"
)

const referencesHelp = `Lists the references in the tree: places that name a version of a component that
delivery.yaml declares, and uses, whose version stands elsewhere. Looked at are
the files that git tracks or has not been told to ignore, all in a folder that
git does not know.`

func newReferences(p process) *cobra.Command {
	var dir, config, component, format string
	cmd := &cobra.Command{Use: "references", Short: "List the references in the tree", Long: referencesHelp, Args: cobra.NoArgs}
	cmd.Flags().StringVar(&dir, "dir", "", "the root of the tree (default: that of the repository around this folder)")
	cmd.Flags().StringVar(&config, "config", delivery.FileName, "the file that declares the components")
	cmd.Flags().StringVar(&component, "component", "", "only references to this component")
	cmd.Flags().StringVar(&format, "format", "text", "text or json")
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
	return slices.DeleteFunc(found.References, func(r ref.Reference) bool { return component != "" && r.Component != component }), err
}

// folded leaves of many places that one excuse covers only the first, and says
// of how many more it stands for. What programs read lists them all.
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
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s%s\n", report.Plain(r.Site.String()), r.Component, orElse(r.Artifact, "-"), report.Plain(r.Written), r.Syntax, note)
	}
	return errors.Join(t.Flush(), out.Flush())
}
