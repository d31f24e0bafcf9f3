package plan

import (
	"cmp"
	"slices"

	"github.com/kubestellar/actions/internal/ref"
)

// Action is what a step does.
type Action string

// The actions.
const (
	Moves    Action = "bump"    // move a component's pins in a repository's main, and merge that
	Releases Action = "release" // release a repository's component
)

// Step is one step of a sequence.
type Step struct {
	Number     int    `json:"step"` // from 1
	Action     Action `json:"action"`
	Repository string `json:"repository"`
	Component  string `json:"component"`
	// Version is "" where it is chosen later: for a release by whoever makes
	// it, for a bump by the release that step Of is.
	Version string `json:"version,omitempty"`
	Of      int    `json:"version_of_step,omitempty"`
	Places  int    `json:"places,omitempty"`
	After   []int  `json:"after"` // the steps that must be done before
	// Unblocks are the repositories that wait for a release.
	Unblocks []string `json:"unblocks,omitempty"`
	// Against are the components that a release names an older version of than
	// there is at the end: see Cycle.
	Against []string `json:"against_older,omitempty"`
}

// sequence builds steps, each of which is legal once those before are done:
// a bump names what is released, and a release comes after the bumps that it
// is made for.
type sequence struct {
	order
	steps    []Step
	bumps    map[string][]int       // by repository: its bumps so far
	released map[string]int         // by repository: its release
	versions map[string]ref.Version // by repository: of its release, where that is known
}

func (o order) newSequence() *sequence {
	return &sequence{order: o, bumps: map[string][]int{}, released: map[string]int{}, versions: map[string]ref.Version{}}
}

func (s *sequence) add(step Step) int {
	step.Number = len(s.steps) + 1
	step.After = append([]int{}, step.After...)
	slices.Sort(step.After)
	s.steps = append(s.steps, step)
	return step.Number
}

// pending is what there is to do: first all bumps to what is released already,
// then each release that somebody waits for, with the bumps that it unblocks.
// What is late in a cycle is caught up with at the end, and asks for no
// further release: else there would be no end.
func (o order) pending() []Step {
	s := o.newSequence()
	dirty := map[string]bool{} // repositories whose release would bring something on
	for _, name := range o.names() {
		for _, a := range o.repositories[name].Arrows {
			s.now(name, a)
			dirty[name] = dirty[name] || a.behind() && !o.late(name, a.To)
		}
	}
	for _, name := range o.sorted {
		if members := o.members(name); len(members) > 0 {
			s.group(members, dirty)
		}
	}
	s.catchUp(o.sorted)
	return s.steps
}

// staggered are the releases of a cycle's members, each once, and of what is in
// lock step with them.
func (o order) staggered(members []string) []Step {
	s := o.newSequence()
	for _, name := range o.sorted {
		if slices.ContainsFunc(members, func(m string) bool { return o.lead[m] == o.lead[name] }) {
			s.follow(name)
			s.release(name, ref.Version{})
		}
	}
	s.catchUp(o.sorted)
	return s.steps
}

// now bumps to what is released already.
func (s *sequence) now(name string, a Arrow) {
	for _, b := range a.Bumps {
		n := s.add(Step{Action: Moves, Repository: name, Component: a.Component, Version: b.Version.String(), Places: b.Places})
		s.bumps[name] = append(s.bumps[name], n)
	}
}

// group goes on from what its members refer to. Members in lock step are
// released at one version: all of them or, where the others are released
// already, those that are missing.
func (s *sequence) group(members []string, dirty map[string]bool) {
	anew := false
	for _, name := range members {
		waits := slices.ContainsFunc(s.repositories[name].Arrows, func(a Arrow) bool { return !s.late(name, a.To) && s.released[a.To] > 0 })
		anew = anew || (dirty[name] || waits) && s.missing(name).IsZero()
	}
	anew = anew && slices.ContainsFunc(s.links, func(l link) bool { return slices.Contains(members, l.to) })
	for _, name := range members {
		if missing := s.missing(name); anew && !missing.IsZero() {
			s.release(name, missing) // it need not wait for the next
		}
	}
	for _, name := range members {
		s.follow(name)
		switch missing := s.missing(name); {
		case anew:
			s.release(name, ref.Version{})
		case !missing.IsZero():
			s.release(name, missing)
		}
	}
}

// missing is the version that those in lock step with a repository have
// released and it has not, or none.
func (s *sequence) missing(name string) ref.Version {
	r := s.repositories[name]
	var newest []ref.Version
	for _, other := range r.After {
		newest = append(newest, s.repositories[other].Newest, s.versions[other])
	}
	there := ref.Newest(newest)
	if there.IsZero() || !r.Newest.IsZero() && r.Newest.Compare(there) >= 0 {
		return ref.Version{}
	}
	return there
}

// follow bumps to what this sequence has released so far.
func (s *sequence) follow(name string) {
	for _, a := range s.repositories[name].Arrows {
		if !s.late(name, a.To) {
			s.bump(name, a)
		}
	}
}

// catchUp bumps what was late.
func (s *sequence) catchUp(names []string) {
	for _, name := range names {
		for _, a := range s.repositories[name].Arrows {
			if !s.late(name, a.To) || !s.bump(name, a) {
				continue
			}
			if n := s.released[name]; n > 0 {
				s.steps[n-1].Against = append(s.steps[n-1].Against, a.Component)
			}
		}
	}
}

// bump bumps to what this sequence has released, if it has.
func (s *sequence) bump(name string, a Arrow) bool {
	of := s.released[a.To]
	if of == 0 || len(a.Sites) == 0 {
		return false
	}
	n := s.add(Step{Action: Moves, Repository: name, Component: a.Component, Version: s.steps[of-1].Version, Of: of, Places: len(a.Sites), After: []int{of}})
	s.bumps[name] = append(s.bumps[name], n)
	s.unblocks(of, name)
	return true
}

// unblocks notes that a repository waits for a release.
func (s *sequence) unblocks(release int, name string) {
	step := &s.steps[release-1]
	if step.Repository != name && !slices.Contains(step.Unblocks, name) {
		step.Unblocks = append(step.Unblocks, name)
	}
}

// release comes after the repository's bumps and its release before, and after
// those in lock step.
func (s *sequence) release(name string, version ref.Version) {
	r := s.repositories[name]
	after := slices.Clone(s.bumps[name])
	for _, other := range append(slices.Clone(r.After), name) {
		if n := s.released[other]; n > 0 {
			after = append(after, n)
			s.unblocks(n, name)
		}
	}
	s.versions[name] = version
	s.released[name] = s.add(Step{Action: Releases, Repository: name, Component: cmp.Or(r.Component, name), Version: version.String(), After: after})
}
