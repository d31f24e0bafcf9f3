package plan

import (
	"maps"
	"slices"
	"strings"

	"github.com/kubestellar/actions/internal/decide"
	"github.com/kubestellar/actions/internal/delivery"
	"github.com/kubestellar/actions/internal/git"
	"github.com/kubestellar/actions/internal/ref"
)

// declared is a repository that has a delivery.yaml.
type declared struct {
	name string
	file *delivery.File
	pins []ref.Reference // of the whole tree
}

// releases are the git tags, by the folded name of the repository. GitHub does not
// distinguish upper and lower case.
type releases map[string]git.Survey

// of returns the released versions of a component.
func (r releases) of(c delivery.Component) []ref.Version {
	return r[fold(c.Repository)].Versions(c.Tagged)
}

func fold(repository string) string { return strings.ToLower(repository) }

// assemble turns the declarations into repositories with arrows.
func assemble(all []declared, released releases) []Repository {
	names := map[string]string{} // the repositories' own spelling, by folded name
	for _, d := range all {
		names[fold(d.name)] = d.name
	}
	known := map[string]Repository{}
	for _, d := range all {
		for _, component := range d.file.Names() {
			c := d.file.Components[component]
			upstream := c.Repository
			if names[fold(upstream)] == "" {
				names[fold(upstream)] = upstream
				known[upstream] = Repository{
					Name: upstream, Component: component, Newest: ref.Newest(released.of(c)),
				}
			}
		}
	}
	for _, d := range all {
		known[d.name] = d.repository(names, released)
	}
	return slices.SortedFunc(maps.Values(known), func(a, b Repository) int {
		return strings.Compare(a.Name, b.Name)
	})
}

// repository returns the repository with its arrows.
func (d declared) repository(names map[string]string, released releases) Repository {
	r := Repository{
		Name: d.name, Component: strings.Join(d.file.Selves, ", "), Declares: true,
		Newest: ref.Newest(released.of(d.file.Own())),
	}
	for _, component := range d.file.Names() {
		c := d.file.Components[component]
		to := names[fold(c.Repository)]
		switch {
		case !d.file.IsOwn(component):
			if a := d.arrow(component, released.of(c)); len(a.Sites) > 0 || a.Left > 0 {
				a.To = to
				r.Arrows = append(r.Arrows, a)
			}
		case to != d.name && !slices.Contains(r.After, to):
			r.After = append(r.After, to)
		}
	}
	return r
}

// arrow returns the bumps that could be made now. Its sites are the places that would
// move if the component were released once more.
func (d declared) arrow(component string, versions []ref.Version) Arrow {
	a := Arrow{Component: component, Newest: ref.Newest(versions)}
	if a.Newest.IsZero() {
		return a
	}
	evidence := decide.Evidence{Pins: d.pins}
	follows, _ := decide.Bump(d.file, evidence, decide.Move{Component: component, Version: a.Newest.Next()})
	for _, e := range follows {
		a.Sites = append(a.Sites, e.Site.String())
	}
	a.Written = written(follows)
	var left []decide.Left
	moved := map[ref.Site]bool{}
	for i, v := range candidates(versions) {
		edits, stay := decide.Bump(d.file, evidence, decide.Move{Component: component, Version: v})
		edits = slices.DeleteFunc(edits, func(e decide.Edit) bool { return moved[e.Site] || !isBehind(e.Reference, v) })
		for _, e := range edits {
			moved[e.Site] = true
		}
		if len(edits) > 0 {
			a.Bumps = append(a.Bumps, Bump{v, len(edits), written(edits)})
		}
		if i == 0 {
			left = stay
		}
		left = slices.DeleteFunc(left, func(l decide.Left) bool { return moved[l.Site] || !isBehind(l.Reference, v) })
	}
	a.Left = len(left)
	return a
}

// candidates returns the versions to bump to: the newest one, and if it is a
// prerelease also the newest regular one, for places that take no prerelease.
func candidates(versions []ref.Version) []ref.Version {
	newest := ref.Newest(versions)
	regular := ref.Newest(slices.DeleteFunc(slices.Clone(versions), func(v ref.Version) bool {
		return v.Prerelease() != ""
	}))
	if regular.IsZero() || newest.Compare(regular) == 0 {
		return []ref.Version{newest}
	}
	return []ref.Version{newest, regular}
}

func isBehind(r ref.Reference, v ref.Version) bool {
	at, err := r.Version()
	return err == nil && at.Compare(v) < 0
}

// written returns the current versions of the places, each once, the oldest first.
func written(edits []decide.Edit) []string {
	var versions []ref.Version
	for _, e := range edits {
		if v, err := e.Version(); err == nil {
			versions = append(versions, v)
		}
	}
	slices.SortFunc(versions, ref.Version.Compare)
	var texts []string
	for _, v := range versions {
		texts = append(texts, v.String())
	}
	return slices.Compact(texts)
}
