package find

import (
	"bytes"
	"path"
	"regexp"

	"github.com/kubestellar/actions/internal/ref"
)

// near is the distance in bytes within which the words of a command are searched.
const near = 4096

// command returns the span of the shell command around a place: its line and the lines
// joined to it by backslashes, between separators.
func (t *text) command(start, end int) ref.Span {
	s, e := t.joined(start, end)
	return ref.Span{Start: s + lastSeparator(t.data[s:start]), End: end + firstSeparator(t.data[end:e])}
}

// joined returns the line around a place and the lines joined to it by backslashes.
func (t *text) joined(start, end int) (int, int) {
	s, e := lineStart(t.data, start), lineEnd(t.data, end)
	for s > 0 && start-s < near && endsInBackslash(t.data[lineStart(t.data, s-1):s-1]) {
		s = lineStart(t.data, s-1)
	}
	for e < len(t.data) && e-end < near && endsInBackslash(t.data[lineStart(t.data, e):e]) {
		e = lineEnd(t.data, e+1)
	}
	return s, e
}

func endsInBackslash(line []byte) bool {
	return bytes.HasSuffix(bytes.TrimRight(line, "\r \t"), []byte(`\`))
}

// lastSeparator returns the offset after the last operator or unclosed parenthesis in
// text, where a command begins.
func lastSeparator(text []byte) int {
	depth := 0
	for i := len(text) - 1; i >= 0; i-- {
		switch b := text[i]; {
		case b == '"' || b == '\'':
			if open := bytes.LastIndexByte(text[:i], b); open >= 0 {
				i = open
			}
		case b == ')':
			depth++
		case b == '(' && depth > 0:
			depth--
		case b == '(' || b == ';' || b == '|' || b == '`' || b == '&' && at(text, i+1) <= ' ':
			return i + 1
		}
	}
	return 0
}

// firstSeparator returns the offset of the first operator or parenthesis that ends a command.
func firstSeparator(text []byte) int {
	depth := 0
	for i := 0; i < len(text); i++ {
		switch b := text[i]; {
		case b == '"' || b == '\'':
			if closing := bytes.IndexByte(text[i+1:], b); closing >= 0 {
				i += 1 + closing
			}
		case b == '(':
			depth++
		case b == ')' && depth > 0:
			depth--
		case b == ')' || b == ';' || b == '|' || b == '`' || b == '&' && at(text, i-1) <= ' ':
			return i
		}
	}
	return len(text)
}

// optionAt matches a --version option up to its value: as words of one line, on joined
// lines, as items of a YAML list, or as elements of a list in brackets.
var optionAt = regexp.MustCompile(`--version(?:=|["']?[ \t]*,?[ \t]*` +
	`(?:\\?\r?\n[ \t]*(?:(?:#[^\n]*|\r)?\n[ \t]*)*)?(?:-[ \t]+)?)["']?`)

// option returns the offset of the value of the --version option for the chart named
// from start to end, or -1.
func (t *text) option(start, end int) int {
	for _, scope := range t.scopes(start, end) {
		after := cutBefore(t.data[end:scope.End], "oci://")
		if match := optionAt.FindIndex(after); match != nil {
			return end + match[1]
		}
		from := scope.Start
		if other := bytes.LastIndex(t.data[from:max(from, start-len("oci://"))], []byte("oci://")); other >= 0 {
			from += other
		}
		if all := optionAt.FindAllIndex(t.data[from:start], -1); all != nil {
			return from + all[len(all)-1][1]
		}
	}
	return -1
}

func cutBefore(text []byte, word string) []byte {
	before, _, _ := bytes.Cut(text, []byte(word))
	return before
}

// scopes returns the spans that contain the words of one command.
func (t *text) scopes(start, end int) []ref.Span {
	var all []ref.Span
	if items, ok := t.items(start); ok {
		all = append(all, items)
	}
	if list, ok := t.brackets(start, end); ok {
		all = append(all, list)
	}
	return append(all, t.command(start, end))
}

var itemAt = regexp.MustCompile(`^([ \t]*)-[ \t]`)

// items returns the lines of the YAML list whose item is on the line around i.
func (t *text) items(i int) (ref.Span, bool) {
	s := lineStart(t.data, i)
	match := itemAt.FindSubmatch(t.data[s:lineEnd(t.data, i)])
	if match == nil {
		return ref.Span{}, false
	}
	indent := len(match[1])
	first, last := s, lineEnd(t.data, i)
	for first > 0 && s-first < near && t.belongs(lineStart(t.data, first-1), indent) {
		first = lineStart(t.data, first-1)
	}
	for last < len(t.data) && last-i < near && t.belongs(last+1, indent) {
		last = lineEnd(t.data, last+1)
	}
	return ref.Span{Start: first, End: last}, true
}

// belongs reports whether the line that begins at i is part of a list at this indent:
// an item, a continuation, a comment, a template action, or blank.
func (t *text) belongs(i, indent int) bool {
	line := t.data[i:lineEnd(t.data, i)]
	bare := bytes.TrimLeft(line, " \t")
	if i >= len(t.data) || len(bytes.TrimSpace(bare)) == 0 {
		return i < len(t.data)
	}
	lead := len(line) - len(bare)
	return lead > indent || bare[0] == '#' || bytes.HasPrefix(bare, []byte("{{")) ||
		lead == indent && bytes.HasPrefix(bare, []byte("- "))
}

// brackets returns the list in brackets that contains the quoted word from start to end.
func (t *text) brackets(start, end int) (ref.Span, bool) {
	if quote := at(t.data, end); quote != '"' && quote != '\'' {
		return ref.Span{}, false
	}
	from := max(0, start-near)
	open := bytes.LastIndexAny(t.data[from:start], "[]")
	closing := bytes.IndexAny(t.data[end:min(len(t.data), end+near)], "[]")
	if open < 0 || closing < 0 || t.data[from+open] != '[' || t.data[end+closing] != ']' {
		return ref.Span{}, false
	}
	return ref.Span{Start: from + open, End: end + closing}, true
}

var (
	// clonedBefore matches a clone up to its URL, and remoteBefore the name of a remote.
	clonedBefore = regexp.MustCompile(`\bclone\b[^\n;&|]*$`)
	remoteBefore = regexp.MustCompile(`\bremote[ \t]+add[ \t]+(?:-\S+[ \t]+)*\S+[ \t]+\S*$`)
	// clonedTo matches the folder of a clone, after its URL.
	clonedTo = regexp.MustCompile(`^["']?[ \t]+["']?([^\s"'&|;-][^\s"'&|;]*)`)
	// entered matches a command or instruction that enters a folder.
	entered = regexp.MustCompile(`(?:\bcd|\bpushd|WORKDIR|\bgit[ \t]+-C)[ \t]+["']?([^\s"'&|;)]+)`)
	// checkoutAt matches a checkout up to its ref.
	checkoutAt = regexp.MustCompile(`\bgit[ \t]+(?:-[cC][ \t]+\S+[ \t]+)*(?:(?:checkout|switch|reset)` +
		`|(?:fetch|pull)[ \t]+(?:-\S+(?:[ \t]+\d+)?[ \t]+)*[a-z]+)[ \t]+(?:-\S+[ \t]+)*["']?(?:tag[ \t]+)?(?:refs/)?(?:tags/)?["']?`)
	anotherAt = regexp.MustCompile(`\bclone\b|\bremote[ \t]+add\b`)
)

// checkedOut finds the version that is checked out in a clone, by the commands after it in
// its folder. It reports whether there is one.
func (t *text) checkedOut(start, end int, r ref.Reference) bool {
	const reach = 1024
	isClone := clonedBefore.Match(t.before(start))
	if !isClone && !remoteBefore.Match(t.before(start)) {
		return false
	}
	rest := t.data[end:min(len(t.data), end+reach)]
	if other := anotherAt.FindIndex(rest); other != nil {
		rest = rest[:other[0]]
	}
	folder := path.Base(t.file.Components[r.Component].Repository)
	if match := clonedTo.FindSubmatch(t.after(end)); match != nil {
		folder = path.Base(string(match[1]))
	}
	for _, match := range checkoutAt.FindAllIndex(rest, -1) {
		in := entered.FindAllSubmatch(rest[:match[1]], -1)
		if isClone && folder != "." && (len(in) == 0 || path.Base(string(in[len(in)-1][1])) != folder) {
			continue
		}
		if version, prefix := t.versionStart(end+match[1], r.Component); t.add(version, withPrefix(r, prefix)) {
			return true
		}
	}
	return false
}

func withPrefix(r ref.Reference, prefix string) ref.Reference {
	r.Context.Prefix = prefix
	return r
}

// setBefore matches an argument NAME.repository= up to a location.
var setBefore = regexp.MustCompile(`[\s,"']([A-Za-z0-9_.\\-]*?)(?:repository|image|name)=["']?(?:docker://)?$`)

// setBeside finds the tag in the command of a location: --set web.image.tag=VERSION beside
// --set web.image.repository=LOCATION. It reports whether there is one.
func (t *text) setBeside(start, end int, r ref.Reference) bool {
	match := setBefore.FindSubmatch(t.before(start))
	if match == nil || len(match[1]) == 0 {
		return false
	}
	scope := t.command(start, end)
	tag := regexp.MustCompile(`[\s,"']` + regexp.QuoteMeta(string(match[1])) + `(?:tag|newTag)=["']?`)
	r.Syntax = ref.Key
	at := tag.FindIndex(t.data[scope.Start:scope.End])
	return at != nil && t.add(scope.Start+at[1], r)
}
