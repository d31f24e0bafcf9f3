package find

import (
	"regexp"
	"sort"

	"github.com/kubestellar/actions/internal/ref"
)

// text is one file while it is looked at.
type text struct {
	name  string
	data  []byte
	found []ref.Reference
	// names of components that stand in the file, each with its component.
	mentions []mention
	marks    []ref.Span
	keys     map[int]*key    // by where a line begins; nil where it has none
	lines    []int           // the starts of lines, once somebody asks
	encoded  []ref.Reference // found in base64; nil before somebody looks
	fences   []fence
	history  bool
	jobs     []job
	unused   [][]int // spans of a go.mod that are about versions not used
	surveyed bool    // fences, history, jobs and unused are known
}

// mention is a place that names a component, but no version.
type mention struct {
	ref.Span
	component string
}

// line is the number of the line around offset i, from 1.
func (t *text) line(i int) int {
	if t.lines == nil {
		t.lines = append(t.lines, 0)
		for i, b := range t.data {
			if b == '\n' {
				t.lines = append(t.lines, i+1)
			}
		}
	}
	return sort.SearchInts(t.lines, i+1)
}

// site is the place of the bytes from start to end.
func (t *text) site(start, end int) ref.Site {
	line := t.line(start)
	return ref.Site{File: t.name, Line: line, Column: start - t.lines[line-1] + 1, Start: start, End: end}
}

// before and after are the rest of the line on both sides of a place.
func (t *text) before(i int) []byte { return t.data[lineStart(t.data, i):i] }
func (t *text) after(i int) []byte  { return t.data[i:lineEnd(t.data, i)] }

// add completes r by the version, the use of one or the moving name that
// begins at start, and tells whether there was one.
func (t *text) add(start int, r ref.Reference) bool {
	return t.addEnding(start, versionEnd(t.data, start), r)
}

// addFile is add for a version in the name of a file.
func (t *text) addFile(start int, r ref.Reference) bool {
	return t.addEnding(start, fileVersionEnd(t.data, start), r)
}

func (t *text) addEnding(start, end int, r ref.Reference) bool {
	if end < 0 {
		end = useEnd(t.data, start)
		r.Use = end >= 0
	}
	if r.Use { // its default, if it has one, is a pin
		if match := defaultIn.FindIndex(t.data[start:end]); match != nil {
			if e := versionEnd(t.data[:end], start+match[1]); e >= 0 {
				start, end, r.Use = start+match[1], e, false
			}
		}
	}
	if end < 0 {
		end = movingEnd(t.data, start)
		r.Moving = end >= 0
	}
	if end < 0 {
		return false
	}
	tail := end
	if r.Syntax == ref.Tag || r.Syntax == ref.Key {
		tail = t.skip(suffixAt, end)
		r.Context.Suffix = string(t.data[end:tail])
	}
	if match := digestAt.FindSubmatchIndex(t.after(tail)); match != nil && !r.Use {
		r.Lock = t.lock(tail+match[2], tail+match[3])
	}
	r.Site = t.site(start, end)
	r.Written = string(t.data[start:end])
	t.found = append(t.found, r)
	return true
}

// suffixAt is what a tag may have behind its version.
var suffixAt = regexp.MustCompile(`^-[A-Za-z0-9_][A-Za-z0-9_.-]*`)

// defaultIn is what introduces the default of a variable or template.
var defaultIn = regexp.MustCompile(`:[-=]|\bdefault[ \t]+\\?["\']`)

func (t *text) lock(start, end int) *ref.Lock {
	return &ref.Lock{Span: ref.Span{Start: start, End: end}, Written: string(t.data[start:end])}
}

// starts reports whether a name starts at start: it does not continue a longer
// name or a path.
func (t *text) starts(start int) bool {
	b := at(t.data, start-1)
	if b == '/' {
		return at(t.data, start-2) == '/'
	}
	if b == '-' && at(t.data, start-2) == ':' { // a default: ${NAME:-…}
		return true
	}
	return !isWord(b) && b != '-' && b != '.'
}

// ends tells whether a name ends at end: no letter, digit, dash or path goes on.
func (t *text) ends(end int) bool {
	b := at(t.data, end)
	return !isWord(b) && b != '-' && b != '/' && (b != '.' || !isWord(at(t.data, end+1)))
}

// is tells whether the text holds the word at start, in just these letters.
func (t *text) is(word string, start, end int) bool { return string(t.data[start:end]) == word }

// skip is the offset after what an expression, which begins with ^, matches at
// i within the line; i itself where it does not match.
func (t *text) skip(expression *regexp.Regexp, i int) int {
	if match := expression.FindIndex(t.after(i)); match != nil {
		return i + match[1]
	}
	return i
}
