package delivery

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/kubestellar/actions/internal/ref"
)

// versionMark is replaced by the version in the form of a tag.
const versionMark = "{version}"

// TagForm returns the form of the component's git tags, such as v{version}.
func (c Component) TagForm() string { return cmp.Or(c.Tag, "v"+versionMark) }

// GitTag returns the git tag of a version.
func (c Component) GitTag(v ref.Version) string {
	return strings.ReplaceAll(c.TagForm(), versionMark, v.String())
}

// Tagged returns the version of a git tag. It reports whether the tag is one of the component.
func (c Component) Tagged(tag string) (ref.Version, bool) {
	text, ok := strings.CutPrefix(tag, strings.TrimSuffix(c.TagForm(), versionMark))
	if !ok || strings.HasPrefix(text, "v") {
		return ref.Version{}, false
	}
	v, err := ref.ParseVersion(text)
	return v, err == nil
}

// TagPrefix returns the part of a git tag before the version, without the version's own "v". It reports whether the
// version has a "v".
func (c Component) TagPrefix() (prefix string, hasV bool) {
	prefix = strings.TrimSuffix(c.TagForm(), versionMark)
	before, hasV := strings.CutSuffix(prefix, "v")
	if hasV && (before == "" || strings.ContainsRune("/-_@.+", rune(before[len(before)-1]))) {
		return before, true
	}
	return prefix, false
}

// Sharing returns the other components that are released from the repository of one,
// sorted. It omits those that are in other files.
func (f *File) Sharing(component string) []string {
	var all []string
	for name := range f.Components {
		if name != component && f.sameRepository(name, component) {
			all = append(all, name)
		}
	}
	slices.Sort(all)
	return all
}

// IsShared reports whether another component is released from the same repository.
func (f *File) IsShared(component string) bool { return len(f.Sharing(component)) > 0 }

// sameRepository reports whether two components have one repository, and no files to tell them apart.
func (f *File) sameRepository(a, b string) bool {
	one, other := f.Components[a], f.Components[b]
	return strings.EqualFold(one.Repository, other.Repository) && (len(one.Files) == 0 || len(other.Files) == 0)
}

// isFound reports whether a component has references of its own, beside those to its repository.
func (c Component) isFound() bool { return len(c.Artifacts)+len(c.Names)+len(c.Patterns) > 0 }

// sharedTags returns the components that have the git tags of another one, unless one has artifacts, names or
// patterns that tell them apart.
func (d document) sharedTags(f *File, components *yaml.Node) []error {
	var errs []error
	for i, name := range f.Names() {
		c := f.Components[name]
		for _, other := range f.Names()[:i] {
			o := f.Components[other]
			same := f.sameRepository(name, other) && c.TagForm() == o.TagForm()
			if !same || c.isFound() || o.isFound() {
				continue
			}
			at := child(child(components, other), "repository")
			errs = append(errs, d.problem(child(child(components, name), "repository"),
				"%s has the git tags %q of %s, and so has %s on line %d: write the tag of each, such as %s, "+
					"or make them one component", name, c.TagForm(), c.Repository, other, at.Line,
				fmt.Sprintf("tag: %s/v%s", name, versionMark)))
		}
	}
	return errs
}
