package main

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/kubestellar/actions/internal/delivery"
	"github.com/kubestellar/actions/internal/find"
	"github.com/kubestellar/actions/internal/plan"
	"github.com/kubestellar/actions/internal/report"
	"github.com/kubestellar/actions/internal/verify"
)

const verifyHelp = `Checks every reference in the tree. By itself: that git holds no version of what
this repository releases, that the pins of a component agree, that each has a
"v" where it must, that nothing names latest or a variable that nothing
expands, and that whatever looks like a reference is one, or is excused.

Then it asks the world, for each thing once, whether what is named is there: git
tags, images, charts, Go modules, release assets, files at a tag; and of charts,
whether what they run is there too. What the world does not tell is listed as
could not be checked, and the exit code is 3; findings make it 1.

What is to stay as it is, is excused: by an entry of ignore in delivery.yaml, or
by a comment that says ghhelper:keep and the reason, in its line or on the line
above.
An excuse that excuses nothing is a finding.

In a GitHub workflow, findings become annotations at their lines and a table in
the job's summary.`

type verifyFlags struct {
	dir, against, config, format string
	offline, standIns            bool
}

func newVerify(w world) *cobra.Command {
	var f verifyFlags
	cmd := &cobra.Command{Use: "verify", Short: "Check every reference in the tree", Long: verifyHelp, Args: cobra.NoArgs}
	cmd.Flags().StringVar(&f.dir, "dir", "", "the root of the tree (default: that of the repository around this folder)")
	cmd.Flags().StringVar(&f.against, "against", "", "look at another folder, or at a commit of this repository without checking it out")
	cmd.Flags().StringVar(&f.config, "config", delivery.FileName, "the file that declares the components")
	cmd.Flags().StringVar(&f.format, "format", "text", "text or json")
	cmd.Flags().BoolVar(&f.offline, "offline", false, "ask nothing of the world")
	cmd.Flags().BoolVar(&f.standIns, "accept-stand-ins", false, "let stand-ins count as there, as a rehearsal does")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if err := oneOf(f.format, "text", "json"); err != nil {
			return err
		}
		if f.dir != "" && f.against != "" {
			return usage("--dir and --against name two trees: want one")
		}
		return w.verify(cmd.Context(), f)
	}
	return cmd
}

func (w world) verify(ctx context.Context, f verifyFlags) error {
	src, err := w.verified(ctx, f)
	if err != nil {
		return err
	}
	found, err := find.New(src.file).Files(ctx, src.tree, src.names)
	if err != nil {
		return err
	}
	result := verify.Offline(src.file, found)
	if !f.offline {
		if err := w.asker(src).Check(ctx, found.References, &result); err != nil {
			return err
		}
	}
	w.annotateFindings(result, f.format)
	if err := w.printResult(result, f); err != nil {
		return err
	}
	return result.Err(f.standIns)
}

// verified is the tree that the flags name.
func (w world) verified(ctx context.Context, f verifyFlags) (source, error) {
	if f.against != "" {
		return w.against(ctx, f.against, f.config)
	}
	return w.folder(ctx, f.dir, f.config)
}

func (w world) printResult(r verify.Result, f verifyFlags) error {
	if f.format == "json" {
		return w.printJSON(r)
	}
	for _, finding := range r.Findings {
		fmt.Fprintln(w.Stdout, report.Plain(level(finding)+finding.String()))
	}
	for _, open := range r.Unchecked {
		fmt.Fprintln(w.Stdout, report.Plain(fmt.Sprintf("could not check %s: %s", open.What, open.Because)))
	}
	asked := "the world was not asked"
	if !f.offline {
		asked = report.Count(r.Targets, "target") + " asked for"
	}
	fmt.Fprintf(w.Stdout, "%s, %s: %s, %d could not be checked\n", report.Count(r.References, "reference"), asked, countFindings(r), len(r.Unchecked))
	return nil
}

// countFindings tells warnings, which fail nothing, from what does.
func countFindings(r verify.Result) string {
	warnings := 0
	for _, f := range r.Findings {
		if f.Warning {
			warnings++
		}
	}
	text := report.Count(len(r.Findings)-warnings, "finding")
	if warnings > 0 {
		text += ", " + report.Count(warnings, "warning")
	}
	return text
}

func level(f plan.Finding) string {
	if f.Warning {
		return "warning: "
	}
	return ""
}

// annotateFindings puts findings where a pull request shows them, and into the
// job's summary. Beside JSON, the annotations go to where errors go.
func (w world) annotateFindings(r verify.Result, format string) {
	if w.Getenv("GITHUB_STEP_SUMMARY") != "" {
		w.actions().AddStepSummary(summaryOf(r))
	}
	if w.Getenv("GITHUB_ACTIONS") != "true" {
		return
	}
	to := w
	if format == "json" {
		to.Stdout = w.Stderr
	}
	for _, f := range r.Findings {
		a := to.actions().WithFieldsMap(map[string]string{"file": f.File, "line": strconv.Itoa(f.Line), "col": strconv.Itoa(f.Column), "title": f.Rule})
		if f.Warning {
			a.Warningf("saw %s, want %s; %s", f.Saw, f.Want, f.Help)
			continue
		}
		a.Errorf("saw %s, want %s; %s", f.Saw, f.Want, f.Help)
	}
	for _, open := range r.Unchecked {
		to.actions().Warningf("could not check %s: %s", open.What, open.Because)
	}
}

// summaryOf is a result as Markdown.
func summaryOf(r verify.Result) string {
	var b strings.Builder
	fmt.Fprintf(&b, "### References\n\n%s, %s asked for: %s, %d could not be checked.\n", report.Count(r.References, "reference"), report.Count(r.Targets, "target"),
		countFindings(r), len(r.Unchecked))
	if len(r.Findings) > 0 {
		b.WriteString("\n| place | saw | want | rule |\n|---|---|---|---|\n")
		for _, f := range r.Findings {
			fmt.Fprintf(&b, "| %s | %s | %s; %s | %s%s |\n", report.Cell(fmt.Sprintf("%s:%d", f.File, f.Line)), report.Cell(f.Saw), report.Cell(f.Want), report.Cell(f.Help), level(f), f.Rule)
		}
	}
	if len(r.Unchecked) > 0 {
		b.WriteString("\n| could not check | because |\n|---|---|\n")
		for _, o := range r.Unchecked {
			fmt.Fprintf(&b, "| %s | %s |\n", report.Cell(o.What), report.Cell(o.Because))
		}
	}
	return b.String()
}
