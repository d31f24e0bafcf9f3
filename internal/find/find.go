// Package find finds references: places in files that name a version of a declared
// component. Each file of the package finds one form of reference.
//
// A form starts from a word of a component: its location, its repository, one of its
// identifiers, or its name. One pass over a text finds all words, so a file without any
// takes no further time.
package find

import (
	"bytes"
	"cmp"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/kubestellar/actions/internal/delivery"
	"github.com/kubestellar/actions/internal/ref"
)

// Finder finds references to the components of one delivery.yaml. It may be used by
// several goroutines at once.
type Finder struct {
	file     *delivery.File
	needles  []needle
	words    *automaton
	patterns []pattern
	excuses  []excuse
	aliases  []alias
	sources  sources            // of the tree, by alias
	paths    map[string]located // images by their paths without a registry
	entries  []Idle             // the entries of delivery.yaml that must apply to something
}

// needle is a word where a form starts.
type needle struct {
	word                string
	component, artifact string
	chart               string   // for a folder of charts, the chart's name
	files               []string // that it holds for; none for all
	form                form
	entry               int // of an identifier that is declared
}

// form finds a reference that contains a word, which is from start to end.
type form func(f *Finder, t *text, n needle, start, end int)

// New returns a Finder for the components of f. Loading f has checked its patterns.
func New(f *delivery.File) *Finder {
	finder := &Finder{file: withFormer(f), paths: map[string]located{}}
	for _, name := range finder.file.Names() {
		finder.declare(name, finder.file.Components[name])
	}
	finder.needles = append(finder.needles, needle{word: secretKind, form: secret}, needle{word: mark, form: marked})
	words := make([]string, len(finder.needles))
	for i, n := range finder.needles {
		words[i] = string(bytes.Map(func(r rune) rune { return rune(fold(byte(r))) }, []byte(n.word)))
	}
	finder.words = newAutomaton(words)
	finder.compilePatterns()
	finder.compileExcuses()
	finder.aliases = aliasesOf(f)
	return finder
}

// declare adds the words of a component.
func (f *Finder) declare(name string, c delivery.Component) {
	seen := map[string]bool{}
	add := func(kind, word string, n needle) {
		if !seen[kind+word] && word != "" {
			seen[kind+word] = true
			n.word, n.component = word, name
			if n.files == nil {
				n.files = c.Files
			}
			f.needles = append(f.needles, n)
		}
	}
	for _, key := range c.ArtifactNames() {
		a := c.Artifacts[key]
		switch a.Kind {
		case delivery.Module:
			add("module", a.At, needle{artifact: key, form: module})
		case delivery.Image:
			add("location", a.At, needle{artifact: key, form: location})
			add("split "+a.At, shortPath(a.At), needle{artifact: key, form: splitLocation})
			f.claim(located{name, key, a})
		case delivery.Chart:
			add("location", a.At, needle{artifact: key, form: location})
			add("folder "+a.At, path.Dir(a.At), needle{artifact: key, chart: path.Base(a.At), form: chartFolder})
			add("chart", path.Base(a.At), needle{artifact: key, form: chartName})
			add("file", path.Base(a.At), needle{artifact: key, form: fileName})
		}
	}
	add("repository", c.Repository, needle{form: repository})
	add("registry", registryName(c.Repository), needle{form: registered})
	if strings.Contains(name, formerly) {
		return
	}
	words := []string{name}
	if !f.file.IsShared(name) {
		add("prose", c.Repository, needle{form: prose})
		words = append(words, path.Base(c.Repository))
	}
	for _, alias := range words {
		alias = strings.ToLower(alias)
		if generic[alias] && alias != name {
			continue // a word of the field
		}
		add("prose", alias, needle{form: prose})
		add("file", alias, needle{form: fileName})
		add("action", alias, needle{form: action})
	}
	for i, identifier := range c.Names {
		what := fmt.Sprintf("the name %q of %s, which no file has", identifier, name)
		id, files := f.enter(what, "components", name, "names", strconv.Itoa(i)), c.NameFiles[identifier]
		add("name", identifier, needle{files: files, form: identifierDeclared, entry: id})
		add("prose", identifier, needle{files: files, form: proseOfIdentifier})
	}
	for _, identifier := range impliedNames(name, c) {
		add("implied", identifier, needle{form: identifierImplied})
	}
}

// Found is the result of a search.
type Found struct {
	References []ref.Reference
	// Suspects look like references, but have no known form. Written looks like a version.
	Suspects []ref.Reference
	// Idle are the declarations without an effect.
	Idle []Idle
	// Unread are the files that were not searched, although they may be text.
	Unread []Unread

	used    []bool // by entry of delivery.yaml
	sources sources
	asks    []string // aliases of chart repositories that the file does not define
}

// Unread is a file that was not searched.
type Unread struct{ File, Because string }

// Text finds the references in the text of a file, in the order of their places. It
// returns each place once, even if several forms match it.
func (f *Finder) Text(name string, data []byte) []ref.Reference { return f.Look(name, data).References }

// Look finds the references in the text of a file, with suspects and idle marks.
func (f *Finder) Look(name string, data []byte) Found {
	switch {
	case IsBinary(data), isDerived(name, data):
		return Found{}
	case name == delivery.FileName:
		return Found{References: f.declared(f.newText(name, data))}
	}
	t := f.settled(name, data)
	found := Found{References: t.references(), Suspects: t.suspects(), sources: t.sources, asks: t.asks, used: t.used}
	f.excuse(t, &found)
	return found
}

// settled returns a text with the references of all forms in it.
func (f *Finder) settled(name string, data []byte) *text {
	t := f.newText(name, data)
	f.scan(t)
	f.nameCharts(t)
	f.variables(t)
	f.ownChart(t)
	for _, p := range f.patterns {
		p.find(t)
	}
	t.settle()
	return t
}

func (f *Finder) newText(name string, data []byte) *text {
	return &text{file: f.file, name: name, data: data, sources: sources{}, used: make([]bool, len(f.entries))}
}

// declared finds the dependencies in delivery.yaml, which are pinned by digest. The
// rest of the file names no versions in use.
func (f *Finder) declared(t *text) []ref.Reference {
	f.scan(t)
	t.settle()
	return slices.DeleteFunc(t.found, func(r ref.Reference) bool { return r.Lock == nil || r.Syntax != ref.Tag })
}

func (f *Finder) scan(t *text) {
	f.words.scan(t.data, func(id, start, end int) {
		n := f.needles[id]
		if !delivery.CoversAny(n.files, t.name) {
			return
		}
		n.form(f, t, n, start, end)
	})
}

// IsBinary reports whether a file is binary, as git does: it has a zero byte near the
// beginning. Binary files are not searched.
func IsBinary(data []byte) bool {
	const near = 8000
	return bytes.IndexByte(data[:min(near, len(data))], 0) >= 0
}

var (
	lockName   = regexp.MustCompile(`(?:^|[.-])lock(?:\.[a-z]+)?$|^go(?:\.work)?\.sum$`)
	entriesKey = regexp.MustCompile(`(?m)^entries:`) // of the index of a helm repository
	othersTree = regexp.MustCompile(`(?:^|/)(?:vendor|node_modules)/`)
)

// isDerived reports whether a program generates or copies the file. An edit would break
// it, and its references are in other files.
func isDerived(name string, data []byte) bool {
	base := path.Base(name)
	return lockName.MatchString(base) || othersTree.MatchString(name) || base == "index.yaml" && entriesKey.Match(data)
}

// settle sorts the references, and keeps the one with the most weight of those that overlap.
func (t *text) settle() {
	for _, list := range [][]ref.Reference{t.found, t.unread} {
		for i, r := range list {
			list[i] = t.today(r)
		}
	}
	slices.SortStableFunc(t.found, func(a, b ref.Reference) int {
		return cmp.Or(cmp.Compare(a.Start, b.Start), cmp.Compare(weight(b), weight(a)))
	})
	kept := t.found[:0]
	for _, r := range t.found {
		if last := len(kept) - 1; last >= 0 && r.Start < kept[last].End {
			if weight(r) > weight(kept[last]) {
				kept[last] = r
			}
			continue
		}
		kept = append(kept, r)
	}
	t.found = kept
	for i := range t.found {
		t.found[i].Context = t.context(t.found[i])
	}
	t.markLists()
}

// markLists marks the pins of which a line has several of one form, with different versions.
func (t *text) markLists() {
	type form struct {
		line                int
		component, artifact string
		syntax              ref.Syntax
	}
	formOf := func(r ref.Reference) form { return form{r.Line, r.Component, r.Artifact, r.Syntax} }
	first, several := map[form]string{}, map[form]bool{}
	for _, r := range t.found {
		if r.Use || r.Moving || r.Syntax == ref.Matched || r.Syntax == ref.Prose {
			continue
		}
		version := strings.TrimPrefix(r.Plain(), "v")
		if other, ok := first[formOf(r)]; ok && other != version {
			several[formOf(r)] = true
		}
		first[formOf(r)] = version
	}
	for i, r := range t.found {
		if several[formOf(r)] {
			t.found[i].Context.Listed = true
		}
	}
}

// weight orders references by how specific their forms are: declared patterns most,
// prose least, and a pin more than a use.
func weight(r ref.Reference) int {
	w := 10
	switch {
	case r.Syntax == ref.FileName && (r.Context.Page != "" || r.Component == undeclared):
		w = 7 // of an asset at a git tag
	case r.Component == undeclared:
		w = 9
	case r.Syntax == ref.Matched:
		w = 30
	case r.Syntax == ref.Prose:
		w = 1
	case r.Syntax == ref.FileName, r.Syntax == ref.Installer:
		w = 5
	}
	if r.Component == undeclared {
		return w
	}
	if r.Artifact != "" {
		w += 2
	}
	if !r.Use {
		w++
	}
	return w
}

// Pins returns the references with a literal version.
func Pins(found []ref.Reference) []ref.Reference {
	return slices.DeleteFunc(slices.Clone(found), func(r ref.Reference) bool { return r.Use || r.Moving })
}
