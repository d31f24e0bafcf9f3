package find

import (
	"regexp"
	"sort"

	"github.com/kubestellar/actions/internal/delivery"
	"github.com/kubestellar/actions/internal/ref"
)

// text is a file during a search.
type text struct {
	file     *delivery.File
	name     string
	data     []byte
	found    []ref.Reference
	mentions []mention
	holders  []holder
	unread   []ref.Reference // values of declared identifiers that are not versions
	unlike   []ref.Reference // git tags of a repository without the prefix of its components
	marks    []ref.Span
	charts   []namedChart
	sources  sources         // of the text, by alias
	asks     []string        // aliases that the text does not define
	used     []bool          // by entry of delivery.yaml
	keys     map[int]*key    // by the offset of the line; nil for a line without a key
	lines    []int           // the offsets of lines, computed on demand
	encoded  []ref.Reference // found in base64
	decoded  int             // the end of the documents that encoded is of
	fences   []fence
	history  bool
	jobs     []job
	unused   [][]int // spans of a go.mod about versions that are not used
	surveyed bool    // fences, history, jobs and unused are set
}

// mention is a place that names a component, but no version.
type mention struct {
	ref.Span
	component string
}

// line returns the number of the line around i, from 1.
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

// site returns the place of the bytes from start to end.
func (t *text) site(start, end int) ref.Site {
	line := t.line(start)
	return ref.Site{File: t.name, Line: line, Column: start - t.lines[line-1] + 1, Start: start, End: end}
}

// before and after return the parts of the line on both sides of an offset.
func (t *text) before(i int) []byte { return t.data[lineStart(t.data, i):i] }
func (t *text) after(i int) []byte  { return t.data[i:lineEnd(t.data, i)] }

// add adds r with the version, use or moving name that begins at start. It reports
// whether there is one.
func (t *text) add(start int, r ref.Reference) bool {
	if t.isImage(r) {
		return t.addEnding(start, tagVersionEnd(t.data, start), r)
	}
	return t.addEnding(start, versionEnd(t.data, start), r)
}

// isImage reports whether a reference names the tag of an image.
func (t *text) isImage(r ref.Reference) bool {
	return (r.Syntax == ref.Tag || r.Syntax == ref.Key) &&
		t.file.Components[r.Component].Artifacts[r.Artifact].Kind == delivery.Image
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
	if r.Use { // a default is a pin
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
	t.found = append(t.found, t.owned(r))
	return true
}

// suffixAt matches the part of a tag after its version.
var suffixAt = regexp.MustCompile(`^-[A-Za-z0-9_][A-Za-z0-9_.-]*`)

// defaultIn matches the text before the default of a variable or template.
var defaultIn = regexp.MustCompile(`:[-=]|\bdefault[ \t]+\\?["']|\bcoalesce\b.*[ \t]\\?["']`)

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

// ends reports whether a name ends at end: no letter, digit, dash or path follows.
func (t *text) ends(end int) bool {
	b := at(t.data, end)
	return !isWord(b) && b != '-' && b != '/' && (b != '.' || !isWord(at(t.data, end+1)))
}

// is reports whether the text from start to end equals the word.
func (t *text) is(word string, start, end int) bool { return string(t.data[start:end]) == word }

// skip returns the offset after the match of an expression, which begins with ^, at i
// within the line, or i if it does not match.
func (t *text) skip(expression *regexp.Regexp, i int) int {
	if match := expression.FindIndex(t.after(i)); match != nil {
		return i + match[1]
	}
	return i
}
