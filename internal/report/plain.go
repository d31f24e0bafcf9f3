package report

import (
	"strconv"
	"strings"
)

// Plain is one line of text that may hold what somebody else has chosen, such
// as a file's name in a pull request, so that it shows and does nothing: what
// controls a terminal or breaks the line is escaped, and a workflow's runner
// takes it for no command:
// https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands
func Plain(line string) string {
	var b strings.Builder
	if strings.HasPrefix(strings.TrimSpace(line), "::") {
		b.WriteByte('\\')
	}
	for _, r := range line {
		if strconv.IsPrint(r) || r == '\t' {
			b.WriteRune(r)
			continue
		}
		b.WriteString(strings.Trim(strconv.QuoteRune(r), "'"))
	}
	return strings.ReplaceAll(b.String(), "##[", `##\[`) // the runner's older form
}

// Cell is text, somebody else's perhaps, in its place in a table of Markdown:
// it breaks neither out of the table nor into a link.
func Cell(text string) string {
	return strings.NewReplacer(`\`, `\\`, "|", `\|`, "\n", "<br>", "\r", "", "<", "&lt;", "`", "'", "[", `\[`).Replace(text)
}

// LastLines returns the last n lines of a text, such as the output of a program.
func LastLines(text string, n int) string {
	lines := strings.Split(strings.TrimRight(text, "\n"), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}
