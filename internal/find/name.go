package find

import (
	"bytes"
	"path"
	"regexp"
	"strings"

	"github.com/kubestellar/actions/internal/delivery"
	"github.com/kubestellar/actions/internal/ref"
)

// impliedNames are the identifiers that a component has without saying so:
// its name and those of its charts, with VERSION, TAG or RELEASE behind them,
// in any case.
func impliedNames(name string, c delivery.Component) []string {
	bases := []string{name}
	for _, key := range c.OfKind(delivery.Chart) {
		bases = append(bases, path.Base(c.Artifacts[key].At))
	}
	var names []string
	for _, base := range bases {
		names = append(names, base)
		for _, what := range []string{"version", "tag", "release", "image-tag", "chart-version"} {
			names = append(names, base+"-"+what, strings.ReplaceAll(base, "-", "")+strings.ReplaceAll(what, "-", ""))
		}
	}
	return names
}

// identifierDeclared finds values of an identifier that a component declares.
func identifierDeclared(_ *Finder, t *text, n needle, start, end int) {
	if t.is(n.word, start, end) {
		t.identifier(start, end, n.component)
	}
}

// identifierImplied finds values of an identifier that is named after the
// component.
func identifierImplied(_ *Finder, t *text, n needle, start, end int) {
	for i := start; i < end; i++ {
		if t.data[i] == ' ' {
			return
		}
	}
	t.identifier(start, end, n.component)
}

// What may stand between an identifier and its value: an assignment, with
// quotes, a type, or an example's introduction.
var assignAt = regexp.MustCompile(`^(?:\\?["'` + "`" + `\])])*(?:[ \t]+string|[ \t]*:[ \t]*str)?[ \t]*(?::[-=]|[?+:]?=|=>|:(?:[ \t]|\r?$)|,[ \t])[ \t]*(?:[&!][A-Za-z0-9_!-]+[ \t]+)?(?:e\.g\.,?[ \t]*)?(?:\\?["'` + "`" + `])*`)

// ENV and ARG of a Dockerfile part a name and its value by a blank.
var envAt = regexp.MustCompile(`(?i)^[ \t]*env[ \t]+$`)

func (t *text) identifier(start, end int, component string) {
	if b := at(t.data, start-1); isWord(b) || b == '/' || b == '@' || b == '-' && at(t.data, start-2) != '-' || isWord(at(t.data, end)) || at(t.data, end) == '-' {
		return
	}
	r := ref.Reference{Component: component, Syntax: ref.Value, Context: ref.Context{Name: string(t.data[start:end])}}
	value := end
	if expanded := at(t.data, start-1) == '$' || at(t.data, start-1) == '{'; t.mayAssign(end) && (!expanded || at(t.data, end) == ':') {
		value = t.skip(assignAt, end)
	}
	switch {
	case value == end && at(t.data, end) == ' ' && envAt.Match(t.before(start)):
		t.add(end+1, r)
	case value != end && (at(t.data, end) != ',' || at(t.data, start-1) == '"'):
		if !t.value(value, r) {
			t.valueBelow(start, r)
		}
	case value == end && bytes.HasSuffix(bytes.TrimRight(t.before(start), "\"' \t"), []byte("name:")):
		t.environment(start, end, r)
	}
}

// mayAssign tells, for little, whether an assignment may follow: most names
// stand in a text.
func (t *text) mayAssign(i int) bool {
	for bytes.IndexByte([]byte("\"'`])\\ \t"), at(t.data, i)) >= 0 {
		i++
	}
	return bytes.IndexByte([]byte(":=?+,s"), at(t.data, i)) >= 0
}

// value adds what is assigned at i: a version, one with dashes for dots, the
// end of a branch's name, or several in a list.
func (t *text) value(i int, r ref.Reference) bool {
	if at(t.data, i) == '[' {
		return t.listed(i, r)
	}
	if match := dashedAt.FindSubmatchIndex(t.after(i)); match != nil {
		return t.addEnding(i, i+match[3], r)
	}
	version, prefix := t.versionStart(i)
	r.Context.Prefix = prefix
	return t.add(version, r)
}

// A version with dashes for dots, as in the names of sites, in quotes.
var dashedAt = regexp.MustCompile(`^(v?[0-9]+-[0-9]+-[0-9]+(?:-[A-Za-z](?:[0-9A-Za-z.-]*[0-9A-Za-z])?)?)["']`)

// listed adds each version of a list in brackets.
func (t *text) listed(i int, r ref.Reference) bool {
	r.Context.Listed = true
	first := len(t.found)
	for end := lineEnd(t.data, i); i < end && t.data[i] != ']'; i++ {
		if b := t.data[i]; (isDigit(b) || b == 'v') && !isWord(at(t.data, i-1)) && at(t.data, i-1) != '.' && t.add(i, r) {
			i = t.found[len(t.found)-1].End - 1
		}
	}
	if len(t.found) == first+1 {
		t.found[first].Context.Listed = false // one is no choice
	}
	return len(t.found) > first
}

// valueBelow adds the default of an input or variable that is declared by a
// mapping below its name.
func (t *text) valueBelow(start int, r ref.Reference) {
	s := lineStart(t.data, start)
	if k, ok := t.keyAt(s); !ok || k.name != r.Context.Name {
		return
	}
	if value, ok := t.nested(s, "default", "value", "version", "tag"); ok {
		t.value(value, r)
	}
}

// environment adds the value of a variable of a container: name: KEY beside
// value: VERSION.
func (t *text) environment(start, end int, r ref.Reference) {
	m := t.mapping(start, end)
	for _, key := range []string{"value", "default"} {
		if span, ok := m[key]; ok && m.text(t, "name") == r.Context.Name && t.value(span.Start, r) {
			return
		}
	}
}
