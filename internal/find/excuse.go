package find

import (
	"bytes"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/kubestellar/actions/internal/delivery"
	"github.com/kubestellar/actions/internal/ref"
)

// mark leaves the references of its line, or of the line below, alone. The reason
// follows it.
const mark = "ghhelper:keep"

// excuse is an entry of ignore or treat in delivery.yaml.
type excuse struct {
	delivery.Excuse
	line  *regexp.Regexp
	as    string // of an entry of treat
	entry int
}

// compileExcuses compiles the entries of ignore about places, and those of treat. Entries of ignore with a target are
// about what exists.
func (f *Finder) compileExcuses() {
	for i, e := range f.file.Ignore {
		if e.Target == "" {
			id := f.enter("an entry of ignore that covers no reference:"+describe(e), "ignore", strconv.Itoa(i))
			f.excuses = append(f.excuses, excuse{e, regexp.MustCompile(e.Pattern), "", id})
		}
	}
	for i, t := range f.file.Treat {
		e := delivery.Excuse{Files: t.Files, Because: t.Because}
		id := f.enter("an entry of treat that covers no reference: as "+t.As+describe(e), "treat", strconv.Itoa(i))
		f.excuses = append(f.excuses, excuse{e, regexp.MustCompile(""), t.As, id})
	}
}

// excuses reports whether the entry leaves references alone.
func (e excuse) excuses() bool { return e.as == "" || e.as == delivery.AsHistory }

// covers reports whether an excuse applies to a reference in a file.
func (e excuse) covers(t *text, r ref.Reference) bool {
	return (e.Files == "" || delivery.Covers(e.Files, t.name)) &&
		(e.Component == "" || e.Component == r.Component) &&
		e.line.Match(t.data[lineStart(t.data, r.Start):lineEnd(t.data, r.Start)])
}

// markedBy matches the beginning of the comment that contains a mark.
var markedBy = regexp.MustCompile(`(?:#|//|<!--|/\*|;|--|%|\bREM|# \(|"//"[ \t]*:[ \t]*")[ \t]*$`)

// excusesFile reports whether delivery.yaml leaves the whole file alone.
func (f *Finder) excusesFile(name string) bool {
	return slices.ContainsFunc(f.excuses, func(e excuse) bool {
		return e.excuses() && e.Files != "" && e.Pattern == "" && e.Component == "" && delivery.Covers(e.Files, name)
	})
}

// marked records the place of a mark.
func marked(_ *Finder, t *text, _ needle, start, end int) {
	if t.is(mark, start, end) && markedBy.Match(t.before(start)) {
		t.marks = append(t.marks, ref.Span{Start: start, End: end})
	}
}

// excuse sets the reason for leaving references alone, and drops excused suspects.
func (f *Finder) excuse(t *text, found *Found) {
	found.References = append(found.References, t.encoded...)
	byLine, idle := t.reasons(*found)
	if !f.excusesFile(t.name) {
		found.Idle = idle
	}
	why := func(r ref.Reference) string {
		reason := byLine[r.Line]
		for _, e := range f.excuses {
			if e.excuses() && e.covers(t, r) {
				t.used[e.entry] = true
				reason = e.Because
			}
		}
		return reason
	}
	for i, r := range found.References {
		found.References[i].Excused = why(r)
		f.treat(t, &found.References[i])
	}
	var open []ref.Reference
	for _, r := range found.Suspects {
		if why(r) == "" {
			open = append(open, r)
		}
	}
	found.Suspects = open
}

// treat sets what delivery.yaml declares about the files of a reference.
func (f *Finder) treat(t *text, r *ref.Reference) {
	for _, e := range f.excuses {
		isLink := r.Syntax == ref.Link && !r.Context.Lines && r.Context.Page != "compare"
		switch {
		case e.as == delivery.AsRendered && e.covers(t, *r):
			t.used[e.entry], r.Context.Rendered = true, true
		case e.as == delivery.AsLinks && isLink && e.covers(t, *r):
			t.used[e.entry], r.Context.Fixed = true, false
		}
	}
}

// reasons returns the reasons of marks by line, and the marks without a reason or a
// reference.
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
			idle = append(idle, Idle{site, "the mark " + mark + " gives no reason", true})
		case !slices.ContainsFunc(lines, func(line int) bool { return occupied[line] }):
			idle = append(idle, Idle{site, "the mark " + mark + " has no reference on its line, nor on the next", true})
		default:
			for _, line := range lines {
				reasons[line] = because
			}
		}
	}
	return reasons, idle
}

// markedLines returns the lines of a mark: its own or, if that has no reference, the
// first one below that is not a comment, with the lines joined to it by backslashes.
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
