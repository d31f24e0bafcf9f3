package find

import (
	"path"
	"slices"
	"strings"

	"github.com/kubestellar/actions/internal/delivery"
)

// alias is a name of a component in the text around a version.
type alias struct{ word, component string }

// generic are names that many things have. They identify no component.
var generic = words(`action actions api app charts chart cli common controller core docs helm-charts image images
	kind main manager manifests module operator release releases server test tests tool tools web`)

// aliasesOf returns the names of all components: their keys, repositories, charts and
// declared identifiers.
func aliasesOf(f *delivery.File) []alias {
	var all []alias
	for _, name := range f.Names() {
		c := f.Components[name]
		words := append([]string{name}, c.Names...)
		if !f.IsShared(name) {
			words = append(words, path.Base(c.Repository))
		}
		for _, key := range c.OfKind(delivery.Chart) {
			words = append(words, path.Base(c.Artifacts[key].At))
		}
		for _, word := range words {
			word = plainName(word)
			if a := (alias{word, name}); word != "" && (!generic[word] || word == name) && !slices.Contains(all, a) {
				all = append(all, a)
			}
		}
	}
	return all
}

// plainName returns a name in lower case, with dashes for underscores.
func plainName(name string) string { return strings.ReplaceAll(strings.ToLower(name), "_", "-") }

// named returns the components that a text names, sorted.
func (f *Finder) named(text string) []string {
	text = plainName(text)
	joined := strings.ReplaceAll(text, "-", "")
	var all []string
	for _, a := range f.aliases {
		short := strings.ReplaceAll(a.word, "-", "")
		if containsWord(text, a.word) || short != a.word && containsWord(joined, short) {
			all = append(all, a.component)
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// containsWord reports whether a text contains a word that no letter or digit continues.
func containsWord(text, word string) bool {
	for from := 0; ; {
		i := strings.Index(text[from:], word)
		if i < 0 {
			return false
		}
		start, end := from+i, from+i+len(word)
		if !isLetterOrDigit(text, start-1) && !isLetterOrDigit(text, end) {
			return true
		}
		from = start + 1
	}
}

func isLetterOrDigit(text string, i int) bool {
	return 0 <= i && i < len(text) && isWord(text[i]) && text[i] != '_'
}
