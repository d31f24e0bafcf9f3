package report

import (
	"strconv"
	"strings"
)

// Plain returns a line of untrusted text, such as a file's name in a pull request, in a form that is safe to print.
// Control characters and line breaks are escaped, and a workflow's runner does not read it as a command:
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
	return strings.ReplaceAll(b.String(), "##[", `##\[`) // the older form of a command
}

// Cell returns untrusted text escaped for a table of Markdown: it can neither leave its cell nor make a link.
func Cell(text string) string {
	return strings.NewReplacer(
		`\`, `\\`, "|", `\|`, "\n", "<br>", "\r", "", "<", "&lt;", "`", "'", "[", `\[`,
	).Replace(text)
}

// LastLines returns the last n lines of a text, such as the output of a program.
func LastLines(text string, n int) string {
	lines := strings.Split(strings.TrimRight(text, "\n"), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}
