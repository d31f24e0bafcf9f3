package find

import (
	"bytes"
	"regexp"
	"slices"
	"strings"

	"github.com/kubestellar/actions/internal/ref"
)

// A mapping in brackets or below the header of a table is read in the same way in every
// notation: JSON, jsonnet, HCL, Starlark, TOML, git's configuration, and the flow style of
// YAML. It is a list of entries: a key, a colon or an equals sign, and a value.

// enclosures is the number of brackets around a place that are tried.
const enclosures = 4

// enclosed returns the innermost mapping in brackets, or below a header, that has a place in
// a value, or nil. One that describes a source has the keys around it as well.
func (t *text) enclosed(start, end int) mapping {
	var found mapping
	span := ref.Span{Start: start, End: end}
	for range enclosures {
		open, closing := t.bracket(span)
		if open < 0 {
			break
		}
		span = ref.Span{Start: open, End: closing + 1}
		if at(t.data, open-1) == '$' {
			continue // an expansion
		}
		m := t.entries(open+1, closing, t.data[open] == '(')
		switch key := m.keyAt(start); {
		case key == "":
		case found == nil:
			found = m
		case !fromKeys[key] && !nests[key]:
			return found
		default:
			delete(m, key)
			for name, value := range m {
				found.put(name, value)
			}
		}
	}
	if from, to, ok := t.table(start); ok && found == nil {
		if m := t.entries(from, to, true); m.keyAt(start) != "" {
			return m
		}
	}
	return found
}

// isValue reports whether a key or an argument may be before the word at i.
func (t *text) isValue(i int) bool {
	line := t.before(i)
	line = bytes.TrimRight(line[:bytes.LastIndexAny(line, " \t\"'`(=")+1], " \t\"'`(")
	return len(line) == 0 || bytes.IndexByte([]byte(":=,>"), line[len(line)-1]) >= 0
}

// bracket returns the offsets of the innermost brackets around a span, or -1. Those of a
// template are none.
func (t *text) bracket(span ref.Span) (open, closing int) {
	depth := 0
	for open = span.Start - 1; open >= max(0, span.Start-near); open-- {
		switch t.data[open] {
		case ')', ']', '}':
			depth++
		case '(', '[', '{':
			depth--
		}
		if depth < 0 {
			break
		}
	}
	limit := min(len(t.data), span.End+near)
	if closing = t.closing(span.End, limit); closing < 0 && limit < len(t.data) {
		closing = limit // the entries in reach are enough
	}
	if depth >= 0 || closing < 0 || t.data[open] == '{' && at(t.data, open-1) == '{' {
		return -1, -1
	}
	return open, closing
}

// closing returns the offset of the first bracket after i that closes another one before
// i, or -1.
func (t *text) closing(i, limit int) int {
	for depth := 0; i < limit; i++ {
		switch t.data[i] {
		case '(', '[', '{':
			depth++
		case ')', ']', '}':
			if depth--; depth < 0 {
				return i
			}
		}
	}
	return -1
}

// headerAt matches the header of a table: [name], [[name]] or [name "x"].
var headerAt = regexp.MustCompile(`^[ \t]*\[\[?[ \t]*([A-Za-z0-9_.:/@-]+|(?:[A-Za-z0-9_.-]+[ .])?["'][^"'\]]*["'])[ \t]*\]\]?[ \t]*(?:#.*)?\r?$`)

func (t *text) isHeader(s int) bool {
	line := t.data[s:lineEnd(t.data, s)]
	return bytes.HasPrefix(bytes.TrimLeft(line, " \t"), []byte("[")) && headerAt.Match(line)
}

// table returns the span of the lines between two headers around a place.
func (t *text) table(i int) (from, to int, ok bool) {
	s := lineStart(t.data, i)
	for range most {
		if s == 0 {
			return 0, 0, false
		}
		if s = lineStart(t.data, s-1); t.isHeader(s) {
			return lineEnd(t.data, s), t.tableEnd(i), true
		}
	}
	return 0, 0, false
}

// tableEnd returns the offset of the first header below i.
func (t *text) tableEnd(i int) int {
	for range most {
		i = lineEnd(t.data, i) + 1
		if i >= len(t.data) || t.isHeader(i) {
			break
		}
	}
	return min(i, len(t.data))
}

var (
	// entryAt matches the beginning of an entry up to its value.
	entryAt = regexp.MustCompile(`^(?:-[ \t]+)?(?:"([^"\n]+)"|'([^'\n]+)'|([A-Za-z0-9_$@][A-Za-z0-9_./$@-]*))` +
		`([ \t]*)(?:\+?(:+)|=>?)[ \t]*`)
	// blockAt matches the text between a name and the entries of its mapping in braces.
	blockAt = regexp.MustCompile(`^(?:["'][ \t]*(?:\+?:+|=)?|[ \t]*(?:\+?:+|=))[ \t]*\{`)
	// callAt matches a call whose last argument is a string: try(var.version, "1.4.0").
	callAt = regexp.MustCompile(`^[A-Za-z_.]+\((?:[^()"'\n]*,)?[ \t]*["']([^"'\n]*)["'][ \t]*\)`)
)

// entries returns the entries between two offsets, and not those in brackets between them.
// An equals sign needs blanks around it unless tight is set: a script assigns without.
func (t *text) entries(from, to int, tight bool) mapping {
	m := mapping{}
	fresh := true // an entry may begin
	for i := from; i < to; i++ {
		b := t.data[i]
		if blank := b == ' ' || b == '\t' || b == '\r'; fresh && !blank && b != '\n' {
			fresh = false
			if next := t.entry(m, i, to, tight); next > i {
				i = next - 1
				continue
			}
		}
		switch {
		case b == ',' || b == ';' || b == '\n':
			fresh = true
		case b == '#' || b == '/' && at(t.data, i+1) == '/':
			if before := at(t.data, i-1); before <= ' ' {
				i = min(to, lineEnd(t.data, i)) - 1
			}
		default:
			i = t.over(i, to)
		}
	}
	return m
}

// over returns the offset of the end of the string or of the brackets that begin at i, or i.
func (t *text) over(i, to int) int {
	switch b := at(t.data, i); b {
	case '"', '\'', '`':
		if n := bytes.IndexByte(t.data[i+1:min(to, lineEnd(t.data, i))], b); n >= 0 {
			return i + 1 + n
		}
	case '(', '[', '{':
		if closing := t.closing(i+1, to); closing >= 0 {
			return closing
		}
	}
	return i
}

// entry adds the entry that begins at i. It returns the end of its value, or i.
func (t *text) entry(m mapping, i, to int, tight bool) int {
	match := entryAt.FindSubmatchIndex(t.after(i))
	if match == nil {
		return i
	}
	value, gap, colon := i+match[1], match[9]-match[8], match[10] >= 0
	if b := at(t.data, value); colon && b == '/' || !colon && (b == '=' || b == '~' ||
		!tight && (gap == 0 || at(t.data, value-1) == '=')) {
		return i
	}
	name := ""
	for group := 2; group <= 6; group += 2 {
		if match[group] >= 0 {
			name = string(t.data[i+match[group] : i+match[group+1]])
		}
	}
	if call := callAt.FindSubmatchIndex(t.after(value)); call != nil {
		m.put(name, ref.Span{Start: value + call[2], End: value + call[3]})
		return value + call[1]
	}
	start := t.skip(scalarAt, value)
	from := start
	if b := at(t.data, start-1); b == '"' || b == '\'' {
		from--
	}
	end := t.valueEnd(from, to)
	whole := end
	for end > start && bytes.IndexByte([]byte("\"'`\r"), t.data[end-1]) >= 0 {
		end--
	}
	t.put(m, name, ref.Span{Start: start, End: end})
	return max(whole, value)
}

// valueEnd returns the end of the value that begins at i: a string, brackets, or a word.
func (t *text) valueEnd(i, to int) int {
	for ; i < to; i++ {
		switch b := t.data[i]; {
		case b <= ' ' || b == ',' || b == ';' || b == ')' || b == ']' || b == '}':
			return i
		default:
			i = t.over(i, to)
		}
	}
	return to
}

// nests are the keys whose mappings are read as well. A key in them has a prefix: ref.tag.
var nests = words(`ref with`)

// put adds a key, and those of its mapping in braces.
func (t *text) put(m mapping, name string, value ref.Span) {
	m.put(name, value)
	if closing := t.over(value.Start, len(t.data)); nests[name] && at(t.data, value.Start) == '{' {
		for key, span := range t.entries(value.Start+1, closing, false) {
			m.put(name+"."+key, span)
		}
	}
}

// below returns the entries of the mapping that has the name from start to end, or nil.
func (t *text) below(start, end int) mapping {
	if i := t.skip(blockAt, end); i > end {
		return t.entries(i, max(i, t.closing(i, min(len(t.data), i+near))), false)
	}
	s := lineStart(t.data, start)
	if bytes.HasPrefix(bytes.TrimLeft(t.after(end), "\"' \t"), []byte("]")) && t.isHeader(s) {
		return t.entries(lineEnd(t.data, s), t.tableEnd(s), true)
	}
	return t.nested(s)
}

var (
	// versionTail and locationTail match the last words of a key, written without separators.
	versionTail  = regexp.MustCompile(`(?:version|tag|ref|revision)$`)
	locationTail = regexp.MustCompile(`(?:image|chart|repository|repo|source|registry|url|name|git)+$`)
)

// stemOf returns the part of a key before its last words, which describe its value:
// webImageTag and web_image have the stem web.
func stemOf(key string) (stem string, isVersion, isLocation bool) {
	whole := separators.Replace(strings.ToLower(key))
	rest := versionTail.ReplaceAllString(whole, "")
	stem = locationTail.ReplaceAllString(rest, "")
	return stem, rest != whole, rest == whole && stem != rest
}

var separators = strings.NewReplacer("_", "", "-", "", ".", "")

// paired returns the keys for the version of the location in a key, or the reverse, by their
// stem. The version of a chart is not that of an image.
func (m mapping) paired(key string) []string {
	stem, isVersion, isLocation := stemOf(key)
	if stem == "" || !isVersion && !isLocation {
		return nil
	}
	var all []string
	for other := range m {
		s, v, l := stemOf(other)
		if s == stem && (isVersion && l || isLocation && v) && !isMixed(key, other) {
			all = append(all, other)
		}
	}
	slices.Sort(all)
	return all
}

// isMixed reports whether one key is about a chart, and the other one about an image.
func isMixed(a, b string) bool {
	a, b = strings.ToLower(a), strings.ToLower(b)
	return strings.Contains(a, "chart") && strings.Contains(b, "image") ||
		strings.Contains(a, "image") && strings.Contains(b, "chart")
}
