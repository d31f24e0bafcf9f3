package report

import (
	"fmt"
	"net/url"
	"strings"
)

// mostRows limits the rows of a table. GitHub accepts 1 MiB of summary from a step.
// https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands#step-isolation-and-limits
const mostRows = 200

// Table returns a table of Markdown, or "" without rows. Cells are not escaped: use Cell, Code or Link for untrusted
// text. Rows beyond the limit are counted.
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
		fmt.Fprintf(&b, "\nAnd %d more: the log has all of them.\n", more)
	}
	return b.String()
}

// Code returns untrusted text in backquotes.
func Code(text string) string { return "`" + Cell(Plain(text)) + "`" }

// Link returns untrusted text as a link to an https address, or the text alone if the address is another.
func Link(text, address string) string {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "https" || strings.ContainsAny(address, " ()<>|\n") {
		return Cell(Plain(text))
	}
	return "[" + strings.ReplaceAll(Cell(Plain(text)), "]", `\]`) + "](" + address + ")"
}

// Folded returns a part that is shown on a click on its title, or "" if the part is empty.
func Folded(title, part string) string {
	if part == "" {
		return ""
	}
	return "\n<details><summary>" + Cell(Plain(title)) + "</summary>\n" + part + "\n</details>\n"
}

// Diagram returns a Mermaid graph as a block of Markdown.
func Diagram(graph string) string { return "\n```mermaid\n" + graph + "```\n" }

// MermaidText returns untrusted text escaped for quotes in Mermaid.
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
