package report

import (
	"fmt"
	"net/url"
	"strings"
)

// mostRows is how many rows a table of a summary has: GitHub takes one MiB of a
// step, and people read less.
// https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands#step-isolation-and-limits
const mostRows = 200

// Table is a table of Markdown, empty without rows. Cells stand in it as they
// are: what others have chosen goes through Cell, Code or Link first. What has no
// room is counted.
func Table(header []string, rows [][]string) string {
	if len(rows) == 0 {
		return ""
	}
	var b strings.Builder
	fmt.Fprintf(&b, "\n| %s |\n|%s\n", strings.Join(header, " | "), strings.Repeat("---|", len(header)))
	for _, row := range rows[:min(len(rows), mostRows)] {
		fmt.Fprintf(&b, "| %s |\n", strings.Join(row, " | "))
	}
	if more := len(rows) - mostRows; more > 0 {
		fmt.Fprintf(&b, "\nAnd %d more, for which there is no room here: the log has them all.\n", more)
	}
	return b.String()
}

// Code is text, somebody else's perhaps, within backquotes.
func Code(text string) string { return "`" + Cell(Plain(text)) + "`" }

// Link is text that leads to an address, if that is one that a browser may be
// sent to; else the text alone.
func Link(text, address string) string {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "https" || strings.ContainsAny(address, " ()<>|\n") {
		return Cell(Plain(text))
	}
	return "[" + strings.ReplaceAll(Cell(Plain(text)), "]", `\]`) + "](" + address + ")"
}

// Folded is a part that is shown when somebody asks for it; nothing, if it is
// empty.
func Folded(title, part string) string {
	if part == "" {
		return ""
	}
	return "\n<details><summary>" + Cell(Plain(title)) + "</summary>\n" + part + "\n</details>\n"
}

// Diagram is a graph of Mermaid in its place in Markdown.
func Diagram(graph string) string { return "\n```mermaid\n" + graph + "```\n" }

// MermaidText is text inside quotes, in Mermaid's own escapes.
// https://mermaid.js.org/syntax/flowchart.html#entity-codes-to-escape-characters
func MermaidText(text string) string {
	var b strings.Builder
	for _, r := range text {
		if r < ' ' || strings.ContainsRune("\"#;<>&`[]{}()|\\%", r) || r == 0x7f || r == 0x2028 || r == 0x2029 {
			fmt.Fprintf(&b, "#%d;", r)
			continue
		}
		b.WriteRune(r)
	}
	return b.String()
}
