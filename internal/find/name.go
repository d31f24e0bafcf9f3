package find

import (
	"regexp"

	"github.com/kubestellar/actions/internal/delivery"
	"github.com/kubestellar/actions/internal/ref"
)

// names finds values of the identifiers that a component declares, in YAML,
// shell, Make and the like: KEY: "1.2.3", KEY=1.2.3, KEY ?= 1.2.3.
type names struct{ identifiers []identifier }

type identifier struct{ component, name string }

func newNames(f *delivery.File) names {
	var n names
	for _, component := range f.Names() {
		for _, name := range f.Components[component].Names {
			n.identifiers = append(n.identifiers, identifier{component, name})
		}
	}
	return n
}

// What may stand between an identifier and its value.
var assignAt = regexp.MustCompile(`^["']?[ \t]*(?::=|\?=|\+=|=|:)[ \t]*["']?`)

func (n names) find(t *text) []ref.Reference {
	var found []ref.Reference
	for _, id := range n.identifiers {
		occurrences(t.data, id.name, isWord, isWord, func(_, end int) {
			assign := assignAt.FindIndex(t.data[end:])
			if assign == nil {
				return
			}
			if r, ok := referenceAt(t, end+assign[1], ref.Reference{Component: id.component, Syntax: "value"}); ok {
				found = append(found, r)
			}
		})
	}
	return found
}
