package bump

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/kubestellar/actions/internal/decide"
	"github.com/kubestellar/actions/internal/report"
)

// Markdown returns the proposal as a part of a job's summary.
func (d Proposed) Markdown() string {
	if d.State == Nothing {
		because := cmp.Or(d.Because, "no place that follows its releases is behind")
		return d.Plan.title() + string(d.State) + ": " + cell(because) + "\n"
	}
	did := cmp.Or(string(d.State), "not proposed")
	if d.Pull != nil {
		did = report.Link(fmt.Sprintf("pull request %d", d.Pull.Number), d.Pull.URL) + " " + did
	}
	for _, c := range d.Commits {
		did += fmt.Sprintf("; commit %s, %s", report.Code(c.ID), cell(c.Signature()))
	}
	return d.Plan.Markdown(did)
}

func (p *Plan) title() string {
	return fmt.Sprintf("### Bump %s to %s\n\n", cell(p.Move.Component), p.Move.Version)
}

// Markdown returns the plan as a part of a job's summary. did describes the result.
func (p *Plan) Markdown(did string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s%s: %s in %s.\n",
		p.title(), did, report.Count(len(p.Edits), "place"), report.Count(len(p.Changes), "file"))
	b.WriteString(p.mermaid())
	b.WriteString(report.Table([]string{"place", "from", "to", "because"}, p.editRows()))
	b.WriteString(strings.Join(p.derived(), "\n"))
	b.WriteString(report.Table([]string{"found wrong", "want", "do"}, p.findingRows()))
	b.WriteString(report.Table([]string{"could not check", "because"}, p.openRows()))
	b.WriteString(report.Table([]string{"check", "version", "because"}, p.leftRows(decide.Listed)))
	stays := p.leftRows(decide.Stays)
	b.WriteString(report.Folded("Left alone: "+report.Count(len(stays), "place"),
		report.Table([]string{"place", "version", "because"}, stays)))
	b.WriteString(report.Folded("Seen before: "+report.Count(len(p.Seen), "thing"),
		report.Table([]string{"what", "as"}, p.seenRows())))
	return b.String()
}

// mostDrawn is the limit of files in a diagram. A larger one would be unreadable.
const mostDrawn = 20

// mermaid draws the files that move to the version. It is empty if there are none, or
// too many.
func (p *Plan) mermaid() string {
	places := map[string]int{}
	for _, e := range p.Edits {
		places[e.File]++
	}
	if len(places) == 0 || len(places) > mostDrawn {
		return ""
	}
	graph := fmt.Sprintf("flowchart LR\n  release[\"%s\"]\n",
		report.MermaidText(p.Move.Component+" "+p.Move.Version.String()))
	for i, file := range slices.Sorted(maps.Keys(places)) {
		graph += fmt.Sprintf("  file%d[\"%s\"] -- \"%s\" --> release\n",
			i, report.MermaidText(file), report.Count(places[file], "place"))
	}
	return report.Diagram(graph)
}

func (p *Plan) editRows() (rows [][]string) {
	for _, e := range p.Edits {
		rows = append(rows, []string{
			report.Code(fmt.Sprintf("%s:%d", e.File, e.Line)), report.Code(e.Written), report.Code(e.To),
			cell(cmp.Or(e.Reason(), string(e.Syntax))),
		})
	}
	return rows
}

func (p *Plan) findingRows() (rows [][]string) {
	for _, f := range p.Findings {
		rows = append(rows, []string{cell(f.Saw), cell(f.Want), cell(f.Help)})
	}
	return rows
}

func (p *Plan) openRows() (rows [][]string) {
	for _, o := range p.Unchecked {
		rows = append(rows, []string{cell(o.What), cell(o.Because)})
	}
	return rows
}

func (p *Plan) leftRows(outcome decide.Outcome) (rows [][]string) {
	for _, l := range p.Left {
		if l.Outcome() != outcome {
			continue
		}
		rows = append(rows, []string{
			report.Code(fmt.Sprintf("%s:%d", l.File, l.Line)), report.Code(l.Written), cell(l.Because),
		})
	}
	return rows
}

func (p *Plan) seenRows() (rows [][]string) {
	for _, a := range p.Seen {
		rows = append(rows, []string{report.Code(a.String()), report.Code(cmp.Or(a.Digest, a.Revision, "there"))})
	}
	return rows
}
