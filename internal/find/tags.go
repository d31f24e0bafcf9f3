package find

import (
	"path"
	"slices"
	"strings"

	"github.com/kubestellar/actions/internal/delivery"
	"github.com/kubestellar/actions/internal/ref"
)

// undeclared is the component of a place with a git tag that no component declares. Such a
// place is not a reference, a suspect or a word.
const undeclared = ""

// owned returns a reference to a git tag. Its component is undeclared if the tag has not the
// form of the component's tags.
func (t *text) owned(r ref.Reference) ref.Reference {
	if r.Artifact != "" || r.Component == undeclared || r.Moving || !r.Syntax.NamesGitTag() && r.Syntax != ref.Key {
		return r
	}
	c := t.file.Components[r.Component]
	prefix, _ := c.TagPrefix()
	written, shared := r.Context.Prefix, t.file.IsShared(r.Component)
	switch {
	case written == prefix:
		return t.ofAsset(r)
	case !shared && (t.isRelease(written) || written == "" && r.Syntax == ref.Key):
	case !shared && c.Tag == "":
		if name, _, _ := strings.Cut(r.Component, formerly); !namesPrefix(name, c, written) {
			r.Context.Doubt = "has a git tag of another form than " + c.TagForm() + ": declare tag for " + name
		}
	default:
		if written == "" {
			t.unlike = append(t.unlike, r)
		}
		r.Component = undeclared
	}
	return r
}

// isRelease reports whether a prefix is that of a release branch.
func (t *text) isRelease(prefix string) bool {
	return slices.ContainsFunc(t.file.ReleaseBranches(), func(pattern string) bool {
		before, _, _ := strings.Cut(pattern, "*")
		return before == prefix
	})
}

// namesPrefix reports whether the prefix of a tag is a name of the component.
func namesPrefix(name string, c delivery.Component, prefix string) bool {
	names := append(strings.Split(c.Repository, "/"), name)
	for key, a := range c.Artifacts {
		names = append(names, key, path.Base(a.At))
	}
	word := plainName(strings.Trim(prefix, "-/"))
	return slices.ContainsFunc(names, func(n string) bool { return plainName(n) == word })
}

// ofAsset returns a reference to a tag that several components have as one of the component
// that declares the asset. Without such an asset, the component is in doubt.
func (t *text) ofAsset(r ref.Reference) ref.Reference {
	form := t.file.Components[r.Component].TagForm()
	var others []string
	for _, name := range t.file.Sharing(r.Component) {
		if t.file.Components[name].TagForm() == form {
			others = append(others, name)
		}
	}
	isOf := func(name string) bool { return t.hasAsset(name, r) }
	switch {
	case len(others) == 0 || isOf(r.Component):
	case slices.ContainsFunc(others, isOf):
		r.Component = undeclared
	default:
		r.Context.Doubt = "has a git tag that may be of " + strings.Join(others, ", ") + " as well"
	}
	return r
}

// hasAsset reports whether a reference names an asset of a component.
func (t *text) hasAsset(component string, r ref.Reference) bool {
	version, err := r.Version()
	for _, a := range t.file.Components[component].Artifacts {
		if r.Syntax == ref.Download && err == nil && a.Kind == delivery.Asset && a.AssetName(version) == r.Path {
			return true
		}
	}
	return false
}

// ofFolder returns the component if a Go package in a folder of its repository has its git
// tags, and undeclared otherwise: https://go.dev/ref/mod#vcs-version
func (t *text) ofFolder(component, folder string) string {
	depth := func(name string) int {
		prefix, _ := t.file.Components[name].TagPrefix()
		if prefix != "" && !strings.HasPrefix(strings.Trim(folder, "/")+"/", prefix) {
			return -1
		}
		return len(prefix)
	}
	mine := depth(component)
	deeper := func(other string) bool { return depth(other) > mine }
	if t.file.Components[component].Tag != "" && mine < 0 || slices.ContainsFunc(t.file.Sharing(component), deeper) {
		return undeclared
	}
	return component
}

// ofURL returns the component that the version in a URL names. A URL without a version names
// no component if several have its repository.
func (t *text) ofURL(url ref.Span, component string) string {
	for _, r := range slices.Backward(t.found) {
		if url.Start <= r.Start && r.End <= url.End {
			return r.Component
		}
	}
	if t.file.IsShared(component) {
		return undeclared
	}
	return component
}

// references returns the places of declared components.
func (t *text) references() []ref.Reference {
	return slices.DeleteFunc(slices.Clone(t.found), func(r ref.Reference) bool { return r.Component == undeclared })
}
