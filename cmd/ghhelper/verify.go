package main

import (
	"context"
	"fmt"
	"maps"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/kubestellar/actions/internal/decide"
	"github.com/kubestellar/actions/internal/find"
	"github.com/kubestellar/actions/internal/ref"
	"github.com/kubestellar/actions/internal/report"
	"github.com/kubestellar/actions/internal/verify"
	"github.com/kubestellar/actions/internal/workspace"
)

const verifyHelp = `Checks every reference in the tree. Offline, it checks that git contains no version
of a component that this repository releases, that the pins of a component agree,
that each has a "v" if it needs one, that nothing names "latest" or an undefined
variable, and that every text that looks like a reference is one, or is excused. It
renders the tree's own charts, and checks the references in them in the same way.

Then it queries each target once: git tags, images, charts, Go modules, release
assets, and files at a tag. It also queries the images that the charts run.
Whatever cannot be queried is listed as "could not check" (exit code 3). Findings
are exit code 1.

An entry of ignore in delivery.yaml excuses a reference, and so does a comment
with ghhelper:keep and the reason, in the same line or the one above. An excuse
that excuses nothing is a finding.

In a GitHub workflow, findings become annotations at their lines, and a table in
the job's summary.`

const verifyExample = `  # Check the work tree
  ghhelper verify

  # Check it without network
  ghhelper verify --offline

  # Check another commit, without checking it out
  ghhelper verify --against origin/main`

type verifyFlags struct {
	dir, against, config, format string
	offline, standIns            bool
}

func newVerify(p process) *cobra.Command {
	var f verifyFlags
	cmd := &cobra.Command{
		Use:               "verify",
		GroupID:           groupReferences,
		Short:             "Check every reference in the tree",
		Long:              verifyHelp,
		Example:           verifyExample,
		SuggestFor:        []string{"check", "lint", "validate"},
		Args:              cobra.NoArgs,
		ValidArgsFunction: cobra.NoFileCompletions,
	}
	addTree(cmd, &f.dir, &f.config)
	cmd.Flags().StringVar(&f.against, "against", "",
		"check another folder, or a commit of this repository without checking it out")
	cmd.Flags().BoolVar(&f.offline, "offline", false, "use no network")
	addFormat(cmd, &f.format, "text", "json")
	addStandIns(cmd, &f.standIns)
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
	asker := verify.Asker{File: src.File}
	if !f.offline {
		asker = *p.asker(src)
	}
	asker.Tagged = newestTagged(ctx, src)
	result := verify.Offline(src.File, found, asker.Tagged)
	tree := verify.Tree{FS: src.Tree, Names: src.Names, Found: found}
	verify.Derived(src.File, tree, &result)
	rendered := asker.RenderOwn(ctx, tree, &result)
	if !f.offline {
		if err := asker.Check(ctx, found.References, rendered, &result); err != nil {
			return err
		}
	}
	p.summarize(summaryOf(result))
	p.outputResult(result)
	p.annotateFindings(result, f.format)
	if err := p.printVerified(result, f); err != nil {
		return err
	}
	return result.Err(f.standIns)
}

// newestTagged returns the newest versions of our own among the tags in the history of a tree. There may be none, as in
// a folder outside of a repository and in most clones of one commit.
func newestTagged(ctx context.Context, src workspace.Workspace) decide.Tagged {
	newest := decide.Tagged{}
	for _, own := range src.File.Selves {
		of := src.File.Components[own]
		if versions, err := src.Repo.VersionsIn(ctx, orElse(src.Commit, "HEAD"), of.Tagged); err == nil {
			newest[own] = ref.Newest(versions)
		}
	}
	return newest
}

// verified opens the tree that the flags name.
func (p process) verified(ctx context.Context, f verifyFlags) (workspace.Workspace, error) {
	if f.against != "" {
		return p.opener(f.config).Named(ctx, f.against)
	}
	return p.opener(f.config).Folder(ctx, f.dir)
}

func (p process) printVerified(r verify.Result, f verifyFlags) error {
	if f.format == "json" {
		return p.printJSON(r)
	}
	for _, g := range decide.Grouped(r.Findings) {
		for _, line := range strings.Split(level(g.Finding)+g.String(), "\n") {
			fmt.Fprintln(p.Stdout, report.Plain(line))
		}
	}
	for _, open := range r.Unchecked {
		fmt.Fprintln(p.Stdout, report.Plain(fmt.Sprintf("could not check %s: %s", open.What, open.Because)))
	}
	for _, n := range r.Notices {
		fmt.Fprintln(p.Stdout, report.Plain("notice: "+n.String()))
	}
	queried := "offline"
	if !f.offline {
		queried = report.Count(r.Targets, "target") + " queried"
	}
	fmt.Fprintf(p.Stdout, "%s, %s: %s, %d could not be checked\n",
		report.Count(r.References, "reference"), queried, countFindings(r), len(r.Unchecked))
	return nil
}

// countFindings counts findings, warnings, and their places. Warnings do not change the exit code.
func countFindings(r verify.Result) string {
	errs, warnings := grouped(r)
	text := report.Count(len(errs), "finding")
	if places := len(decide.Errors(r.Findings)); places > len(errs) {
		text += fmt.Sprintf(" at %d places", places)
	}
	if len(warnings) > 0 {
		text += ", " + report.Count(len(warnings), "warning")
	}
	return text
}

// grouped returns the groups of errors, and those of warnings.
func grouped(r verify.Result) (errs, warnings []decide.Group) {
	for _, g := range decide.Grouped(r.Findings) {
		if g.Warning {
			warnings = append(warnings, g)
			continue
		}
		errs = append(errs, g)
	}
	return errs, warnings
}

func level(f decide.Finding) string {
	if f.Warning {
		return "warning: "
	}
	return ""
}

// mostAnnotations is GitHub's limit of errors, and of warnings, for each step. The
// log and the summary show all.
// https://docs.github.com/en/rest/checks/runs#annotations-items
const mostAnnotations = 10

// annotateFindings annotates the lines of a pull request. If stdout has JSON, the
// annotations go to stderr.
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
		to.actions().Noticef("%d more are only in the summary and the log of this job", more)
	}
}

// annotation is a text, and its place if it has one.
type annotation struct {
	fields map[string]string
	text   string
}

// annotationsOf returns an annotation for the first place of each group, and then for the others.
func annotationsOf(r verify.Result) (errs, warnings []annotation) {
	add := func(f decide.Finding) {
		a := annotation{map[string]string{"title": f.Rule}, fmt.Sprintf("saw %s, want %s; %s", f.Saw, f.Want, f.Help)}
		if f.File != "" {
			maps.Copy(a.fields, map[string]string{"file": f.File, "line": strconv.Itoa(f.Line),
				"col": strconv.Itoa(f.Column)})
		}
		if f.Warning {
			warnings = append(warnings, a)
			return
		}
		errs = append(errs, a)
	}
	first := map[decide.Finding]bool{}
	for _, g := range decide.Grouped(r.Findings) {
		first[g.Finding] = true
		add(g.Finding)
	}
	for _, f := range r.Findings {
		if !first[f] {
			add(f)
		}
	}
	for _, open := range r.Unchecked {
		warnings = append(warnings, annotation{text: fmt.Sprintf("could not check %s: %s", open.What, open.Because)})
	}
	return errs, warnings
}

func (p process) outputResult(r verify.Result) {
	errs, warnings := grouped(r)
	p.output("verify", map[string]string{
		"references": strconv.Itoa(r.References),
		"findings":   strconv.Itoa(len(errs)),
		"warnings":   strconv.Itoa(len(warnings)),
		"unchecked":  strconv.Itoa(len(r.Unchecked)),
	})
}

// summaryOf returns a result as Markdown.
func summaryOf(r verify.Result) string {
	verdict := "✅ all is right"
	switch {
	case len(decide.Errors(r.Findings)) > 0:
		verdict = "❌ something is wrong"
	case len(r.Unchecked) > 0:
		verdict = "❔ not all could be checked"
	}
	text := fmt.Sprintf("### References: %s\n\n%s, %s queried: %s, %d could not be checked.\n",
		verdict, report.Count(r.References, "reference"), report.Count(r.Targets,
			"target"), countFindings(r), len(r.Unchecked))
	var found, open [][]string
	for _, g := range decide.Grouped(r.Findings) {
		found = append(found, []string{
			placesOf(g),
			report.Cell(g.Seen()),
			report.Cell(g.Wanted() + "; " + g.Help),
			report.Cell(level(g.Finding) + g.Rule),
		})
	}
	for _, n := range r.Notices {
		text += "\nNotice: " + report.Cell(n.String()) + ".\n"
	}
	for _, o := range r.Unchecked {
		open = append(open, []string{report.Cell(o.What), report.Cell(o.Because)})
	}
	return text + report.Table([]string{"place", "saw", "want", "rule"},
		found) + report.Table([]string{"could not check", "because"}, open)
}

// placesOf returns the places of a group as a cell of a table. Many places are folded.
func placesOf(g decide.Group) string {
	var codes []string
	for _, p := range g.Places {
		codes = append(codes, report.Code(fmt.Sprintf("%s:%d", p.File, p.Line)))
	}
	const most = 3
	if len(codes) <= most {
		return strings.Join(codes, "<br>")
	}
	return fmt.Sprintf("<details><summary>%d places</summary>%s</details>", len(codes), strings.Join(codes, "<br>"))
}
