package main

import (
	"context"
	"fmt"
	"maps"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/kubestellar/actions/internal/decide"
	"github.com/kubestellar/actions/internal/delivery"
	"github.com/kubestellar/actions/internal/find"
	"github.com/kubestellar/actions/internal/report"
	"github.com/kubestellar/actions/internal/verify"
	"github.com/kubestellar/actions/internal/workspace"
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

func newVerify(p process) *cobra.Command {
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
		return p.verify(cmd.Context(), f)
	}
	return cmd
}

func (p process) verify(ctx context.Context, f verifyFlags) error {
	src, err := p.verified(ctx, f)
	if err != nil {
		return err
	}
	defer src.Close()
	found, err := find.New(src.File).Files(ctx, src.Tree, src.Names)
	if err != nil {
		return err
	}
	result := verify.Offline(src.File, found)
	if !f.offline {
		if err := p.asker(src).Check(ctx, found.References, &result); err != nil {
			return err
		}
	}
	p.summarize(summaryOf(result))
	p.outputResult(result)
	p.annotateFindings(result, f.format)
	if err := p.printResult(result, f); err != nil {
		return err
	}
	return result.Err(f.standIns)
}

// verified is the tree that the flags name.
func (p process) verified(ctx context.Context, f verifyFlags) (workspace.Workspace, error) {
	if f.against != "" {
		return p.opener(f.config).Named(ctx, f.against)
	}
	return p.opener(f.config).Folder(ctx, f.dir)
}

func (p process) printResult(r verify.Result, f verifyFlags) error {
	if f.format == "json" {
		return p.printJSON(r)
	}
	for _, finding := range r.Findings {
		fmt.Fprintln(p.Stdout, report.Plain(level(finding)+finding.String()))
	}
	for _, open := range r.Unchecked {
		fmt.Fprintln(p.Stdout, report.Plain(fmt.Sprintf("could not check %s: %s", open.What, open.Because)))
	}
	asked := "the world was not asked"
	if !f.offline {
		asked = report.Count(r.Targets, "target") + " asked for"
	}
	fmt.Fprintf(p.Stdout, "%s, %s: %s, %d could not be checked\n", report.Count(r.References, "reference"), asked, countFindings(r), len(r.Unchecked))
	return nil
}

// countFindings tells warnings, which fail nothing, from what does.
func countFindings(r verify.Result) string {
	warnings := warningsOf(r)
	text := report.Count(len(r.Findings)-warnings, "finding")
	if warnings > 0 {
		text += ", " + report.Count(warnings, "warning")
	}
	return text
}

func warningsOf(r verify.Result) (n int) {
	for _, f := range r.Findings {
		if f.Warning {
			n++
		}
	}
	return n
}

func level(f decide.Finding) string {
	if f.Warning {
		return "warning: "
	}
	return ""
}

// mostAnnotations is how many errors, and how many warnings, GitHub shows of a
// step; the log and the summary have all.
// https://docs.github.com/en/rest/checks/runs#annotations-items
const mostAnnotations = 10

// annotateFindings puts findings where a pull request shows them. Beside JSON,
// the annotations go to where errors go.
func (p process) annotateFindings(r verify.Result, format string) {
	if p.Getenv("GITHUB_ACTIONS") != "true" {
		return
	}
	to := p
	if format == "json" {
		to.Stdout = p.Stderr
	}
	errs, warnings := annotationsOf(r)
	for _, a := range errs[:min(len(errs), mostAnnotations)] {
		to.actions().WithFieldsMap(a.fields).Errorf("%s", plainLines(a.text))
	}
	for _, a := range warnings[:min(len(warnings), mostAnnotations)] {
		to.actions().WithFieldsMap(a.fields).Warningf("%s", plainLines(a.text))
	}
	if more := max(len(errs)-mostAnnotations, 0) + max(len(warnings)-mostAnnotations, 0); more > 0 {
		to.actions().Noticef("%d more are not shown here: the summary and the log of this job have them", more)
	}
}

// annotation is a text at a place, where it has one.
type annotation struct {
	fields map[string]string
	text   string
}

func annotationsOf(r verify.Result) (errs, warnings []annotation) {
	for _, f := range r.Findings {
		a := annotation{map[string]string{"title": f.Rule}, fmt.Sprintf("saw %s, want %s; %s", f.Saw, f.Want, f.Help)}
		if f.File != "" {
			maps.Copy(a.fields, map[string]string{"file": f.File, "line": strconv.Itoa(f.Line), "col": strconv.Itoa(f.Column)})
		}
		if f.Warning {
			warnings = append(warnings, a)
			continue
		}
		errs = append(errs, a)
	}
	for _, open := range r.Unchecked {
		warnings = append(warnings, annotation{text: fmt.Sprintf("could not check %s: %s", open.What, open.Because)})
	}
	return errs, warnings
}

func (p process) outputResult(r verify.Result) {
	warnings := warningsOf(r)
	p.output("verify", map[string]string{"references": strconv.Itoa(r.References), "findings": strconv.Itoa(len(r.Findings) - warnings),
		"warnings": strconv.Itoa(warnings), "unchecked": strconv.Itoa(len(r.Unchecked))})
}

// summaryOf is a result as Markdown.
func summaryOf(r verify.Result) string {
	verdict := "✅ all is right"
	switch {
	case len(r.Findings) > warningsOf(r):
		verdict = "❌ something is wrong"
	case len(r.Unchecked) > 0:
		verdict = "❔ not all could be checked"
	}
	text := fmt.Sprintf("### References: %s\n\n%s, %s asked for: %s, %d could not be checked.\n", verdict, report.Count(r.References, "reference"), report.Count(r.Targets, "target"),
		countFindings(r), len(r.Unchecked))
	var found, open [][]string
	for _, f := range r.Findings {
		found = append(found, []string{report.Code(fmt.Sprintf("%s:%d", f.File, f.Line)), report.Cell(f.Saw), report.Cell(f.Want + "; " + f.Help), report.Cell(level(f) + f.Rule)})
	}
	for _, o := range r.Unchecked {
		open = append(open, []string{report.Cell(o.What), report.Cell(o.Because)})
	}
	return text + report.Table([]string{"place", "saw", "want", "rule"}, found) + report.Table([]string{"could not check", "because"}, open)
}
