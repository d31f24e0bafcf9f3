package dispatch

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/kubestellar/actions/internal/report"
)

// Markdown is who was told, and what they made of it, as a part of a job's
// summary.
func (d Document) Markdown() string {
	var rows [][]string
	for _, h := range d.Receivers {
		rows = append(rows, []string{report.Code(h.Receiver), cmp.Or(string(h.State), "not told: "+report.Cell(report.Plain(h.Error))), h.runCell(), h.pullCell()})
	}
	return fmt.Sprintf("### %s %s is released\n\nTold to %s.\n", report.Cell(d.Component), report.Cell(d.Version), report.Count(d.told(), "receiver")) +
		d.mermaid() + report.Table([]string{"repository", "told", "run", "pull request"}, rows)
}

func (d Document) told() (n int) {
	for _, h := range d.Receivers {
		if h.State != "" {
			n++
		}
	}
	return n
}

func (h Heard) runCell() string {
	if h.Run == nil {
		return ""
	}
	return report.Link(fmt.Sprintf("%d", h.Run.ID), h.Run.URL) + " " + report.Cell(report.Plain(h.Run.State()))
}

func (h Heard) pullCell() string {
	if h.Pull == nil {
		return ""
	}
	return report.Link(fmt.Sprintf("%d", h.Pull.Number), h.Pull.URL) + ", " + report.Cell(report.Plain(h.Pull.State))
}

// mermaid draws how far the release has come: to whom, and to what there.
func (d Document) mermaid() string {
	var b strings.Builder
	fmt.Fprintf(&b, "flowchart LR\n  release[\"%s\"]\n", report.MermaidText(d.Component+" "+d.Version))
	for i, h := range d.Receivers {
		shaft, text := "-->", string(h.State)
		if h.State == "" {
			shaft, text = "-.->", "not told"
		}
		fmt.Fprintf(&b, "  release %s|\"%s\"| r%d[\"%s\"]\n", shaft, text, i, report.MermaidText(h.Receiver))
		if h.Pull != nil {
			fmt.Fprintf(&b, "  r%d --> p%d[\"pull request %d\"]\n", i, i, h.Pull.Number)
		}
	}
	return report.Diagram(b.String())
}
