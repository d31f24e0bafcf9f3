package find

import (
	"bytes"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/kubestellar/actions/internal/delivery"
	"github.com/kubestellar/actions/internal/ref"
)

// impliedNames returns the identifiers that a component need not declare: its name and
// the names of its charts, followed by VERSION, TAG or RELEASE, in any case.
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
func identifierDeclared(f *Finder, t *text, n needle, start, end int) {
	if t.is(n.word, start, end) {
		t.used[n.entry] = true
		f.identifier(t, start, end, n.component)
	}
}

// identifierImplied finds values of an identifier that contains the component's name.
func identifierImplied(f *Finder, t *text, n needle, start, end int) {
	for i := start; i < end; i++ {
		if t.data[i] == ' ' {
			return
		}
	}
	f.identifier(t, start, end, n.component)
}

// assignAt matches the text between an identifier and its value: an assignment, with
// quotes, a type, or "e.g.".
var assignAt = regexp.MustCompile(`^(?:\\?["'` + "`" + `\])])*(?:[ \t]+string|[ \t]*:[ \t]*str)?[ \t]*` +
	`(?::[-=]|[?+:]?=|=>|:(?:[ \t]|\r?$)|,[ \t])[ \t]*` +
	`(?:[&!][A-Za-z0-9_!-]+[ \t]+)?(?:e\.g\.,?[ \t]*)?(?:\\?["'` + "`" + `])*`)

// envAt matches ENV of a Dockerfile, which separates a name and its value with a blank.
var envAt = regexp.MustCompile(`(?i)^[ \t]*env[ \t]+$`)

func (f *Finder) identifier(t *text, start, end int, component string) {
	before, after := at(t.data, start-1), at(t.data, end)
	if isWord(before) || before == '/' || before == '@' || before == '-' && at(t.data, start-2) != '-' ||
		isWord(after) || after == '-' {
		return
	}
	r := ref.Reference{Component: component, Syntax: ref.Value, Context: ref.Context{Name: string(t.data[start:end])}}
	value := end
	if expanded := before == '$' || before == '{'; t.mayAssign(end) && (!expanded || after == ':') {
		value = t.skip(assignAt, end)
	}
	switch {
	case value == end && after == ' ' && t.isNamedAlone(start, r):
		t.add(t.skip(toolchainAt, end+1), r)
	case value != end && (after != ',' || before == '"'):
		if !t.value(value, r) && !f.valueBelow(t, start, end, r) {
			t.unreadable(value, r)
		}
	case value == end && bytes.HasSuffix(bytes.TrimRight(t.before(start), "\"' \t"), []byte("name:")):
		t.environment(start, end, r)
	case value == end && t.mayOpen(end):
		f.valueBelow(t, start, end, r)
	}
}

// toolchainAt matches the prefix of a version in the toolchain directive of a go.mod.
var toolchainAt = regexp.MustCompile(`^go`)

// isNamedAlone reports whether a blank may be between the name at i and its value. A
// directive of a go.mod must be declared.
func (t *text) isNamedAlone(i int, r ref.Reference) bool {
	line := t.before(i)
	if len(line) > 0 {
		return envAt.Match(line)
	}
	return path.Base(t.name) == ".tool-versions" ||
		isGoMod(t.name) && slices.Contains(t.file.Components[r.Component].Names, r.Context.Name)
}

// mayOpen reports whether a mapping with the name before i may begin. It is a fast check.
func (t *text) mayOpen(i int) bool {
	for bytes.IndexByte([]byte("\"' \t"), at(t.data, i)) >= 0 {
		i++
	}
	return at(t.data, i) == '{' || at(t.data, i) == ']'
}

// mayAssign reports whether an assignment may follow at i. It is a fast check, because
// most names are in prose.
func (t *text) mayAssign(i int) bool {
	for bytes.IndexByte([]byte("\"'`])\\ \t"), at(t.data, i)) >= 0 {
		i++
	}
	return bytes.IndexByte([]byte(":=?+,s"), at(t.data, i)) >= 0
}

// value adds the version that is assigned at i. It may have dashes for dots, be the end
// of a branch's name, or be one of several in a list.
func (t *text) value(i int, r ref.Reference) bool {
	if at(t.data, i) == '[' {
		return t.listed(i, r)
	}
	if match := dashedAt.FindSubmatchIndex(t.after(i)); match != nil {
		return t.addEnding(i, i+match[3], r)
	}
	version, prefix := t.versionStart(t.skip(literalAt, i), r.Component)
	r.Context.Prefix = prefix
	return t.add(version, r)
}

// literalAt matches the beginning of a literal in an expression of a workflow.
var literalAt = regexp.MustCompile(`^\$\{\{[ \t]*'`)

// dashedAt matches a version with dashes for dots, before a quote, as in the names of sites.
var dashedAt = regexp.MustCompile(`^(v?[0-9]+-[0-9]+-[0-9]+(?:-[A-Za-z](?:[0-9A-Za-z.-]*[0-9A-Za-z])?)?)["']`)

// listed adds each version of a list in brackets.
func (t *text) listed(i int, r ref.Reference) bool {
	r.Context.Listed = true
	first := len(t.found)
	for end := lineEnd(t.data, i); i < end && t.data[i] != ']'; i++ {
		b, before := t.data[i], at(t.data, i-1)
		if (isDigit(b) || b == 'v') && !isWord(before) && before != '.' && t.add(i, r) {
			i = t.found[len(t.found)-1].End - 1
		}
	}
	if len(t.found) == first+1 {
		t.found[first].Context.Listed = false // there is no choice
	}
	return len(t.found) > first
}

// valueBelow adds the default of an input or variable, or the version of a mapping with the
// component's name. A mapping that fetches something else has the version of that.
func (f *Finder) valueBelow(t *text, start, end int, r ref.Reference) bool {
	if k, ok := t.keyAt(lineStart(t.data, start)); ok && k.name != r.Context.Name {
		return false
	}
	m := t.below(start, end)
	for _, key := range []string{"default", "value", "version", "tag"} {
		if value, ok := m[key]; ok && f.fetchedBy(t, r.Component, m, key).Other == "" && t.value(value.Start, r) {
			return true
		}
	}
	return false
}

// versionLike matches a value that begins like a version. Two numbers may be a series.
var versionLike = regexp.MustCompile(`^v?[0-9]+\.[0-9]+\.[0-9A-Za-z][0-9A-Za-z._+-]*`)

// unreadable keeps the value of a declared identifier that begins like a version, and is none.
func (t *text) unreadable(i int, r ref.Reference) {
	declared := t.file.Components[r.Component].Names
	match := versionLike.Find(t.after(i))
	if match == nil || !slices.Contains(declared, r.Context.Name) || bytes.HasSuffix(match, []byte("+")) {
		return
	}
	r.Site, r.Written = t.site(i, i+len(match)), string(match)
	t.unread = append(t.unread, r)
}

// environment adds the value of a container's variable: value: VERSION beside name: KEY.
func (t *text) environment(start, end int, r ref.Reference) {
	m := t.mapping(start, end)
	for _, key := range []string{"value", "default"} {
		if span, ok := m[key]; ok && m.text(t, "name") == r.Context.Name && t.value(span.Start, r) {
			return
		}
	}
}
