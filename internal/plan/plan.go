// Package plan plans bumps and releases over many repositories: which pins are
// behind, which release unblocks which bump, and in what order. The decisions
// (cycle.go, sequence.go) are pure; survey.go queries the repositories.
package plan

import (
	"cmp"
	"maps"
	"slices"

	"github.com/kubestellar/actions/internal/ref"
)

// Repository is a repository with a delivery.yaml, or one that such a file names.
type Repository struct {
	Name      string // owner/name
	Component string // the one that it releases
	Declares  bool   // it has a delivery.yaml; otherwise it has no arrows
	Newest    ref.Version
	Arrows    []Arrow
	// After lists the repositories of the components in lock step with its own. Each
	// is released before it, at the same version.
	After []string
}

// Arrow leads from a repository to a component of another one. It represents the
// places that follow the component's releases.
type Arrow struct {
	Component string   // as the repository's delivery.yaml calls it
	To        string   // the repository that releases it
	Sites     []string // the places that follow, file:line:column
	Written   []string // their versions, each once
	Newest    ref.Version
	Bumps     []Bump // none if nothing is behind
	Left      int    // the number of places that stay behind on purpose
}

// Bump is a bump that "ghhelper bump" would make now.
type Bump struct {
	Version ref.Version
	Places  int
	From    []string // their versions, each once
}

func (a Arrow) behind() bool { return len(a.Bumps) > 0 }

// link sums up the arrows from one repository to another.
type link struct {
	from, to string
	places   int
	behind   bool
}

// graph contains the repositories by name, and the links between them.
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

// link adds the links from a repository to others of the graph.
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

// join puts two repositories into one group. Repositories in lock step are released
// together. The first name of a group identifies it.
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

// members returns the repositories of a group in the order of their releases. If two
// are in lock step both ways, their names decide.
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

// strongest orders links: first those that are behind, then those of more places. The
// order is total, so every run has the same result.
func strongest(a, b link) int {
	behind := map[bool]int{true: 0, false: 1}
	return cmp.Or(cmp.Compare(behind[a.behind], behind[b.behind]), cmp.Compare(b.places, a.places),
		cmp.Compare(a.from, b.from), cmp.Compare(a.to, b.to))
}
