package bump

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

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
	const room = 400_000 // bytes of the 1 MiB that GitHub accepts from a step
	rest := func(rows int) string { return fmt.Sprintf("And %d rows more: the log has all places.", rows) }
	b.WriteString(render(p.decisions(), room, rest))
	b.WriteString(p.mermaid())
	b.WriteString(render(p.details(), room, rest))
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
