package find

import (
	"bytes"
	"math"
	"regexp"

	"github.com/kubestellar/actions/internal/ref"
)

// mapping is a mapping in any notation: its keys, and the places of their values without
// quotes. It is read from the text, because templates do not parse. A key one level below
// "ref" has the prefix "ref.".
type mapping map[string]ref.Span

func (m mapping) text(t *text, key string) string {
	return string(t.data[m[key].Start:m[key].End])
}

// keyAt returns the key with the shortest value around a place, or "".
func (m mapping) keyAt(i int) string {
	found, shortest := "", math.MaxInt
	for key, value := range m {
		if n := value.End - value.Start; value.Start <= i && i < value.End && n < shortest {
			found, shortest = key, n
		}
	}
	return found
}

var (
	// keyLine matches a line with a key: its indent, the key, and its value.
	keyLine = regexp.MustCompile(`^(\s*(?:-[ \t]+)*)["']?([A-Za-z0-9_./-]+)["']?[ \t]*:(?:[ \t]+|$)(.*)$`)
	// scalarAt matches the beginning of a scalar: an anchor or a tag, and a quote.
	scalarAt = regexp.MustCompile(`^(?:[&!][A-Za-z0-9_!-]+[ \t]+)?["']?`)
	// schemeAt matches the part of a value before a location or repository.
	schemeAt = regexp.MustCompile(`^(?:oci://|docker://|https://|git::|ssh://)?(?:git@)?(?:github\.com[/:])?$`)
	// closingAt matches the part after it.
	closingAt   = regexp.MustCompile(`^(?:\.git)?/?["']?[ \t\r]*(?:,[ \t\r]*|\}|#.*)?$`)
	restAt      = regexp.MustCompile(`^(?:\.git)?/?$`)
	slashAt     = regexp.MustCompile(`^/`)
	digestValue = regexp.MustCompile(`^(?:sha256:)?[0-9a-f]{64}$`)
)

// most is the number of lines of a mapping that are read in each direction.
const most = 60

// mapping returns the mapping that has the text from start to end as a value, or nil.
func (t *text) mapping(start, end int) mapping {
	if t.isValue(start) {
		if m := t.enclosed(start, end); m != nil {
			value := m[m.keyAt(start)]
			if schemeAt.Match(t.data[value.Start:start]) && restAt.Match(t.data[end:max(end, value.End)]) {
				return m
			}
			return nil
		}
	}
	s := lineStart(t.data, start)
	k, ok := t.keyAt(s)
	if !ok || !schemeAt.Match(t.data[k.value.Start:max(k.value.Start, start)]) || !closingAt.Match(t.after(end)) {
		return nil
	}
	return t.block(k, s)
}

// block returns the mapping with the key on the line that begins at s.
func (t *text) block(k key, s int) mapping {
	m := mapping{}
	t.put(m, k.name, k.value)
	t.follow(m, k, s)
	if !k.first {
		t.goBack(m, k, s)
	}
	return m
}

// key is the key on a line.
type key struct {
	name   string
	column int
	first  bool // of an item of a list
	value  ref.Span
}

// keyAt returns the key on the line that begins at s. It parses each line once, even if
// several mappings need it.
func (t *text) keyAt(s int) (key, bool) {
	k, read := t.keys[s]
	if !read {
		if found, ok := t.readKey(s); ok {
			k = &found
		}
		if t.keys == nil {
			t.keys = map[int]*key{}
		}
		t.keys[s] = k
	}
	if k == nil {
		return key{}, false
	}
	return *k, true
}

func (t *text) readKey(s int) (key, bool) {
	line := bytes.TrimRight(t.data[s:lineEnd(t.data, s)], "\r")
	match := keyLine.FindSubmatchIndex(line)
	if match == nil {
		return key{}, false
	}
	lead := line[match[2]:match[3]]
	value := t.skip(scalarAt, s+match[6])
	end := value
	for end < s+len(line) && !bytes.ContainsRune([]byte("\"', \t"), rune(t.data[end])) {
		end++
	}
	return key{
		name:   string(line[match[4]:match[5]]),
		column: len(lead),
		first:  bytes.IndexByte(lead, '-') >= 0,
		value:  ref.Span{Start: value, End: end},
	}, true
}

// follow adds the keys of the lines below.
func (t *text) follow(m mapping, k key, s int) {
	last := k.name
	for range most {
		s = lineEnd(t.data, s) + 1
		if s > len(t.data) {
			return
		}
		next, ok := t.keyAt(s)
		switch {
		case t.passedOver(s):
		case t.indent(s) < k.column || t.isDivider(s):
			return
		case ok && next.column == k.column && !next.first:
			t.put(m, next.name, next.value)
			last = next.name
		case ok && nests[last]:
			m.put(last+"."+next.name, next.value)
		}
	}
}

// goBack adds the keys of the lines above, up to the first one of an item.
func (t *text) goBack(m mapping, k key, s int) {
	var deeper []key // below the next key above
	for range most {
		if s == 0 {
			return
		}
		s = lineStart(t.data, s-1)
		next, ok := t.keyAt(s)
		switch {
		case t.passedOver(s):
		case ok && next.column == k.column:
			t.put(m, next.name, next.value)
			for _, child := range deeper {
				if nests[next.name] {
					m.put(next.name+"."+child.name, child.value)
				}
			}
			deeper = nil
			if next.first {
				return
			}
		case t.indent(s) < k.column || t.isDivider(s):
			return
		case ok:
			deeper = append(deeper, next)
		}
	}
}

// isDivider reports whether the line that begins at s is between two documents.
func (t *text) isDivider(s int) bool { return bytes.HasPrefix(t.data[s:], []byte("---")) }

// put keeps the first value of a key.
func (m mapping) put(name string, value ref.Span) {
	if _, ok := m[name]; !ok {
		m[name] = value
	}
}

// passedOver reports whether the line that begins at s is not part of a mapping: blank,
// a comment, or a template action.
func (t *text) passedOver(s int) bool {
	line := bytes.TrimSpace(t.data[min(s, len(t.data)):lineEnd(t.data, s)])
	return len(line) == 0 || line[0] == '#' || bytes.HasPrefix(line, []byte("{{"))
}

func (t *text) indent(s int) int {
	line := t.data[min(s, len(t.data)):lineEnd(t.data, s)]
	return len(line) - len(bytes.TrimLeft(line, " \t"))
}

// topLevel returns the offset of the value of a key without indent.
func (t *text) topLevel(name string) (int, bool) {
	for s := 0; s < len(t.data); s = lineEnd(t.data, s) + 1 {
		if k, ok := t.keyAt(s); ok && k.column == 0 && k.name == name {
			return k.value.Start, true
		}
	}
	return 0, false
}

// nested returns the keys right below the key on the line that begins at s.
func (t *text) nested(s int) mapping {
	k, ok := t.keyAt(s)
	if !ok {
		return nil
	}
	m := mapping{}
	child := -1 // the column of the keys right below
	for range most {
		s = lineEnd(t.data, s) + 1
		if s > len(t.data) {
			break
		}
		next, ok := t.keyAt(s)
		switch {
		case t.passedOver(s):
			continue
		case t.indent(s) <= k.column:
			return m
		case ok && (child < 0 || next.column == child):
			m.put(next.name, next.value)
		}
		if child < 0 {
			child = t.indent(s)
		}
	}
	return m
}

// farthest is the number of lines above a place in which its list begins.
const farthest = 400

// list returns the line after which the innermost list that holds a place begins, or 0 if
// there is none within reach.
func (t *text) list(i int) int {
	if jsonName.MatchString(t.name) {
		return t.array(i)
	}
	s := lineStart(t.data, i)
	left := farthest
	for indent := t.indent(s); !t.isItem(s); indent = min(indent, t.indent(s)) {
		for s = t.lineAbove(s, &left); s > 0 && left > 0 && t.indent(s) >= indent; s = t.lineAbove(s, &left) {
		}
		if left == 0 || s == 0 && !t.isItem(s) {
			return 0
		}
	}
	indent := t.indent(s)
	for s > 0 && left > 0 && (t.indent(s) > indent || t.indent(s) == indent && t.isItem(s)) {
		s = t.lineAbove(s, &left)
	}
	return t.line(s) + 1
}

// jsonName matches the name of a file in JSON or a language like it.
var jsonName = regexp.MustCompile(`\.(?:json[5c]?|jsonnet|libsonnet)$`)

// array returns the line after which the innermost array around a place begins, or 0 if there
// is none within reach. Brackets in strings count as well.
func (t *text) array(i int) int {
	const width = 80 // of a line, since JSON may have only one
	depth := 0
	for last := max(0, i-farthest*width); i > last; {
		i--
		switch t.data[i] {
		case ']', '}':
			depth++
		case '[', '{':
			if depth == 0 && t.data[i] == '[' {
				return t.line(i) + 1
			}
			depth = max(0, depth-1)
		}
	}
	return 0
}

// lineAbove returns the offset of the first line above that is not blank or a comment. It
// takes one from left for each line.
func (t *text) lineAbove(s int, left *int) int {
	for s > 0 && *left > 0 {
		s = lineStart(t.data, s-1)
		*left--
		if !t.passedOver(s) {
			break
		}
	}
	return s
}

func (t *text) isItem(s int) bool {
	return bytes.HasPrefix(bytes.TrimLeft(t.data[s:lineEnd(t.data, s)], " \t"), []byte("- "))
}
