package dispatch

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/kubestellar/actions/internal/report"
)

// Markdown returns the receivers and their results, as a part of a job's summary.
func (d Document) Markdown() string {
	var rows [][]string
	for _, r := range d.Receivers {
		rows = append(rows, []string{
			report.Code(r.Receiver),
			cmp.Or(string(r.Status), "not notified: "+report.Cell(report.Plain(r.Error))),
			r.runCell(),
			r.pullCell(),
		})
	}
	return fmt.Sprintf("### %s %s is released\n\nNotified %s.\n",
		report.Cell(d.Component), report.Cell(d.Version), report.Count(d.notified(), "receiver")) +
		d.mermaid() + report.Table([]string{"repository", "notified", "run", "pull request"}, rows)
}

func (d Document) notified() (n int) {
	for _, r := range d.Receivers {
		if r.Status != "" {
			n++
		}
	}
	return n
}

func (r Result) runCell() string {
	if r.Run == nil {
		return ""
	}
	return report.Link(fmt.Sprintf("%d", r.Run.ID), r.Run.URL) + " " + report.Cell(report.Plain(r.Run.State()))
}

func (r Result) pullCell() string {
	if r.Pull == nil {
		return ""
	}
	return report.Link(fmt.Sprintf("%d", r.Pull.Number), r.Pull.URL) + ", " + report.Cell(report.Plain(r.Pull.State))
}

// mermaid draws the receivers, and the pull requests there.
func (d Document) mermaid() string {
	var b strings.Builder
	fmt.Fprintf(&b, "flowchart LR\n  release[\"%s\"]\n", report.MermaidText(d.Component+" "+d.Version))
	for i, r := range d.Receivers {
		shaft, text := "-->", string(r.Status)
		if r.Status == "" {
			shaft, text = "-.->", "not notified"
		}
		fmt.Fprintf(&b, "  release %s|\"%s\"| r%d[\"%s\"]\n", shaft, text, i, report.MermaidText(r.Receiver))
		if r.Pull != nil {
			fmt.Fprintf(&b, "  r%d --> p%d[\"pull request %d\"]\n", i, i, r.Pull.Number)
		}
	}
	return report.Diagram(b.String())
}
