package plan

import (
	"maps"
	"slices"
	"strings"

	"github.com/kubestellar/actions/internal/decide"
	"github.com/kubestellar/actions/internal/delivery"
	"github.com/kubestellar/actions/internal/ref"
)

// declared is what was seen of a repository that has a delivery.yaml.
type declared struct {
	name string
	file *delivery.File
	pins []ref.Reference // all of its tree
}

// releases are the versions that repositories have released, by their names
// as folded: GitHub takes upper and lower case for the same.
type releases map[string][]ref.Version

func fold(repository string) string { return strings.ToLower(repository) }

// assemble puts together what was seen, one by one, into what refers to what.
func assemble(all []declared, released releases) []Repository {
	names := map[string]string{} // as the repositories themselves are called
	for _, d := range all {
		names[fold(d.name)] = d.name
	}
	known := map[string]Repository{}
	for _, d := range all {
		for _, component := range d.file.Names() {
			upstream := d.file.Components[component].Repository
			if names[fold(upstream)] == "" {
				names[fold(upstream)] = upstream
				known[upstream] = Repository{Name: upstream, Component: component, Newest: ref.Newest(released[fold(upstream)])}
			}
		}
	}
	for _, d := range all {
		known[d.name] = d.repository(names, released)
	}
	return slices.SortedFunc(maps.Values(known), func(a, b Repository) int { return strings.Compare(a.Name, b.Name) })
}

// repository is one, with what it refers to.
func (d declared) repository(names map[string]string, released releases) Repository {
	r := Repository{Name: d.name, Component: d.file.Self, Declares: true, Newest: ref.Newest(released[fold(d.name)])}
	for _, component := range d.file.Names() {
		to := names[fold(d.file.Components[component].Repository)]
		switch {
		case !d.file.IsOwn(component):
			if a := d.arrow(component, released[fold(to)]); len(a.Sites) > 0 || a.Left > 0 {
				a.To = to
				r.Arrows = append(r.Arrows, a)
			}
		case to != d.name && !slices.Contains(r.After, to):
			r.After = append(r.After, to)
		}
	}
	return r
}

// arrow is what a bump would do now, and what one would do if the component
// were released once more: those are the places that follow it.
func (d declared) arrow(component string, versions []ref.Version) Arrow {
	a := Arrow{Component: component, Newest: ref.Newest(versions)}
	if a.Newest.IsZero() {
		return a
	}
	follows, _ := decide.Bump(d.file, d.pins, decide.Move{Component: component, Version: a.Newest.Next()})
	for _, e := range follows {
		a.Sites = append(a.Sites, e.Site.String())
	}
	a.Written = written(follows)
	var left []decide.Left
	moved := map[ref.Site]bool{}
	for i, v := range candidates(versions) {
		edits, stay := decide.Bump(d.file, d.pins, decide.Move{Component: component, Version: v})
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

// candidates are the versions to bump to: the newest and, where that is a
// prerelease, which not all places take, the newest regular release.
func candidates(versions []ref.Version) []ref.Version {
	newest := ref.Newest(versions)
	regular := ref.Newest(slices.DeleteFunc(slices.Clone(versions), func(v ref.Version) bool { return v.Prerelease() != "" }))
	if regular.IsZero() || newest.Compare(regular) == 0 {
		return []ref.Version{newest}
	}
	return []ref.Version{newest, regular}
}

func isBehind(r ref.Reference, v ref.Version) bool {
	at, err := r.Version()
	return err == nil && at.Compare(v) < 0
}

// written are the versions that places hold, each once, the oldest first.
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
