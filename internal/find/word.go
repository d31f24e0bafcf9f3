package find

import (
	"bytes"
	"cmp"
	"context"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/kubestellar/actions/internal/delivery"
	"github.com/kubestellar/actions/internal/ref"
)

// Words finds the places that hold one of some versions as a whole word, and are no
// references: only their surroundings, or history, decide of which component they are.
// The references of Files must have been found in the same tree.
func (f *Finder) Words(
	ctx context.Context, fsys fs.FS, names []string, component string, versions []ref.Version,
) ([]ref.Reference, error) {
	all, err := f.search(ctx, fsys, names, func(name string, data []byte) Found {
		return Found{References: f.wordsIn(name, data, component, versions)}
	})
	var words []ref.Reference
	for _, found := range all {
		words = append(words, found.References...)
	}
	return words, err
}

func (f *Finder) wordsIn(name string, data []byte, component string, versions []ref.Version) []ref.Reference {
	holds := func(v ref.Version) bool { return bytes.Contains(data, []byte(v.String())) }
	if name == delivery.FileName || IsBinary(data) || isDerived(name, data) ||
		!f.file.Components[component].Holds(name) || !slices.ContainsFunc(versions, holds) {
		return nil
	}
	t := f.settled(name, data)
	var found Found
	for _, v := range versions {
		for _, place := range t.placesOf(v.String()) {
			r := ref.Reference{
				Site: t.site(place.Start, place.End), Component: component, Syntax: ref.Word,
				Written: string(data[place.Start:place.End]),
			}
			r.Context = t.context(r)
			r.Context.Owner = f.owner(t, r)
			found.References = append(found.References, r)
		}
	}
	slices.SortFunc(found.References, func(a, b ref.Reference) int { return a.Start - b.Start })
	t.encoded = nil
	f.excuse(t, &found)
	return found.References
}

// mostWords is the number of places of a version up to which a file is searched for words.
// A file with more is a record, and would take long.
const mostWords = 1000

// placesOf returns the places that hold a version as a whole word, and are no references.
func (t *text) placesOf(version string) []ref.Span {
	var all []ref.Span
	for from := 0; ; {
		i := bytes.Index(t.data[from:], []byte(version))
		switch {
		case i < 0:
			return all
		case len(all) == mostWords:
			return nil
		}
		start, end := from+i, from+i+len(version)
		from = end
		if at(t.data, start-1) == 'v' {
			start--
		}
		before := at(t.data, start-1)
		whole := before == '_' || !isWord(before) && before != '.' && before != '+'
		if whole && (tagVersionEnd(t.data, start) == end || fileVersionEnd(t.data, start) == end) && !t.claimed(start) {
			all = append(all, ref.Span{Start: start, End: end})
		}
	}
}

// owner returns what the surroundings of a version tell about it.
func (f *Finder) owner(t *text, r ref.Reference) ref.Owner {
	var o ref.Owner
	f.attached(t, r, &o)
	m, key := t.siblings(r)
	if o.Ours == "" && o.Other == "" {
		f.fetched(t, r, m, key, &o)
	}
	if o.Ours == "" && o.Other == "" && m == nil {
		f.installed(t, r, &o)
	}
	o.Near = f.near(t, r, m)
	o.Beside = t.besides(r, m)
	line := bytes.TrimSpace(t.data[lineStart(t.data, r.Start):lineEnd(t.data, r.Start)])
	o.Row = bytes.HasPrefix(line, []byte("|"))
	o.Prose = !o.Row && (r.Context.Document && !t.fenced(r.Line) || r.Context.Comment)
	o.Self = t.isSelf(r.Start)
	return o
}

// selfNames are the files whose key version is their own.
var selfNames = words(`chart.yaml package.json plugin.yaml galaxy.yml cargo.toml pyproject.toml`)

var (
	selfLine = regexp.MustCompile(`^["']?version["']?[ \t]*[:=]`)
	// chartLabel matches the part of a line before the version in a chart's label.
	chartLabel = regexp.MustCompile(`(?:^|[\s{,"'])(?:helm\.sh/)?chart["']?[ \t]*[:=][ \t]*["']?[A-Za-z0-9._-]*$`)
)

// isChartLabel reports whether a version at i is that in the value of a chart's label, NAME-VERSION.
func (t *text) isChartLabel(i int) bool {
	return at(t.data, i-1) == '-' && chartLabel.Match(t.before(i))
}

// isSelf reports whether a place has the version of the file or of a chart itself.
func (t *text) isSelf(i int) bool {
	if t.isChartLabel(i) {
		return true
	}
	s := lineStart(t.data, i)
	line := bytes.TrimSpace(t.data[s:lineEnd(t.data, i)])
	if !selfNames[strings.ToLower(path.Base(t.name))] || !selfLine.Match(line) {
		return false
	}
	above := t.data[:s]
	switch path.Ext(t.name) {
	case ".json":
		return bytes.Count(above, []byte("{"))-bytes.Count(above, []byte("}")) == 1
	case ".toml":
		tables := tableAt.FindAllSubmatch(above, -1)
		return len(tables) > 0 && selfTables[string(tables[len(tables)-1][1])]
	}
	return t.indent(s) == 0
}

// tableAt matches the name of a table in TOML. selfTables are those about the file itself.
var (
	tableAt    = regexp.MustCompile(`(?m)^[ \t]*\[+[ \t]*([^\]\s]+)[ \t]*\]`)
	selfTables = words(`package project workspace.package tool.poetry`)
)

// token returns the word around a version: its location, URL or file name.
func (t *text) token(r ref.Reference) (word, before string) {
	start, end := r.Start, r.End
	for start > 0 && !bytes.ContainsRune([]byte(" \t\r\n\"'`,;()[]{}<>|=\\"), rune(t.data[start-1])) {
		start--
	}
	if query := lineStart(t.data, start); at(t.data, start-1) == '=' {
		link := t.data[query:start]
		if space := bytes.LastIndexAny(link, " \t\"'`("); bytes.ContainsRune(link[space+1:], '?') {
			start = query + space + 1
		}
	}
	for end < len(t.data) && !bytes.ContainsRune([]byte(" \t\r\n\"'`,;()[]{}<>|=\\"), rune(t.data[end])) {
		end++
	}
	return string(t.data[start:end]), string(t.data[start:r.Start])
}

var (
	// gitWords match what may stand before a version in the name of a git tag or branch.
	gitWords = regexp.MustCompile(`^(?:[^A-Za-z]|refs|tags?|heads|releases?|versions?|branch|origin)*$`)
	// moduleWord matches a module's path before its version in a go.mod.
	moduleWord = regexp.MustCompile(`([A-Za-z0-9][A-Za-z0-9.-]*\.[a-z]+/\S*[^\s:=])[ \t]+$`)
)

// attached sets the location, URL, module or file name that a version is attached to.
func (f *Finder) attached(t *text, r ref.Reference, o *ref.Owner) {
	word, before := t.token(r)
	if gitWords.MatchString(before) {
		match := moduleWord.FindSubmatch(t.before(r.Start))
		if match == nil {
			return
		}
		word = string(match[1])
	}
	f.decideOwner(r.Component, word, o)
}

// decideOwner sets whether a text names the component's locations, or something else. A
// name of the component alone is neither. In a path it is a whole name: web-ui is not web.
func (f *Finder) decideOwner(component, text string, o *ref.Owner) {
	names := func(part string) bool {
		return slices.ContainsFunc(f.aliases, func(a alias) bool { return a.component == component && a.word == part })
	}
	isPath := strings.Contains(text, "/")
	switch {
	case f.locates(component, text):
		o.Ours = text
	case isPath && !slices.ContainsFunc(partsOf(text), names), !isPath && !slices.Contains(f.named(text), component):
		o.Other = text
	}
}

// partsOf returns the names in a path.
func partsOf(path string) []string {
	return strings.FieldsFunc(plainName(path), func(r rune) bool { return strings.ContainsRune("/:@?=&#.", r) })
}

// locates reports whether a text contains a location, the repository or a module of a
// component.
func (f *Finder) locates(component, text string) bool {
	c := f.file.Components[component]
	for _, repository := range append([]string{c.Repository}, c.Formerly...) {
		if !f.file.IsShared(component) && containsPath(text, repository, true) {
			return true
		}
	}
	for _, a := range c.Artifacts {
		whole := a.Kind == delivery.Image || a.Kind == delivery.Chart
		short := shortPath(a.At)
		if containsPath(text, a.At, !whole) ||
			a.Kind == delivery.Image && f.isShort(component, short) && containsPath(text, short, false) {
			return true
		}
	}
	return false
}

// containsPath reports whether a text contains a path whose first and last names are whole: acme/web is not in
// acme/web-ui. Another name may follow after a slash only if the path may be longer.
func containsPath(text, path string, longer bool) bool {
	continues := func(i int) bool {
		return isLetterOrDigit(text, i) || 0 <= i && i < len(text) && (text[i] == '-' || text[i] == '_')
	}
	for from := 0; path != ""; {
		i := strings.Index(text[from:], path)
		if i < 0 {
			return false
		}
		start, end := from+i, from+i+len(path)
		isLonger := end+1 < len(text) && text[end] == '/' && isLetterOrDigit(text, end+1)
		if !continues(start-1) && !continues(end) && (longer || !isLonger) {
			return true
		}
		from = start + 1
	}
	return false
}

// fetchKeys are keys for what a mapping fetches, beside the version of it.
var fetchKeys = []string{
	"repository", "image", "repo", "repoURL", "url", "chart", "uses", "source", "src", "git", "remote",
	"github", "module", "importpath", "package", "name",
}

// besideKeys are keys for the version of what a mapping fetches.
var besideKeys = words(`tag newtag imagetag image_tag version chartversion targetrevision ref rev revision branch`)

// fetched sets what the mapping around a version fetches.
func (f *Finder) fetched(t *text, r ref.Reference, m mapping, key string, o *ref.Owner) {
	if image := t.asked(m, key); image != "" {
		f.decideOwner(r.Component, image, o)
		return
	}
	if key == "appVersion" && t.isChartOf(f, r.Component, m) {
		o.Ours = m.text(t, "home")
	}
	if o.Ours == "" {
		*o = f.fetchedBy(t, r.Component, m, key)
	}
}

// fetchedBy returns the owner of the version in a key, by what its mapping fetches.
func (f *Finder) fetchedBy(t *text, component string, m mapping, key string) (o ref.Owner) {
	pairs := m.paired(key)
	if last := strings.ToLower(key[strings.LastIndexByte(key, '.')+1:]); besideKeys[last] {
		pairs = append(pairs, fetchKeys...)
	}
	for _, k := range pairs {
		value := m.text(t, k)
		isName := strings.Contains(value, "/")
		if value == "" || strings.HasPrefix(value, "{{") || !isName && k != "chart" && k != "uses" {
			continue
		}
		if f.decideOwner(component, value, &o); o.Ours != "" || o.Other != "" {
			return o
		}
	}
	if name := m.text(t, "name"); besideKeys[strings.ToLower(key)] && !m.fetches() &&
		slices.Equal(f.called(name), []string{component}) {
		o.Ours = name
	}
	return o
}

// fetches reports whether a mapping has a key for what it fetches, other than a name.
func (m mapping) fetches() bool {
	return slices.ContainsFunc(fetchKeys[:len(fetchKeys)-1], func(key string) bool { return m[key] != ref.Span{} })
}

var (
	// chartWord matches the location of a chart in a command, and repoWord a repository.
	chartWord = regexp.MustCompile(`\boci://[^\s"'\\]+`)
	repoWord  = regexp.MustCompile(`\bgh[ \t][\s\S]*?(?:--repo|-R)(?:=|[ \t]+)["']?([^\s"']+/[^\s"']+)`)
	// tagArgument matches an argument NAME.tag= up to its value.
	tagArgument = regexp.MustCompile(`([A-Za-z0-9_.\\-]+\.)tag=["']?$`)
)

// installed sets what the command around a version names: the chart of --version, the
// repository of gh, or the image of --set NAME.tag.
func (f *Finder) installed(t *text, r ref.Reference, o *ref.Owner) {
	scope := t.command(r.Start, r.End)
	words := t.data[scope.Start:scope.End]
	var named []byte
	if versionOption.Match(t.before(r.Start)) {
		named = chartWord.Find(words)
	} else if match := tagArgument.FindSubmatch(t.before(r.Start)); match != nil {
		image := regexp.QuoteMeta(string(match[1])) + `(?:repository|image)=["']?([^\s"',]+)`
		named = firstGroup(regexp.MustCompile(image), words)
	} else {
		named = firstGroup(repoWord, words)
	}
	if named != nil {
		f.decideOwner(r.Component, string(named), o)
	}
}

// firstGroup returns the first group of the first match in a text, or nil.
func firstGroup(expression *regexp.Regexp, text []byte) []byte {
	if match := expression.FindSubmatch(text); match != nil {
		return match[1]
	}
	return nil
}

// versionOption matches the part of a line before the value of --version.
var versionOption = regexp.MustCompile(`--version(?:=|[ \t]+)["']?$`)

// isChartOf reports whether the home page in the mapping of a Chart.yaml is the repository of a component: its
// appVersion is that of the component.
func (t *text) isChartOf(f *Finder, component string, m mapping) bool {
	home, isHub := strings.CutPrefix(m.text(t, "home"), "https://github.com/")
	return isHub && path.Base(t.name) == "Chart.yaml" &&
		containsPath(home, f.file.Components[component].Repository, false)
}

// askedTag matches the name of a chart's value that is an image's tag, in the
// questions.yaml of Rancher: https://ranchermanager.docs.rancher.com
var askedTag = regexp.MustCompile(`^(.+\.)?tag$`)

// asked returns the default of the image whose tag a question of a questions.yaml sets.
func (t *text) asked(m mapping, key string) string {
	match := askedTag.FindStringSubmatch(m.text(t, "variable"))
	if key != "default" || match == nil {
		return ""
	}
	question := regexp.MustCompile(`variable:[ \t]*["']?` + regexp.QuoteMeta(match[1]) + `repository\b`)
	at := question.FindIndex(t.data)
	if at == nil {
		return ""
	}
	other, s := mapping{}, lineStart(t.data, at[0])
	if k, ok := t.keyAt(s); ok {
		other = t.block(k, s)
	}
	return other.text(t, "default")
}

// siblings returns the mapping whose key has the version, and that key.
func (t *text) siblings(r ref.Reference) (mapping, string) {
	s := lineStart(t.data, r.Start)
	k, ok := t.keyAt(s)
	if m := t.enclosed(r.Start, r.End); m != nil && !nests[k.name] {
		return m, m.keyAt(r.Start)
	}
	if !ok {
		return nil, ""
	}
	if parent, ok := t.above(s, t.indent(s)); ok { // the ref of a source is that of its url
		if above, _ := t.keyAt(parent); nests[above.name] {
			return t.block(above, parent), above.name + "." + k.name
		}
	}
	m := t.block(k, s)
	return m, cmp.Or(m.keyAt(r.Start), k.name)
}

// besides returns the offsets of the component's references of the same version in the
// line of a version, in the lines next to it, in its command, and in its mapping. A key of
// another mapping is not next to it.
func (t *text) besides(r ref.Reference, m mapping) []int {
	spans := make([]ref.Span, 0, len(m)+1)
	start, end := t.joined(r.Start, r.End)
	if above := lineStart(t.data, max(0, start-1)); start > 0 && !t.parts(above, start) {
		start = above
	}
	if below := min(end+1, len(t.data)); !t.parts(lineStart(t.data, end), below) {
		end = lineEnd(t.data, below)
	}
	spans = append(spans, ref.Span{Start: start, End: end})
	for _, value := range m {
		spans = append(spans, ref.Span{Start: value.Start, End: lineEnd(t.data, value.Start)})
	}
	bare := func(r ref.Reference) string { return strings.TrimPrefix(r.Plain(), "v") }
	var all []int
	isNamed := oneName.Match(t.before(r.Start))
	for _, other := range t.found {
		if isNamed && other.Context.Name != "" && oneName.Match(t.before(other.Start)) {
			continue // each has a name of its own
		}
		in := func(s ref.Span) bool { return s.Start <= other.Start && other.End <= s.End }
		if other.Component == r.Component && bare(other) == bare(r) && slices.ContainsFunc(spans, in) {
			all = append(all, other.Start)
		}
	}
	return all
}

// oneName matches the part of a line before the version of a name: `NAME: `, `"NAME" = `.
var oneName = regexp.MustCompile(`^[ \t]*(?:-[ \t]+)?["']?[A-Za-z0-9_./@:-]+["']?[ \t]*[:?]?[:=]?[ \t]*["']?$`)

// parts reports whether two lines, one above the other, have keys of different mappings.
func (t *text) parts(above, below int) bool {
	a, ok := t.keyAt(above)
	b, too := t.keyAt(below)
	return ok && too && (b.first || a.column != b.column)
}

// parents is the number of levels above a key whose names count as near.
const parents = 3

// near returns the components that the line of a version, its mapping and the keys above
// it name.
func (f *Finder) near(t *text, r ref.Reference, m mapping) []string {
	s := lineStart(t.data, r.Start)
	text := string(t.data[s:lineEnd(t.data, r.Start)])
	for key := range m {
		text += "\n" + key + " " + m.text(t, key)
	}
	column := t.indent(s)
	for range parents {
		above, ok := t.above(s, column)
		if !ok {
			break
		}
		text += "\n" + string(t.data[above:lineEnd(t.data, above)])
		s, column = above, t.indent(above)
	}
	return slices.DeleteFunc(f.named(text), func(c string) bool { return !f.file.Components[c].Holds(t.name) })
}

// above returns the offset of the line of the key above a column.
func (t *text) above(s, column int) (int, bool) {
	for range most {
		if s == 0 || column == 0 {
			return 0, false
		}
		s = lineStart(t.data, s-1)
		if k, ok := t.keyAt(s); ok && t.indent(s) < column && !t.passedOver(s) && k.column < column {
			return s, true
		}
	}
	return 0, false
}

// fenced reports whether a line of a document is inside a code block.
func (t *text) fenced(line int) bool {
	return slices.ContainsFunc(t.fences, func(f fence) bool { return f.first <= line && line <= f.last })
}
