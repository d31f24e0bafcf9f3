package bump

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/kubestellar/actions/internal/apply"
	"github.com/kubestellar/actions/internal/delivery"
	"github.com/kubestellar/actions/internal/gh"
	"github.com/kubestellar/actions/internal/git"
	"github.com/kubestellar/actions/internal/outcome"
	"github.com/kubestellar/actions/internal/ref"
)

// Proposer keeps a component's one pull request in a repository: it opens it,
// moves it on, and closes it when it is needless.
type Proposer struct {
	Forge      *gh.Client
	Repo       git.Repo // a clone of it, whose work tree and branches stay as they are
	Repository string   // owner/name
	Server     string   // https://github.com
	Component  string
	// Upstream is the component's own repository, owner/name.
	Upstream string
	Bumps    delivery.Bumps
	// Plan plans the bump in a tree or commit that the clone holds; asking, it
	// looks whether all is there, and derives files.
	Plan func(ctx context.Context, tree string, asking bool) (*Plan, error)
	// AcceptStandIns lets the change rest on what stands in for real artifacts.
	AcceptStandIns bool
}

// Proposed is what has become of a proposal.
type Proposed struct {
	Plan   *Plan
	State  State
	Pull   *gh.Pull  // nil where there is none
	Commit gh.Commit // that was made; its ID is "" where none was
	// Because says why nothing was proposed.
	Because string
}

// State is what has become of a pull request.
type State string

// The states of a proposal.
const (
	Opened    State = "opened"
	Replaced  State = "updated"  // its commit has given way to another one
	Added     State = "added to" // a commit stands on top of people's
	Unchanged State = "up to date"
	Closed    State = "closed"
	Nothing   State = "nothing to do"
)

// errMoved says that a branch was not any more where it had been seen.
var errMoved = errors.New("moved meanwhile")

// Propose proposes the plan's changes in one commit on the tip of the default
// branch. Commits of people on the proposal's branch stay, with ours on top of
// them. Nothing is changed where that is a conflict.
func (p Proposer) Propose(ctx context.Context) (Proposed, error) {
	const tries = 3
	for try := 1; ; try++ {
		done, err := p.once(ctx, try > 1)
		if !errors.Is(err, errMoved) {
			return done, err
		}
		if try == tries {
			return done, outcome.As(outcome.Unchecked, fmt.Errorf("branches of %s moved each of the %d times that the change was made: run it again", p.Repository, tries))
		}
	}
}

// once also says, by errMoved, that it is to be done anew.
func (p Proposer) once(ctx context.Context, anew bool) (Proposed, error) {
	tips, err := p.Repo.Tips(ctx, p.remote(), p.branch())
	if err != nil {
		return Proposed{}, err
	}
	if err := p.Repo.Bring(ctx, p.remote(), tips.Base, tips.Head); err != nil {
		return Proposed{}, err
	}
	plan, err := p.Plan(ctx, tips.Base, true)
	if err != nil {
		return Proposed{}, err
	}
	if err := plan.Err(p.AcceptStandIns); err != nil {
		return Proposed{Plan: plan}, err
	}
	s, err := p.look(ctx, tips)
	if err != nil {
		return Proposed{Plan: plan}, err
	}
	done, err := p.act(ctx, plan, s, anew)
	done.Plan = plan
	return done, err
}

// act does what the plan and what stands on the branch call for.
func (p Proposer) act(ctx context.Context, plan *Plan, s standing, anew bool) (Proposed, error) {
	there, err := p.proposed(ctx, s)
	switch {
	case err != nil:
		return Proposed{}, err
	case there != nil && there.isAheadOf(plan, plan.Move.Version):
		return Proposed{State: Nothing, Pull: s.open, Because: fmt.Sprintf("pull request %d proposes %s, a newer version: %s", s.open.Number, slices.MaxFunc(there.Holds, ref.Version.Compare), s.open.URL)}, nil
	case len(plan.Changes) == 0:
		return p.needless(ctx, plan, there, s)
	case s.untouched():
		return p.replace(ctx, plan, s, anew)
	}
	return p.addTo(ctx, plan, s)
}

// proposed is the plan, unasked, in what the open pull request comes to; nil
// without one.
func (p Proposer) proposed(ctx context.Context, s standing) (*Plan, error) {
	if s.open == nil || s.Head == "" {
		return nil, nil
	}
	return p.Plan(ctx, cmp.Or(s.merged, s.Head), false)
}

// replace proposes the change in one commit on the tip, in the place of ours.
func (p Proposer) replace(ctx context.Context, plan *Plan, s standing, anew bool) (Proposed, error) {
	tree, err := p.Repo.WriteTree(ctx, s.Base, files(plan.Changes))
	if err != nil {
		return Proposed{}, err
	}
	if s.merged == tree && (!anew || s.onTip()) {
		if s.open == nil && s.rejected != nil {
			return Proposed{State: Nothing, Pull: s.rejected, Because: fmt.Sprintf("pull request %d proposed the same, and was closed: reopen it, or delete branch %s, to have it proposed again; %s", s.rejected.Number, p.branch(), s.rejected.URL)}, nil
		}
		return p.show(ctx, plan, s, tree, gh.Commit{}, Unchanged)
	}
	commit, err := p.commit(ctx, plan, s, tree, []string{s.Base})
	if err != nil {
		return Proposed{}, err
	}
	return p.show(ctx, plan, s, tree, commit, Replaced)
}

// addTo proposes the change on top of what people have added.
func (p Proposer) addTo(ctx context.Context, plan *Plan, s standing) (Proposed, error) {
	if s.open == nil {
		return Proposed{}, outcome.Wrongf("branch %s of %s holds commits of people, and no pull request is open from it: open one, or delete the branch; nothing was changed", p.branch(), p.Repository)
	}
	if s.conflict != nil {
		return Proposed{}, fmt.Errorf("pull request %d (%s) holds commits of people that do not go together with %s: %w; merge %s into it, then run this again; nothing was changed", s.open.Number, s.open.URL, s.Default, s.conflict, s.Default)
	}
	more, err := p.Plan(ctx, s.merged, true)
	if err != nil {
		return Proposed{}, err
	}
	if err := more.Err(p.AcceptStandIns); err != nil {
		return Proposed{}, err
	}
	if len(more.Changes) == 0 {
		return p.show(ctx, plan, s, s.lastOfOurs(), gh.Commit{}, Unchanged)
	}
	tree, err := p.Repo.WriteTree(ctx, s.merged, files(more.Changes))
	if err != nil {
		return Proposed{}, err
	}
	parents := []string{s.Head}
	if holds, err := p.Repo.Holds(ctx, s.Head, s.Base); err != nil {
		return Proposed{}, err
	} else if !holds {
		parents = append(parents, s.Base)
	}
	commit, err := p.commit(ctx, more, s, tree, parents)
	if err != nil {
		return Proposed{}, err
	}
	return p.show(ctx, plan, s, tree, commit, Added)
}

// commit makes the commit, by GitHub, on no branch yet. Whom the token stands for
// is what GitHub says that its author is, so where that is not known from our
// commit before, it takes two.
func (p Proposer) commit(ctx context.Context, plan *Plan, s standing, tree string, parents []string) (gh.Commit, error) {
	changed, err := p.changed(ctx, s, tree)
	if err != nil {
		return gh.Commit{}, err
	}
	base, err := p.Repo.Tree(ctx, s.Base)
	if err != nil {
		return gh.Commit{}, err
	}
	made, err := p.Forge.CreateTree(ctx, p.Repository, base, changed)
	if err != nil {
		return gh.Commit{}, explainWorkflows(err, changed)
	}
	if made != tree {
		return gh.Commit{}, outcome.Wrongf("GitHub made tree %s of the change, want %s: nothing was proposed", made, tree)
	}
	who := s.us()
	for range 2 {
		commit, err := p.Forge.CreateCommit(ctx, p.Repository, p.message(plan, tree, who), tree, parents)
		if err != nil || commit.Author == who {
			return commit, err
		}
		who = commit.Author
	}
	return gh.Commit{}, fmt.Errorf("GitHub names another author for each commit, lastly %s: nothing was proposed", who)
}

// changed are the files in which a tree differs from the base's. What GitHub has
// already goes by its id, all else by its content.
func (p Proposer) changed(ctx context.Context, s standing, tree string) ([]gh.File, error) {
	entries, err := p.Repo.Differ(ctx, s.Base, tree)
	if err != nil {
		return nil, err
	}
	isNew := func(string) bool { return true }
	if s.Head != "" {
		fresh, err := p.Repo.Differ(ctx, s.Head, tree)
		if err != nil {
			return nil, err
		}
		isNew = func(name string) bool {
			return slices.ContainsFunc(fresh, func(e git.Entry) bool { return e.Name == name })
		}
	}
	var all []gh.File
	for _, e := range entries {
		file := gh.File{Name: e.Name, Mode: e.Mode, ID: e.ID}
		if e.ID != "" && e.Mode != submodule && isNew(e.Name) {
			if file.Content, err = p.Repo.Blob(ctx, e.ID); err != nil {
				return nil, err
			}
			file.ID = ""
		}
		all = append(all, file)
	}
	return all, nil
}

// submodule is the mode of what is a commit of another repository.
const submodule = "160000"

// show puts a commit, if one was made, on the branch, and has the pull request
// say what it holds. tree is that of our commit, old or new.
func (p Proposer) show(ctx context.Context, plan *Plan, s standing, tree string, commit gh.Commit, state State) (Proposed, error) {
	if commit.ID != "" {
		if err := p.put(ctx, s, commit.ID, state == Replaced); err != nil {
			return Proposed{}, err
		}
	}
	done := Proposed{State: state, Commit: commit, Pull: s.open}
	var err error
	switch {
	case s.open == nil:
		done.State = Opened
		done.Pull, err = p.open(ctx, plan, s, tree, commit.ID)
	case !isAbout(s.open, tree):
		done.Pull, err = p.Forge.EditPull(ctx, p.Repository, s.open.Number, p.title(plan), p.body(plan, tree))
		if done.State == Unchanged {
			done.State = Replaced
		}
	}
	if err != nil {
		return done, err
	}
	// Who takes a label away means it; but where there is none at all, an earlier
	// run may have stopped before it.
	if len(done.Pull.Labels) == 0 && len(p.Bumps.Labels) > 0 {
		if err := p.Forge.AddLabels(ctx, p.Repository, done.Pull.Number, p.Bumps.Labels); err != nil {
			return done, err
		}
	}
	return done, p.stillThere(ctx, s, commit.ID)
}

// open opens the pull request. Where another run has been faster, that is the
// one; where the branches have moved since they were looked at, errMoved. commit is
// ours, if one was made.
func (p Proposer) open(ctx context.Context, plan *Plan, s standing, tree, commit string) (*gh.Pull, error) {
	pull, err := p.Forge.CreatePull(ctx, p.Repository, gh.Proposal{Title: p.title(plan), Body: p.body(plan, tree), Head: p.branch(), Base: s.Default})
	if !errors.Is(err, gh.ErrConflict) {
		return pull, err
	}
	there, lookErr := p.Forge.MadePull(ctx, p.Repository, p.branch())
	if there == nil && lookErr == nil {
		lookErr = p.stillThere(ctx, s, commit)
	}
	if there == nil || lookErr != nil {
		return nil, errors.Join(err, lookErr)
	}
	return there, nil
}

// put makes the branch hold the commit. GitHub's API moves a branch by force
// from wherever it is, so it is looked at right before, each time that it is
// tried.
func (p Proposer) put(ctx context.Context, s standing, commit string, force bool) error {
	const tries = 3
	force = force && len(s.commits) > 0
	for try := 1; ; try++ {
		err := p.putOnce(ctx, s, commit, force)
		if _, uncertain := errors.AsType[*gh.Uncertain](err); !uncertain || !force || try == tries {
			return err
		}
	}
}

func (p Proposer) putOnce(ctx context.Context, s standing, commit string, force bool) error {
	now, err := p.Repo.Tips(ctx, p.remote(), p.branch())
	switch {
	case err != nil:
		return err
	case now.Head == commit && now.Base == s.Base:
		return nil // by a try whose answer was lost
	case now != s.Tips:
		return errMoved
	}
	switch {
	case s.Head == "":
		err = p.Forge.CreateBranch(ctx, p.Repository, p.branch(), commit)
	case force:
		err = p.Forge.ForceBranch(ctx, p.Repository, p.branch(), commit)
	default:
		err = p.Forge.MoveBranch(ctx, p.Repository, p.branch(), commit)
	}
	if !errors.Is(err, gh.ErrConflict) {
		return err
	}
	if now, lookErr := p.Repo.Tips(ctx, p.remote(), p.branch()); lookErr == nil && now != s.Tips {
		return errMoved
	}
	return err
}

// stillThere looks again: the base is where it was, and the branch holds what was
// put there, or still shows what it held before, since reads may lag.
func (p Proposer) stillThere(ctx context.Context, s standing, commit string) error {
	now, err := p.Repo.Tips(ctx, p.remote(), p.branch())
	if err != nil {
		return err
	}
	if now.Base != s.Base || now.Head != s.Head && now.Head != commit {
		return errMoved
	}
	return nil
}

// needless closes a pull request that would not move anything on any more.
func (p Proposer) needless(ctx context.Context, plan, there *Plan, s standing) (Proposed, error) {
	if there == nil {
		return Proposed{State: Nothing}, nil
	}
	base, err := p.Repo.Tree(ctx, s.Base)
	if err != nil {
		return Proposed{}, err
	}
	stays := func(because string) (Proposed, error) {
		return Proposed{State: Nothing, Pull: s.open, Because: fmt.Sprintf("pull request %d %s, and stays open: %s", s.open.Number, because, s.open.URL)}, nil
	}
	switch {
	case there.isAheadOf(plan, ref.Version{}):
		return stays("moves places further than " + s.Default + " has them")
	case s.merged != base && !s.ours():
		return stays("holds commits of people")
	}
	pull, err := p.Forge.ClosePull(ctx, p.Repository, s.open, fmt.Sprintf("%s holds %s %s or newer wherever it is to follow its releases: nothing is left to be changed here.", s.Default, p.Component, plan.Move.Version))
	return Proposed{State: Closed, Pull: pull}, err
}

// explainWorkflows says what a refusal may mean where workflows are changed.
// https://docs.github.com/en/rest/authentication/permissions-required-for-github-apps
func explainWorkflows(err error, changed []gh.File) error {
	i := slices.IndexFunc(changed, func(f gh.File) bool { return strings.HasPrefix(f.Name, ".github/workflows/") })
	if i < 0 || !errors.Is(err, gh.ErrDenied) && !errors.Is(err, gh.ErrAbsent) {
		return err
	}
	return fmt.Errorf("%w; it changes %s, for which the token needs workflows: write, which only an App's or a person's can have", err, changed[i].Name)
}

func (p Proposer) remote() git.Remote { return git.Remote(p.Server + "/" + p.Repository) }

func (p Proposer) branch() string { return p.Bumps.BranchFor(p.Component) }

func files(changes []apply.Change) []git.File {
	var all []git.File
	for _, c := range changes {
		all = append(all, git.File{Name: c.File, Data: c.After, Mode: c.Mode})
	}
	return all
}
