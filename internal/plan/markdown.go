package plan

import (
	"fmt"
	"strings"

	"github.com/kubestellar/actions/internal/report"
)

// Markdown returns the plan as a part of a job's summary.
func (p *Plan) Markdown() string {
	text := fmt.Sprintf("### What is behind what\n\n%s.\n", p.summary()) + report.Diagram(p.Mermaid())
	text += report.Table([]string{"repository", "component", "from", "to", "places"}, p.behindRows())
	text += report.Table([]string{"step", "what", "when"}, stepRows(p.Steps))
	for _, c := range p.Cycles {
		text += report.Folded("Cycle: "+strings.Join(c.Members, ", "),
			report.Table([]string{"step", "what", "when"}, stepRows(c.Steps)))
	}
	var open [][]string
	for _, o := range p.Unchecked {
		open = append(open, []string{report.Cell(report.Plain(o.What)), report.Cell(report.Plain(o.Because))})
	}
	return text + report.Table([]string{"could not check", "because"}, open)
}

func (p *Plan) behindRows() (rows [][]string) {
	for _, b := range p.Behind() {
		rows = append(rows, []string{
			report.Code(b.Repository), report.Code(b.Component),
			report.Code(strings.Join(b.From, ", ")), report.Code(b.Version),
			fmt.Sprintf("%d%s", b.Places, leftOf(b.Left)),
		})
	}
	return rows
}

func stepRows(steps []Task) (rows [][]string) {
	for _, s := range steps {
		rows = append(rows, []string{
			fmt.Sprint(s.Number), report.Cell(report.Plain(s.text())), report.Cell(report.Plain(s.when())),
		})
	}
	return rows
}
