package bump

// situation contains everything that the next choice of a proposal depends on.
type situation struct {
	changes bool // the plan changes files of the default branch

	open      bool // a pull request is open
	rejected  bool // a pull request of the same commit was closed without a merge
	newer     bool // the open pull request proposes a newer version
	further   bool // the open pull request moves pins beyond the default branch
	ours      bool // the branch has no commits of people
	discussed bool // people have commented on the open pull request
	conflict  bool // the branch does not merge into the default branch
	same      bool // the branch already holds the commits that would be made
	redundant bool // the branch, merged, changes nothing
}

// choice is the next action of a proposal.
type choice string

const (
	finish         choice = "finish: there is no pull request, and nothing to change"
	leaveNewer     choice = "leave the pull request: it proposes a newer version"
	leaveFurther   choice = "leave the pull request: it moves pins beyond the default branch"
	leavePeople    choice = "leave the pull request: it contains commits of people"
	leaveRejected  choice = "leave the branch: the same was proposed and closed"
	closePull      choice = "close the pull request: nothing is left to change"
	keep           choice = "keep our commits, and open or correct the pull request"
	replace        choice = "replace our commits"
	add            choice = "add commits on top of those of people"
	refuseBranch   choice = "refuse: people use the branch, without a pull request"
	refuseConflict choice = "refuse: the commits of people conflict with the default branch"
)

// next returns the next choice. People's commits and comments are never
// overwritten, and a newer version never gives way to an older one.
func (s situation) next() choice {
	switch {
	case s.newer:
		return leaveNewer
	case !s.changes:
		return s.withoutChanges()
	case s.ours && !s.discussed:
		return s.withoutPeople()
	case !s.open:
		return refuseBranch
	case s.conflict:
		return refuseConflict
	}
	return add
}

func (s situation) withoutChanges() choice {
	switch {
	case !s.open:
		return finish
	case s.further:
		return leaveFurther
	case !s.redundant && !s.ours:
		return leavePeople
	}
	return closePull
}

func (s situation) withoutPeople() choice {
	switch {
	case !s.same:
		return replace
	case !s.open && s.rejected:
		return leaveRejected
	}
	return keep
}
