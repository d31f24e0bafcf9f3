package find

import (
	"bytes"
	"regexp"
	"slices"
	"strings"

	"github.com/kubestellar/actions/internal/delivery"
	"github.com/kubestellar/actions/internal/ref"
)

// mark in a line, or alone on the line above it, leaves the references of the
// line alone; the reason follows it.
const mark = "ghhelper:keep"

// excuse is one of delivery.yaml's.
type excuse struct {
	delivery.Excuse
	line *regexp.Regexp
}

func compileExcuses(f *delivery.File) []excuse {
	var all []excuse
	for _, e := range f.Ignore {
		all = append(all, excuse{e, regexp.MustCompile(e.Pattern)})
	}
	return all
}

// covers tells whether an excuse holds for a reference in a file. One that
// names a target is about what is there, not about the place.
func (e excuse) covers(t *text, r ref.Reference) bool {
	return e.Target == "" &&
		(e.Files == "" || covers(e.Files, t.name)) &&
		(e.Component == "" || e.Component == r.Component) &&
		e.line.Match(t.data[lineStart(t.data, r.Start):lineEnd(t.data, r.Start)])
}

// markedBy is what begins the comment in which a mark stands.
var markedBy = regexp.MustCompile(`(?:#|//|<!--|/\*|;|--|%|\bREM|# \(|"//"[ \t]*:[ \t]*")[ \t]*$`)

// excusesFile tells whether delivery.yaml leaves the whole file alone.
func (f *Finder) excusesFile(name string) bool {
	return slices.ContainsFunc(f.excuses, func(e excuse) bool {
		return e.Files != "" && e.Pattern == "" && e.Component == "" && e.Target == "" && covers(e.Files, name)
	})
}

// marked notes where a mark stands.
func marked(_ *Finder, t *text, _ needle, start, end int) {
	if t.is(mark, start, end) && markedBy.Match(t.before(start)) {
		t.marks = append(t.marks, ref.Span{Start: start, End: end})
	}
}

// excuse gives the references and suspects of a text the reason why they are
// left alone, if there is one, and drops excused suspects.
func (f *Finder) excuse(t *text, found *Found) {
	found.used = make([]bool, len(f.excuses))
	found.References = append(found.References, t.encoded...)
	byLine, idle := t.reasons(*found)
	if !f.excusesFile(t.name) {
		found.Idle = idle
	}
	why := func(r ref.Reference) string {
		reason := byLine[r.Line]
		for i, e := range f.excuses {
			if e.covers(t, r) {
				found.used[i] = true
				reason = e.Because
			}
		}
		return reason
	}
	for i, r := range found.References {
		found.References[i].Excused = why(r)
	}
	var open []ref.Reference
	for _, r := range found.Suspects {
		if why(r) == "" {
			open = append(open, r)
		}
	}
	found.Suspects = open
}

// reasons are those that marks give, by line, and the marks that say nothing or
// have nothing to excuse.
func (t *text) reasons(found Found) (map[int]string, []Idle) {
	occupied := map[int]bool{}
	for _, all := range [][]ref.Reference{found.References, found.Suspects} {
		for _, r := range all {
			occupied[r.Line] = true
		}
	}
	reasons := map[int]string{}
	var idle []Idle
	for _, m := range t.marks {
		site := t.site(m.Start, m.End)
		because := strings.TrimSpace(strings.TrimRight(strings.TrimSpace(string(t.after(m.End))), "->*/}"))
		because = strings.TrimSpace(strings.TrimPrefix(because, ":"))
		lines := t.markedLines(site.Line, occupied)
		switch {
		case because == "":
			idle = append(idle, Idle{site, "the mark " + mark + " gives no reason"})
		case !slices.ContainsFunc(lines, func(line int) bool { return occupied[line] }):
			idle = append(idle, Idle{site, "the mark " + mark + " has no reference on its line, nor on the next"})
		default:
			for _, line := range lines {
				reasons[line] = because
			}
		}
	}
	return reasons, idle
}

// markedLines are those that a mark is about: its own or, where that has no
// reference, the first below that is no comment, with those that a backslash
// joins to it.
func (t *text) markedLines(line int, occupied map[int]bool) []int {
	if occupied[line] {
		return []int{line}
	}
	text := func(line int) []byte {
		return bytes.TrimSpace(t.data[t.lines[line-1]:lineEnd(t.data, t.lines[line-1])])
	}
	last := min(line+most, len(t.lines))
	for line++; line < last && !occupied[line] && bytes.HasPrefix(text(line), []byte("#")); line++ {
	}
	lines := []int{line}
	for last = min(line+most, len(t.lines)); line < last && endsInBackslash(text(line)); {
		line++
		lines = append(lines, line)
	}
	return lines
}
