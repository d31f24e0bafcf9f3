package find

import (
	"bytes"
	"regexp"

	"github.com/kubestellar/actions/internal/delivery"
	"github.com/kubestellar/actions/internal/ref"
)

// links finds the places that name a component by its repository: links to a
// tag, to a file at a tag or to a release, and `uses:` of actions.
type links struct{ repositories []repository }

type repository struct{ component, name string }

func newLinks(f *delivery.File) links {
	var l links
	for _, component := range f.Names() {
		l.repositories = append(l.repositories, repository{component, f.Components[component].Repository})
	}
	return l
}

// What stands between a repository's name and the git tag in a link to it.
var linkAt = regexp.MustCompile(`^(?:\.git)?/(?:(?:blob|tree|raw|archive|releases/download|releases/tag)/)?(?:refs/tags/)?`)

// What stands between a repository's name and the version of an action in it.
var usesAt = regexp.MustCompile(`^(?:/[A-Za-z0-9._/-]+)?@`)

func (l links) find(t *text) []ref.Reference {
	var found []ref.Reference
	for _, repo := range l.repositories {
		occurrences(t.data, repo.name, startsInside, isWord, func(start, end int) {
			for syntax, after := range map[string]*regexp.Regexp{"link": linkAt, "uses": usesAt} {
				if syntax == "link" && !followsHost(t.data[:start]) {
					continue
				}
				match := after.FindIndex(t.data[end:])
				if match == nil {
					continue
				}
				if r, ok := referenceAt(t, end+match[1], ref.Reference{Component: repo.component, Syntax: syntax}); ok {
					found = append(found, r)
				}
			}
		})
	}
	return found
}

// followsHost tells whether what stands before a repository's name is a host
// that serves repositories.
func followsHost(before []byte) bool {
	return bytes.HasSuffix(before, []byte("github.com/")) || bytes.HasSuffix(before, []byte("raw.githubusercontent.com/"))
}
