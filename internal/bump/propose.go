package bump

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/kubestellar/actions/internal/apply"
	"github.com/kubestellar/actions/internal/decide"
	"github.com/kubestellar/actions/internal/delivery"
	"github.com/kubestellar/actions/internal/event"
	"github.com/kubestellar/actions/internal/find"
	"github.com/kubestellar/actions/internal/gh"
	"github.com/kubestellar/actions/internal/git"
	"github.com/kubestellar/actions/internal/outcome"
	"github.com/kubestellar/actions/internal/ref"
	"github.com/kubestellar/actions/internal/verify"
)

// Proposer keeps a component's one pull request in a repository: it opens it,
// updates it, and closes it once nothing is left to change.
//
// Everything that delivery.yaml declares is read once a run, from the tip of the
// default branch, which the pull request is based on.
type Proposer struct {
	Forge      *gh.Client
	Repo       git.Repo // a clone, whose work tree and branches do not change
	Repository string   // owner/name
	Server     string   // https://github.com
	Config     string   // path of delivery.yaml in the default branch
	// File takes the place of Config if delivery.yaml is not in the repository.
	File *delivery.File
	Move decide.Move
	// Dispatch is the event that started the run, nil without one.
	Dispatch *event.Dispatch
	// Asker queries registries and repositories, for the delivery.yaml in use.
	Asker verify.Asker
	// AcceptStandIns lets the change depend on stand-ins.
	AcceptStandIns bool
	// Env is the environment of the commands that derive files.
	Env []string
}

// Proposed is the result of a proposal.
type Proposed struct {
	Plan  *Plan
	State State
	Pull  *gh.Pull // nil without a pull request
	// Commits are those that were made, the oldest first.
	Commits []gh.Commit
	// Because is the reason why nothing was proposed.
	Because string
	// Declared names the delivery.yaml that was used, with its commit.
	Declared string
}

// Commit returns the last commit that was made, or one with an empty ID.
func (d Proposed) Commit() (last gh.Commit) {
	for _, c := range d.Commits {
		last = c
	}
	return last
}

// State describes the result of a run for the pull request.
type State string

// The states of a proposal.
const (
	Opened    State = "opened"
	Replaced  State = "updated"  // other commits take the place of ours
	Added     State = "added to" // commits on top of those of people
	Unchanged State = "up to date"
	Closed    State = "closed"
	Nothing   State = "nothing to do"
)

// errMoved reports that a branch moved during the run.
var errMoved = errors.New("moved meanwhile")

// Propose proposes the move in a commit on the tip of the default branch. Places that
// were behind the others catch up in a second one. Commits of people on the proposal's
// branch stay, with ours on top of them. In a conflict, nothing is changed.
func (p Proposer) Propose(ctx context.Context) (Proposed, error) {
	const tries = 3
	for try := 1; ; try++ {
		a := &attempt{Proposer: p, retry: try > 1}
		done, err := a.propose(ctx)
		done.Plan, done.Declared = a.plan, a.declared
		if !errors.Is(err, errMoved) {
			return done, err
		}
		if try == tries {
			return done, outcome.As(outcome.Unchecked, fmt.Errorf("branches of %s moved each of the %d times "+
				"that the change was made: run it again", p.Repository, tries))
		}
	}
}

// attempt is one try of a proposal.
type attempt struct {
	Proposer
	retry    bool // a branch moved during the try before
	file     *delivery.File
	declared string // names file
	plan     *Plan  // on the tip of the default branch
	branch
}

// propose returns errMoved if it has to be tried again.
func (a *attempt) propose(ctx context.Context) (Proposed, error) {
	if err := a.begin(ctx); err != nil {
		return Proposed{}, err
	}
	var err error
	if a.plan, err = a.planIn(ctx, a.Base); err != nil {
		return Proposed{}, err
	}
	if err := a.plan.Err(a.AcceptStandIns); err != nil {
		return Proposed{}, err
	}
	if err := a.inspect(ctx); err != nil {
		return Proposed{}, err
	}
	return a.act(ctx)
}

// begin fetches both branches and reads delivery.yaml at the default branch's tip.
func (a *attempt) begin(ctx context.Context) error {
	base, err := a.Repo.Tips(ctx, a.remote(), "")
	if err != nil {
		return err
	}
	if err := a.Repo.Bring(ctx, a.remote(), base.Base); err != nil {
		return err
	}
	if err := a.declare(ctx, base); err != nil {
		return outcome.As(outcome.Usage, err)
	}
	if a.Tips, err = a.Repo.Tips(ctx, a.remote(), a.branchName()); err != nil {
		return err
	}
	if a.Base != base.Base {
		return errMoved
	}
	return a.Repo.Bring(ctx, a.remote(), a.Base, a.Head)
}

// declare reads delivery.yaml, and checks that it is about this repository and
// declares the component.
func (a *attempt) declare(ctx context.Context, tips git.Tips) error {
	if a.file, a.declared = a.File, a.Config; a.file == nil {
		a.declared = fmt.Sprintf("%s of commit %s, the tip of %s", a.Config, tips.Base, tips.Default)
		tree, err := a.Repo.Snapshot(ctx, tips.Base)
		if err != nil {
			return err
		}
		defer tree.Close()
		if a.file, err = delivery.Load(tree, a.Config); err != nil {
			return fmt.Errorf("%s: %w", a.declared, err)
		}
	}
	if own := a.file.Own().Repository; !strings.EqualFold(own, a.Repository) {
		return fmt.Errorf("%s is about repository %s, want %s, as HEAD has it: check out %s, or correct it",
			a.declared, own, a.Repository, tips.Default)
	}
	component, err := a.file.Component(a.Move.Component)
	if err != nil {
		return fmt.Errorf("%s: %w", a.declared, err)
	}
	return a.Dispatch.CheckSource(a.Move.Component, component.Repository)
}

// read returns the tree of a commit or of a tree, and the names of its files.
func (a *attempt) read(ctx context.Context, id string) (*git.Snapshot, []string, error) {
	tree, err := a.Repo.Snapshot(ctx, id)
	if err != nil {
		return nil, nil, err
	}
	names, err := find.Names(tree)
	return tree, names, err
}

// planIn plans the move in a commit or tree.
func (a *attempt) planIn(ctx context.Context, id string) (*Plan, error) {
	tree, names, err := a.read(ctx, id)
	if err != nil {
		return nil, err
	}
	defer tree.Close()
	ask := a.Asker
	ask.File = a.file
	return Bump{File: a.file, Tree: tree, Names: names, Move: a.Move, Ask: &ask,
		AcceptStandIns: a.AcceptStandIns, Env: a.Env, History: HistoryOf(a.Repo, a.Base),
		Address: a.Server + "/" + a.Repository}.Plan(ctx)
}

// proposed returns the versions that the component's pins would have if the open
// pull request were merged.
func (a *attempt) proposed(ctx context.Context) (versions, error) {
	id := a.merged
	if id == "" {
		id = a.Head
	}
	tree, names, err := a.read(ctx, id)
	if err != nil {
		return nil, err
	}
	defer tree.Close()
	found, err := find.New(a.file).Files(ctx, tree, names)
	return versionsOf(a.Move.Component, find.Pins(found.References)), err
}

// situation collects everything that the next choice depends on. steps are the commits
// to propose.
func (a *attempt) situation(ctx context.Context) (s situation, there versions, steps []step, err error) {
	s = situation{
		changes: len(a.plan.Changes) > 0, open: a.open != nil && a.Head != "", rejected: a.rejected != nil,
		ours: a.ours(), discussed: a.discussed, conflict: a.conflict != nil,
	}
	if s.open {
		if there, err = a.proposed(ctx); err != nil {
			return s, nil, nil, err
		}
		s.newer = there.aheadOf(a.plan.Holds, a.Move.Version)
		s.further = there.aheadOf(a.plan.Holds, ref.Version{})
	}
	if !s.changes {
		base, err := a.Repo.Tree(ctx, a.Base)
		s.redundant = a.merged == base
		return s, there, nil, err
	}
	if steps, err = a.steps(ctx, a.plan, a.Base); err != nil {
		return s, nil, nil, err
	}
	s.same, err = a.has(ctx, steps)
	s.same = s.same && (!a.retry || a.onTip())
	return s, there, steps, err
}

// act makes the next choice and carries it out.
func (a *attempt) act(ctx context.Context) (Proposed, error) {
	s, there, steps, err := a.situation(ctx)
	if err != nil {
		return Proposed{}, err
	}
	switch s.next() {
	case leaveNewer:
		return a.leave(a.open, fmt.Sprintf("pull request %d proposes %s, a newer version: %s",
			a.open.Number, slices.MaxFunc(there, ref.Version.Compare), a.open.URL)), nil
	case leaveFurther:
		return a.leave(a.open, fmt.Sprintf("pull request %d moves places further than %s has them, and stays open: %s",
			a.open.Number, a.Default, a.open.URL)), nil
	case leavePeople:
		return a.leave(a.open, fmt.Sprintf("pull request %d holds commits of people, and stays open: %s",
			a.open.Number, a.open.URL)), nil
	case leaveRejected:
		return a.leave(a.rejected, fmt.Sprintf("pull request %d proposed the same, and was closed: "+
			"reopen it, or delete branch %s, to have it proposed again; %s",
			a.rejected.Number, a.branchName(), a.rejected.URL)), nil
	case closePull:
		return a.close(ctx)
	case keep:
		return a.show(ctx, lastTree(steps), nil, Unchanged)
	case replace:
		commits, err := a.commit(ctx, steps, []string{a.Base})
		if err != nil {
			return Proposed{}, err
		}
		return a.show(ctx, lastTree(steps), commits, Replaced)
	case add:
		return a.addTo(ctx)
	case refuseBranch:
		return Proposed{}, outcome.Wrongf("branch %s of %s holds commits of people, "+
			"and no pull request is open from it: open one, or delete the branch; nothing was changed",
			a.branchName(), a.Repository)
	case refuseConflict:
		return Proposed{}, fmt.Errorf("pull request %d (%s) holds commits of people that do not go together with %s: "+
			"%w; merge %s into it, then run this again; nothing was changed",
			a.open.Number, a.open.URL, a.Default, a.conflict, a.Default)
	}
	return Proposed{State: Nothing}, nil
}

// leave proposes nothing, because of a pull request.
func (a *attempt) leave(pull *gh.Pull, because string) Proposed {
	return Proposed{State: Nothing, Pull: pull, Because: because}
}

// addTo proposes the move on top of the commits of people.
func (a *attempt) addTo(ctx context.Context) (Proposed, error) {
	more, err := a.planIn(ctx, a.merged)
	if err != nil {
		return Proposed{}, err
	}
	if err := more.Err(a.AcceptStandIns); err != nil {
		return Proposed{}, err
	}
	if len(more.Changes) == 0 {
		return a.show(ctx, a.lastOfOurs().Tree, nil, Unchanged)
	}
	steps, err := a.steps(ctx, more, a.merged)
	if err != nil {
		return Proposed{}, err
	}
	parents := []string{a.Head}
	if holds, err := a.Repo.Holds(ctx, a.Head, a.Base); err != nil {
		return Proposed{}, err
	} else if !holds {
		parents = append(parents, a.Base)
	}
	commits, err := a.commit(ctx, steps, parents)
	if err != nil {
		return Proposed{}, err
	}
	return a.show(ctx, lastTree(steps), commits, Added)
}

// close closes the pull request, with the reason as a comment.
func (a *attempt) close(ctx context.Context) (Proposed, error) {
	pull, err := a.Forge.ClosePull(ctx, a.Repository, a.open, fmt.Sprintf(
		"%s holds %s %s or newer wherever it is to follow its releases: nothing is left to be changed here.",
		a.Default, a.Move.Component, a.Move.Version))
	return Proposed{State: Closed, Pull: pull}, err
}

func (a *attempt) remote() git.Remote { return git.Remote(a.Server + "/" + a.Repository) }

func (a *attempt) branchName() string { return a.file.Bumps.BranchFor(a.Move.Component) }

func files(changes []apply.Change) []git.File {
	var all []git.File
	for _, c := range changes {
		all = append(all, git.File{Name: c.File, Data: c.After, Mode: c.Mode})
	}
	return all
}
