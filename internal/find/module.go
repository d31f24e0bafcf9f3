package find

import (
	"path"
	"regexp"
	"sort"
	"strings"

	"github.com/kubestellar/actions/internal/delivery"
	"github.com/kubestellar/actions/internal/ref"
)

// module finds a Go module by its path: in go.mod, and as path@VERSION.
func module(_ *Finder, t *text, n needle, start, end int) {
	if !t.is(n.word, start, end) || !t.starts(start) || at(t.data, start-1) == '/' {
		return // it is part of a URL
	}
	r := ref.Reference{Component: n.component, Artifact: n.artifact, Syntax: ref.GoModule}
	if match := subpathAt.FindIndex(t.after(end)); match != nil {
		folder := string(t.data[end : end+match[1]-1])
		switch at, isHub := strings.CutPrefix(n.word, "github.com/"+t.file.Components[n.component].Repository); {
		case t.isLongerModule(n.word, n.word+folder):
			return
		case isHub:
			r.Component = t.ofFolder(n.component, at+folder)
		}
		t.add(end+match[1], r)
		return
	}
	if !t.moduleVersion(end, r) && !isGoMod(t.name) {
		t.beside(start, end, r, []string{"version"})
	}
}

// isLongerModule reports whether a module below another one has a package.
func (t *text) isLongerModule(module, pkg string) bool {
	for _, c := range t.file.Components {
		for _, a := range c.Artifacts {
			longer := a.Kind == delivery.Module && strings.HasPrefix(a.At, module+"/")
			if longer && strings.HasPrefix(pkg+"/", a.At+"/") {
				return true
			}
		}
	}
	return false
}

var (
	majorAt   = regexp.MustCompile(`^(?:/v[0-9]+)?[ \t]+`)
	goVersion = regexp.MustCompile(`^v[0-9]`)
)

// moduleVersion adds the version after the path of a module. It always has a "v". A line
// of a go.mod may exclude it.
func (t *text) moduleVersion(i int, r ref.Reference) bool {
	version := t.skip(majorAt, i)
	if version == i || !goVersion.Match(t.after(version)) || isGoMod(t.name) && t.excludes(i) {
		return false
	}
	r.Syntax = ref.GoModule
	r.Context.Module = t.modulePath(version)
	return t.add(version, r)
}

// majorOf matches the path of a module up to its major.
var majorOf = regexp.MustCompile(`^.*/v[0-9]+(?:/|$)|^gopkg\.in/.*\.v[0-9]+`)

// modulePath returns the path before the version of a module, up to its major. Outside of
// a go.mod, a path without a major is unknown: it may be that of a command.
func (t *text) modulePath(version int) string {
	isOutside := func(r rune) bool { return strings.ContainsRune(" \t\"'`(@=", r) }
	words := strings.FieldsFunc(string(t.before(version)), isOutside)
	if len(words) == 0 {
		return ""
	}
	last := words[len(words)-1]
	if major := majorOf.FindString(last); major != "" {
		return strings.TrimSuffix(major, "/")
	}
	if isGoMod(t.name) {
		return last
	}
	return ""
}

func isGoMod(name string) bool { return path.Base(name) == "go.mod" }

// unusedIn matches comments and directives of a go.mod about versions that are not used:
// https://go.dev/ref/mod#go-mod-file-exclude
var unusedIn = regexp.MustCompile(`(?m)^[ \t]*(?:exclude|retract)[ \t]*(?:\([^)]*\)?|.*)|//.*`)

// excludes reports whether a place in a go.mod is about a version that is not used.
func (t *text) excludes(i int) bool {
	t.survey()
	next := sort.Search(len(t.unused), func(k int) bool { return t.unused[k][0] > i })
	return next > 0 && i < t.unused[next-1][1]
}
