// Package plan looks over many repositories at once: what is behind
// what, which release unblocks which bump, and in what order. What decides
// (cycle.go, sequence.go) is pure; survey.go asks the world.
package plan

import (
	"cmp"
	"maps"
	"slices"

	"github.com/kubestellar/actions/internal/ref"
)

// Repository is one that has a delivery.yaml, or that one refers to.
type Repository struct {
	Name      string // owner/name
	Component string // that it releases
	Declares  bool   // it has a delivery.yaml; else it has no arrows
	Newest    ref.Version
	Arrows    []Arrow
	// After are the repositories of the components in lock step with its own:
	// each is released before it, at the same version.
	After []string
}

// Arrow leads from a repository to a component of another one: the places
// there that follow the component's releases.
type Arrow struct {
	Component string   // as the repository's delivery.yaml calls it
	To        string   // the repository that releases it
	Sites     []string // the places that follow, file:line:column
	Written   []string // the versions that they hold, each once
	Newest    ref.Version
	Bumps     []Bump // none where nothing is behind
	Left      int    // places that are behind and stay so on purpose
}

// Bump is what ghhelper bump would do now.
type Bump struct {
	Version ref.Version
	Places  int
	From    []string // the versions that they hold, each once
}

func (a Arrow) behind() bool { return len(a.Bumps) > 0 }

// link is all that leads from one repository to another.
type link struct {
	from, to string
	places   int
	behind   bool
}

// graph is the repositories by name, and the links between them.
type graph struct {
	repositories map[string]Repository
	links        []link // by from, then to
	lead         map[string]string
}

func newGraph(all []Repository) *graph {
	g := &graph{repositories: map[string]Repository{}, lead: map[string]string{}}
	for _, r := range all {
		g.repositories[r.Name] = r
		g.lead[r.Name] = r.Name
	}
	for _, r := range all {
		for _, other := range r.After {
			g.join(r.Name, other)
		}
	}
	for _, name := range g.names() {
		g.link(g.repositories[name])
	}
	return g
}

func (g *graph) names() []string { return slices.Sorted(maps.Keys(g.repositories)) }

// link adds what leads from a repository to others of the graph.
func (g *graph) link(r Repository) {
	to := map[string]link{}
	for _, a := range r.Arrows {
		if _, known := g.repositories[a.To]; !known || a.To == r.Name || len(a.Sites) == 0 {
			continue
		}
		l := to[a.To]
		to[a.To] = link{r.Name, a.To, l.places + len(a.Sites), l.behind || a.behind()}
	}
	for _, name := range slices.Sorted(maps.Keys(to)) {
		g.links = append(g.links, to[name])
	}
}

// join puts two repositories into one group: those in lock step are released
// together. A group is known by the first of its names.
func (g *graph) join(a, b string) {
	one, two := g.lead[a], g.lead[b]
	if one == "" || two == "" || one == two {
		return
	}
	first, second := min(one, two), max(one, two)
	for name, lead := range g.lead {
		if lead == second {
			g.lead[name] = first
		}
	}
}

// members are the repositories of a group, each after those that it is
// released after. Where they are in lock step with each other both ways, none
// is first, and names decide.
func (g *graph) members(lead string) []string {
	var ordered []string
	begun := map[string]bool{}
	var visit func(string)
	visit = func(name string) {
		if begun[name] || g.lead[name] != lead {
			return
		}
		begun[name] = true
		for _, other := range slices.Sorted(slices.Values(g.repositories[name].After)) {
			visit(other)
		}
		ordered = append(ordered, name)
	}
	for _, name := range g.names() {
		visit(name)
	}
	return ordered
}

// strongest first: a link that is behind, then one of more places. The order
// is total, so that every run says the same.
func strongest(a, b link) int {
	behind := map[bool]int{true: 0, false: 1}
	return cmp.Or(cmp.Compare(behind[a.behind], behind[b.behind]), cmp.Compare(b.places, a.places),
		cmp.Compare(a.from, b.from), cmp.Compare(a.to, b.to))
}
