package bump

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/kubestellar/actions/internal/decide"
	"github.com/kubestellar/actions/internal/gh"
	"github.com/kubestellar/actions/internal/ref"
	"github.com/kubestellar/actions/internal/report"
)

func (a *attempt) title() string { return a.file.Bumps.TitleFor(a.Move.Component, a.Move.Version) }

// longestBody is the limit for a pull request's text in bytes. GitHub's own limit is
// 65536 characters.
const longestBody = 60_000

// body returns the text of the pull request.
func (a *attempt) body(tree string) string {
	plan := a.plan
	var parts []string
	add := func(format string, args ...any) { parts = append(parts, fmt.Sprintf(format, args...)) }
	if own := a.file.Bumps.BodyFor(a.Move.Component, a.Move.Version); own != "" {
		add("%s", own)
	}
	add("%s [%s](%s/releases/tag/%s) is released%s.",
		a.Move.Component, a.Move.Version, a.upstream(), a.Move.Version.Tag(), a.changes())
	parts = append(parts, plan.moved()...)
	parts = append(parts, plan.derived()...)
	parts = append(parts, plan.seen()...)
	parts = append(parts, plan.listed()...)
	parts = append(parts, plan.stays()...)
	end := "<!-- " + treeTrailer + tree + " -->"
	text := ""
	for i, part := range parts {
		if len(text)+len(part)+len(end) > longestBody {
			text += fmt.Sprintf("And %d lines more, that do not fit here: "+
				"the commit has them all, and `ghhelper bump --dry-run` prints them.\n\n", len(parts)-i)
			break
		}
		text += part + "\n"
	}
	return text + "\n" + end + "\n"
}

// isAbout reports whether the pull request's text was written for a tree of ours.
func isAbout(pull *gh.Pull, tree string) bool {
	return strings.Contains(pull.Body, treeTrailer+tree)
}

// upstream returns the address of the repository that releases the component.
func (a *attempt) upstream() string {
	return a.Server + "/" + a.file.Components[a.Move.Component].Repository
}

// changes returns links to the changes since the versions that are replaced.
func (a *attempt) changes() string {
	var from []ref.Version
	for _, e := range a.plan.Edits {
		if v, err := e.Version(); err == nil {
			from = append(from, v)
		}
	}
	slices.SortFunc(from, func(a, b ref.Version) int { return b.Compare(a) })
	from = slices.CompactFunc(from, func(a, b ref.Version) bool { return a.Compare(b) == 0 })
	var links []string
	for _, v := range from {
		links = append(links, fmt.Sprintf("[%s](%s/compare/%s...%s)",
			v, a.upstream(), v.Tag(), a.Move.Version.Tag()))
	}
	if len(links) == 0 {
		return ""
	}
	return ": what has changed since " + strings.Join(links, ", ")
}

// moved returns the table of the places.
func (p *Plan) moved() []string {
	lines := []string{"\n| place | from | to | because |", "|---|---|---|---|"}
	for _, e := range p.Edits {
		lines = append(lines, fmt.Sprintf("| `%s:%d` | `%s` | `%s` | %s |",
			code(e.File), e.Line, code(e.Written), code(e.To), cell(cmp.Or(e.Reason(), string(e.Syntax)))))
	}
	return lines
}

func (p *Plan) derived() []string {
	var lines []string
	for _, c := range p.Changes {
		if c.By != "" {
			lines = append(lines, fmt.Sprintf("\n`%s` is derived by `%s`.", code(c.File), code(c.By)))
		}
	}
	return lines
}

// seen lists the targets that the proposal depends on.
func (p *Plan) seen() []string {
	if len(p.Seen) == 0 {
		return nil
	}
	lines := []string{"\nSeen before this was proposed, by name, with what its charts run:\n"}
	for _, a := range p.Seen {
		lines = append(lines, fmt.Sprintf("- `%s`, `%s`",
			code(a.String()), code(cmp.Or(a.Digest, a.Revision, "there"))))
	}
	for _, open := range p.Unchecked {
		lines = append(lines, fmt.Sprintf("- not proven: %s (%s)", cell(open.What), cell(open.Because)))
	}
	return lines
}

// listed returns the table of the places that the reviewer decides about.
func (p *Plan) listed() []string {
	lines := p.left(decide.Listed, "\nPlease check these places, which may have to move too:\n")
	if p.Partial != "" {
		lines = append(lines, "\nHistory might have decided about some of them: "+cell(p.Partial)+".")
	}
	return lines
}

// stays returns the table of the places that stay.
func (p *Plan) stays() []string { return p.left(decide.Stays, "\nLeft alone:\n") }

func (p *Plan) left(outcome decide.Outcome, title string) []string {
	lines := []string{title, "| place | version | because |", "|---|---|---|"}
	head := len(lines)
	for _, l := range p.Left {
		if l.Outcome() == outcome {
			lines = append(lines, fmt.Sprintf("| `%s:%d` | `%s` | %s |",
				code(l.File), l.Line, code(l.Written), cell(l.Because)))
		}
	}
	if len(lines) == head {
		return nil
	}
	return lines
}

// code escapes a text of others, such as a file's name, within backquotes.
func code(text string) string { return report.Cell(report.Plain(text)) }

// cell escapes such a text elsewhere, and keeps it from mentioning people.
func cell(text string) string {
	return strings.ReplaceAll(report.Cell(report.Plain(text)), "@", "@\u200b")
}
