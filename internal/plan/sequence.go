package plan

import (
	"cmp"
	"slices"

	"github.com/kubestellar/actions/internal/ref"
)

// Action is the kind of a task.
type Action string

// The actions of a task.
const (
	Moves    Action = "bump"    // move a component's pins in a repository's main, and merge that
	Releases Action = "release" // release a repository's component
)

// Task is one step of a sequence: a bump or a release.
type Task struct {
	Number     int    `json:"step"` // from 1
	Action     Action `json:"action"`
	Repository string `json:"repository"`
	Component  string `json:"component"`
	// Version is empty if it is chosen later: for a release by the person who makes
	// it, for a bump by the release in step Of.
	Version string `json:"version,omitempty"`
	Of      int    `json:"version_of_step,omitempty"`
	Places  int    `json:"places,omitempty"`
	After   []int  `json:"after"` // the steps that must be done before
	// Unblocks lists the repositories that wait for a release.
	Unblocks []string `json:"unblocks,omitempty"`
	// Against lists the components that a release names at an older version than the
	// final one, see Cycle.
	Against []string `json:"against_older,omitempty"`
}

// sequence builds steps. Each is possible after those before it: a bump names a
// released version, and a release comes after its bumps.
type sequence struct {
	order
	steps    []Task
	bumps    map[string][]int       // by repository: its bumps so far
	released map[string]int         // by repository: its release
	versions map[string]ref.Version // by repository: of its release, if it is known
}

func (o order) newSequence() *sequence {
	return &sequence{
		order: o, bumps: map[string][]int{}, released: map[string]int{}, versions: map[string]ref.Version{},
	}
}

func (s *sequence) add(step Task) int {
	step.Number = len(s.steps) + 1
	step.After = append([]int{}, step.After...)
	slices.Sort(step.After)
	s.steps = append(s.steps, step)
	return step.Number
}

// pending returns the remaining steps: first every bump to a released version, then
// each release that a repository waits for, with the bumps that it unblocks. Late
// arrows of a cycle catch up at the end, and need no further release, because
// otherwise the sequence would not end.
func (o order) pending() []Task {
	s := o.newSequence()
	dirty := map[string]bool{} // repositories whose release would contain a bump
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

// staggered returns the releases of a cycle's members, each once, and of the
// repositories in lock step with them.
func (o order) staggered(members []string) []Task {
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

// now adds the bumps to released versions.
func (s *sequence) now(name string, a Arrow) {
	for _, b := range a.Bumps {
		n := s.add(Task{
			Action: Moves, Repository: name, Component: a.Component, Version: b.Version.String(), Places: b.Places,
		})
		s.bumps[name] = append(s.bumps[name], n)
	}
}

// group adds the steps of a group after its upstreams. Members in lock step are
// released at one version: all of them or, if the others have it already, those that
// lack it.
func (s *sequence) group(members []string, dirty map[string]bool) {
	next := false // a new version is needed
	for _, name := range members {
		waits := slices.ContainsFunc(s.repositories[name].Arrows, func(a Arrow) bool {
			return !s.late(name, a.To) && s.released[a.To] > 0
		})
		next = next || (dirty[name] || waits) && s.missing(name).IsZero()
	}
	next = next && slices.ContainsFunc(s.links, func(l link) bool { return slices.Contains(members, l.to) })
	for _, name := range members {
		if missing := s.missing(name); next && !missing.IsZero() {
			s.release(name, missing) // it need not wait for the new version
		}
	}
	for _, name := range members {
		s.follow(name)
		switch missing := s.missing(name); {
		case next:
			s.release(name, ref.Version{})
		case !missing.IsZero():
			s.release(name, missing)
		}
	}
}

// missing returns the version that the repositories in lock step with this one have
// released and this one has not, or zero.
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

// follow adds the bumps to the releases of this sequence so far.
func (s *sequence) follow(name string) {
	for _, a := range s.repositories[name].Arrows {
		if !s.late(name, a.To) {
			s.bump(name, a)
		}
	}
}

// catchUp adds the bumps of late arrows.
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

// bump adds a bump to the release of this sequence, and reports whether there is one.
func (s *sequence) bump(name string, a Arrow) bool {
	of := s.released[a.To]
	if of == 0 || len(a.Sites) == 0 {
		return false
	}
	n := s.add(Task{
		Action: Moves, Repository: name, Component: a.Component, Version: s.steps[of-1].Version,
		Of: of, Places: len(a.Sites), After: []int{of},
	})
	s.bumps[name] = append(s.bumps[name], n)
	s.unblocks(of, name)
	return true
}

// unblocks records that a repository waits for a release.
func (s *sequence) unblocks(release int, name string) {
	step := &s.steps[release-1]
	if step.Repository != name && !slices.Contains(step.Unblocks, name) {
		step.Unblocks = append(step.Unblocks, name)
	}
}

// release adds a release after the repository's bumps, after its release before, and
// after those in lock step.
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
	s.released[name] = s.add(Task{
		Action: Releases, Repository: name, Component: cmp.Or(r.Component, name),
		Version: version.String(), After: after,
	})
}
