package delivery

import (
	"path"
	"slices"
	"strings"

	"github.com/kubestellar/actions/internal/ref"
)

// As returns the file for the release of one of the repository's own components. There, the others are like components
// of other repositories.
func (f *File) As(component string) *File {
	view := *f
	view.Self, view.Selves, view.whole = component, []string{component}, f.Whole()
	return &view
}

// Whole returns the file with all of the repository's own components.
func (f *File) Whole() *File {
	if f.whole != nil {
		return f.whole
	}
	return f
}

// OwnOf returns the own component that has the version of a component: itself, or the one that it is in lock step with.
// It returns "" for a component of another repository.
func (f *File) OwnOf(component string) string {
	for _, name := range []string{component, f.Components[component].Lockstep} {
		if slices.Contains(f.Selves, name) {
			return name
		}
	}
	return ""
}

// IsOwn reports whether references to the component are placeholders in git: it is one of the repository's own, or in
// lock step with one.
func (f *File) IsOwn(component string) bool { return f.OwnOf(component) != "" }

// Released returns the own component and the version of a git tag.
func (f *File) Released(tag string) (component string, v ref.Version, ok bool) {
	for _, name := range f.Selves {
		if v, ok := f.Components[name].Tagged(tag); ok {
			return name, v, true
		}
	}
	return "", v, false
}

// Stamps returns the own component whose release stamps a file, and the artifact whose source has the file.
func (f *File) Stamps(file string) (component, artifact string) {
	for _, component := range f.Selves {
		c := f.Components[component]
		for _, name := range c.ArtifactNames() {
			if isIn(file, c.Artifacts[name].Source) {
				return component, name
			}
		}
	}
	return "", ""
}

// isIn reports whether a file is a source, or in the folder that is one.
func isIn(file, source string) bool {
	folder := path.Clean(source)
	return source != "" && (file == folder || strings.HasPrefix(file, folder+"/"))
}

// selfContradictions returns the own components that are not declared, that are of another repository than the first
// one, or that a release cannot tell apart.
func (d document) selfContradictions(f *File) []error {
	var errs []error
	for i, name := range f.Selves {
		c, declared := f.Components[name]
		wrong := func(format string, args ...any) {
			errs = append(errs, d.problem(child(d.root, "self"), "self: "+format, args...))
		}
		if !declared {
			wrong("component %q is not declared under components", name)
		}
		for _, other := range f.Selves[:i] {
			o := f.Components[other]
			folder, images := path.Clean(c.Folder), len(c.OfKind(Image)) > 0 && len(o.OfKind(Image)) > 0
			switch shared := sharedSource(c, o); {
			case name == other:
				wrong("component %q occurs twice", name)
			case !declared || o.Repository == "":
			case !strings.EqualFold(c.Repository, o.Repository):
				wrong("%s is released from %s, and %s from %s: want one repository",
					other, o.Repository, name, c.Repository)
			case c.TagForm() == o.TagForm():
				wrong("%s and %s have the git tags %s: write the tag of each, such as tag: %s/v%s",
					other, name, c.TagForm(), name, versionMark)
			case shared != "":
				wrong("%s and %s have the source %s: want each source in one of them", other, name, shared)
			case images && folder == path.Clean(o.Folder):
				wrong("%s and %s have images, which goreleaser builds in one folder: "+
					"write the folder with .goreleaser.yaml of each, such as folder: %s", other, name, name)
			}
		}
	}
	return errs
}

// sharedSource returns a source of one component that the other one has, or that is in one of the other's.
func sharedSource(a, b Component) string {
	for _, one := range a.Artifacts {
		for _, other := range b.Artifacts {
			if one.Source == "" || other.Source == "" {
				continue
			}
			if isIn(path.Clean(one.Source), other.Source) || isIn(path.Clean(other.Source), one.Source) {
				return one.Source
			}
		}
	}
	return ""
}
