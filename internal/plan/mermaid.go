package plan

import (
	"fmt"
	"slices"
	"strings"

	"github.com/kubestellar/actions/internal/report"
)

// Mermaid draws the repositories and their arrows. An arrow that is behind is thick,
// and names the versions to move to. Lock step is dotted.
// https://mermaid.js.org/syntax/flowchart.html
func (p *Plan) Mermaid() string {
	var b strings.Builder
	b.WriteString("flowchart LR\n")
	ids := map[string]string{}
	for _, r := range p.Repositories {
		ids[r.Name] = fmt.Sprintf("n%d", len(ids))
		fmt.Fprintf(&b, "  %s[\"%s\"]\n",
			ids[r.Name], report.MermaidText(strings.TrimSpace(r.Name+" "+r.Newest.String())))
	}
	for _, r := range p.Repositories {
		for _, a := range r.Arrows {
			fmt.Fprintf(&b, "  %s %s %s\n", ids[r.Name], a.shaft(), ids[a.To])
		}
		for _, other := range r.After {
			if ids[other] != "" {
				fmt.Fprintf(&b, "  %s -. \"lock step\" .-> %s\n", ids[r.Name], ids[other])
			}
		}
	}
	b.WriteString("  classDef behind stroke:#d33,stroke-width:3px\n")
	for _, r := range p.Repositories {
		if slices.ContainsFunc(r.Arrows, Arrow.behind) {
			fmt.Fprintf(&b, "  class %s behind\n", ids[r.Name])
		}
	}
	return b.String()
}

// shaft returns an arrow with its pinned versions and, if it is behind, with the
// versions to move to.
func (a Arrow) shaft() string {
	text := strings.Join(a.Written, ", ")
	if !a.behind() {
		return fmt.Sprintf(`-- "%s" -->`, report.MermaidText(orLeft(text)))
	}
	var to []string
	for _, b := range a.Bumps {
		to = append(to, b.Version.String())
	}
	return fmt.Sprintf(`== "%s" ==>`, report.MermaidText(text+" → "+strings.Join(to, ", ")))
}

// orLeft returns a text for places that stay on purpose, because Mermaid cannot parse
// an arrow without a text.
func orLeft(text string) string {
	if text == "" {
		return "left as it is"
	}
	return text
}
