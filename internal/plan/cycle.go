package plan

import (
	"fmt"
	"slices"
	"strings"

	"github.com/kubestellar/actions/internal/report"
)

// Cycle is a set of repositories that refer to each other. Each Late arrow belongs to
// a repository that is released with an older version of another one. Steps are the
// releases that bring every repository up to date.
type Cycle struct {
	Members []string     `json:"members"`
	Arrows  []CycleArrow `json:"arrows"`
	Late    []Late       `json:"late"`
	Steps   []Task       `json:"steps"`
}

// CycleArrow is an arrow of a cycle.
type CycleArrow struct {
	From      string   `json:"from"`
	To        string   `json:"to"`
	Component string   `json:"component"`
	Versions  []string `json:"versions"`
	Sites     []string `json:"places"`
	// Lockstep means that From has To's version, and no place names it.
	Lockstep bool `json:"lockstep,omitempty"`
}

// Late is an arrow whose repository is released before the one that it refers to.
type Late struct {
	From    string `json:"from"`
	To      string `json:"to"`
	Because string `json:"because"`
}

// order is the order in which repositories are released.
type order struct {
	*graph
	sorted   []string // all repositories, in the order of their releases
	position map[string]int
}

// late reports whether a repository is released before the one that it refers to, or
// refers to another component of its own.
func (o order) late(from, to string) bool {
	at, known := o.position[to]
	return known && at >= o.position[from]
}

// newOrder keeps every link that closes no circle with stronger ones, and puts
// upstreams first. Each circle loses its weakest link, and no other link is lost.
func newOrder(g *graph) order {
	needs := map[string][]string{}
	for _, l := range slices.SortedFunc(slices.Values(g.links), strongest) {
		from, to := g.lead[l.from], g.lead[l.to]
		if from != to && !reachable(needs, to)[from] {
			needs[from] = append(needs[from], to)
		}
	}
	o := order{graph: g, position: map[string]int{}}
	placed := map[string]bool{}
	var place func(string)
	place = func(lead string) {
		if placed[lead] {
			return
		}
		placed[lead] = true
		for _, need := range slices.Sorted(slices.Values(needs[lead])) {
			place(need)
		}
		o.sorted = append(o.sorted, g.members(lead)...)
	}
	for _, name := range g.leads() {
		place(name)
	}
	for i, name := range o.sorted {
		o.position[name] = i
	}
	return o
}

func (g *graph) leads() []string {
	return slices.DeleteFunc(g.names(), func(name string) bool { return g.lead[name] != name })
}

// reachable returns the names that can be reached from one, including itself.
func reachable(next map[string][]string, from string) map[string]bool {
	seen := map[string]bool{from: true}
	for todo := []string{from}; len(todo) > 0; {
		name := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		for _, other := range next[name] {
			if !seen[other] {
				seen[other] = true
				todo = append(todo, other)
			}
		}
	}
	return seen
}

// cycles returns each set of repositories that refer to each other, by links or by
// lock step, in the order of their names.
func (o order) cycles() []Cycle {
	next, back := map[string][]string{}, map[string][]string{}
	add := func(from, to string) {
		next[from], back[to] = append(next[from], to), append(back[to], from)
	}
	for _, l := range o.links {
		add(l.from, l.to)
	}
	for _, name := range o.sorted {
		for _, other := range o.repositories[name].After {
			add(name, other)
		}
	}
	named := map[string]bool{}
	var all []Cycle
	for _, name := range o.names() {
		ahead, behind := reachable(next, name), reachable(back, name)
		members := slices.DeleteFunc(slices.Clone(o.sorted), func(n string) bool {
			return !ahead[n] || !behind[n]
		})
		if named[name] || len(members) < 2 {
			continue
		}
		for _, member := range members {
			named[member] = true
		}
		all = append(all, o.cycle(members))
	}
	return all
}

// cycle describes a cycle. The members are in the order of their releases.
func (o order) cycle(members []string) Cycle {
	c := Cycle{Members: members, Arrows: []CycleArrow{}, Late: []Late{}}
	within := func(name string) bool { return slices.Contains(members, name) }
	for _, name := range members {
		r := o.repositories[name]
		for _, a := range r.Arrows {
			if within(a.To) && a.To != name && len(a.Sites) > 0 {
				c.Arrows = append(c.Arrows, CycleArrow{
					From: name, To: a.To, Component: a.Component, Versions: a.Written, Sites: a.Sites,
				})
			}
		}
		for _, other := range r.After {
			if within(other) {
				c.Arrows = append(c.Arrows, CycleArrow{
					From: name, To: other, Component: o.repositories[other].Component,
					Versions: []string{}, Sites: []string{}, Lockstep: true,
				})
			}
		}
	}
	for _, l := range o.links {
		if within(l.from) && within(l.to) && o.late(l.from, l.to) {
			c.Late = append(c.Late, Late{l.from, l.to, o.because(l, within)})
		}
	}
	c.Steps = o.staggered(members)
	return c
}

// because returns the reason why this link of the cycle is late.
func (o order) because(l link, within func(string) bool) string {
	if o.lead[l.from] == o.lead[l.to] {
		return fmt.Sprintf("%s is released in lock step before %s", l.from, l.to)
	}
	stronger := slices.DeleteFunc(slices.Clone(o.links), func(other link) bool {
		return !within(other.from) || !within(other.to) ||
			o.late(other.from, other.to) || strongest(other, l) > 0
	})
	if !l.behind && slices.ContainsFunc(stronger, func(other link) bool { return other.behind }) {
		return "nothing of it is behind, while others of the cycle are"
	}
	var places []string
	for _, other := range stronger {
		places = append(places, fmt.Sprint(other.places))
	}
	because := fmt.Sprintf("it has the fewest references: %s, while others have %s",
		report.Count(l.places, "place"), strings.Join(places, ", "))
	if slices.ContainsFunc(stronger, func(other link) bool { return other.places == l.places }) {
		because += "; of equals, the last by name"
	}
	return because
}
