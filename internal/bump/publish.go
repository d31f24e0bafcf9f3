package bump

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/kubestellar/actions/internal/gh"
	"github.com/kubestellar/actions/internal/git"
	"github.com/kubestellar/actions/internal/outcome"
)

// commit makes a commit for each step through GitHub's API, each on top of the one
// before, and on no branch yet.
func (a *attempt) commit(ctx context.Context, steps []step, parents []string) ([]gh.Commit, error) {
	tree, err := a.Repo.Tree(ctx, a.Base)
	if err != nil {
		return nil, err
	}
	author := a.lastOfOurs().Author
	var commits []gh.Commit
	for _, s := range steps {
		if err := a.createTree(ctx, tree, s.tree); err != nil {
			return nil, err
		}
		commit, err := a.commitStep(ctx, s, author, parents)
		if err != nil {
			return nil, err
		}
		commits = append(commits, commit)
		tree, author, parents = s.tree, commit.Author, []string{commit.ID}
	}
	return commits, nil
}

// createTree creates a tree at GitHub from another one that GitHub has.
func (a *attempt) createTree(ctx context.Context, from, tree string) error {
	changed, err := a.changed(ctx, from, tree)
	if err != nil {
		return err
	}
	made, err := a.Forge.CreateTree(ctx, a.Repository, from, changed)
	if err != nil {
		return explainWorkflows(err, changed)
	}
	if made != tree {
		return outcome.Wrongf("GitHub made tree %s of the change, want %s: nothing was proposed", made, tree)
	}
	return nil
}

// commitStep makes the commit of a step. GitHub decides who its author is. If no
// earlier commit of ours shows the author, the sign-off is only right in the second try.
func (a *attempt) commitStep(ctx context.Context, s step, author string, parents []string) (gh.Commit, error) {
	for range 2 {
		commit, err := a.Forge.CreateCommit(ctx, a.Repository, s.message(author), s.tree, parents)
		if err != nil || commit.Author == author {
			return commit, err
		}
		author = commit.Author
	}
	return gh.Commit{}, fmt.Errorf(
		"GitHub names another author for each commit, lastly %s: nothing was proposed", author)
}

// changed returns the files in which two trees differ. Files that GitHub has already
// are named by id, the others carry their content.
func (a *attempt) changed(ctx context.Context, from, tree string) ([]gh.File, error) {
	entries, err := a.Repo.Differ(ctx, from, tree)
	if err != nil {
		return nil, err
	}
	isNew := func(string) bool { return true }
	if a.Head != "" {
		fresh, err := a.Repo.Differ(ctx, a.Head, tree)
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
			if file.Content, err = a.Repo.Blob(ctx, e.ID); err != nil {
				return nil, err
			}
			file.ID = ""
		}
		all = append(all, file)
	}
	return all, nil
}

// submodule is git's mode for a commit of another repository.
const submodule = "160000"

// show moves the branch to the last commit, if any was made, and opens or edits the
// pull request to match. tree is that of our last commit, old or new.
func (a *attempt) show(ctx context.Context, tree string, commits []gh.Commit, state State) (Proposed, error) {
	done := Proposed{State: state, Commits: commits, Pull: a.open}
	commit := done.Commit()
	if commit.ID != "" {
		if err := a.put(ctx, commit.ID, state); err != nil {
			return Proposed{}, err
		}
	}
	var err error
	switch {
	case a.open == nil:
		done.State = Opened
		done.Pull, err = a.openPull(ctx, tree, commit.ID)
	case !isAbout(a.open, tree):
		done.Pull, err = a.Forge.EditPull(ctx, a.Repository, a.open.Number, a.title(), a.body(tree))
		if done.State == Unchanged {
			done.State = Replaced
		}
	}
	if err != nil {
		return done, err
	}
	// A label that a person took away stays away. No label at all means that an
	// earlier run stopped before it added them.
	if labels := a.file.Bumps.Labels; len(done.Pull.Labels) == 0 && len(labels) > 0 {
		if err := a.Forge.AddLabels(ctx, a.Repository, done.Pull.Number, labels); err != nil {
			return done, err
		}
	}
	return done, a.stillThere(ctx, commit.ID)
}

// openPull opens the pull request, or returns the one that another run has opened
// meanwhile. If the branches have moved since they were read, it returns errMoved.
func (a *attempt) openPull(ctx context.Context, tree, commit string) (*gh.Pull, error) {
	pull, err := a.Forge.CreatePull(ctx, a.Repository, gh.Proposal{
		Title: a.title(), Body: a.body(tree), Head: a.branchName(), Base: a.Default})
	if !errors.Is(err, gh.ErrConflict) {
		return pull, err
	}
	other, readErr := a.Forge.WaitForPull(ctx, a.Repository, a.branchName())
	if other == nil && readErr == nil {
		readErr = a.stillThere(ctx, commit)
	}
	if other == nil || readErr != nil {
		return nil, errors.Join(err, readErr)
	}
	return other, nil
}

// moveBranch is one of the ways in which gh.Client moves a branch.
type moveBranch func(ctx context.Context, repository, branch, commit string) error

// put moves the branch to the commit. GitHub's API has no compare-and-swap for
// branches, so the branch is read again just before each try. A push in that
// instant is overwritten.
func (a *attempt) put(ctx context.Context, commit string, state State) error {
	switch {
	case a.Head == "":
		return a.putOnce(ctx, commit, a.Forge.CreateBranch)
	case state != Replaced || len(a.commits) == 0:
		return a.putOnce(ctx, commit, a.Forge.MoveBranch)
	}
	const tries = 3
	for try := 1; ; try++ {
		err := a.putOnce(ctx, commit, a.Forge.ForceBranch)
		if _, uncertain := errors.AsType[*gh.Uncertain](err); !uncertain || try == tries {
			return err
		}
	}
}

func (a *attempt) putOnce(ctx context.Context, commit string, move moveBranch) error {
	now, err := a.Repo.Tips(ctx, a.remote(), a.branchName())
	switch {
	case err != nil:
		return err
	case now.Head == commit && now.Base == a.Base:
		return nil // by a try whose answer was lost
	case now != a.Tips:
		return errMoved
	}
	err = move(ctx, a.Repository, a.branchName(), commit)
	if !errors.Is(err, gh.ErrConflict) {
		return err
	}
	if now, readErr := a.Repo.Tips(ctx, a.remote(), a.branchName()); readErr == nil && now != a.Tips {
		return errMoved
	}
	return err
}

// stillThere returns errMoved if a branch has moved. The proposal's branch may
// still show its old head, because reads lag behind.
func (a *attempt) stillThere(ctx context.Context, commit string) error {
	now, err := a.Repo.Tips(ctx, a.remote(), a.branchName())
	if err != nil {
		return err
	}
	if now.Base != a.Base || now.Head != a.Head && now.Head != commit {
		return errMoved
	}
	return nil
}

// explainWorkflows adds to a refusal that a workflow file needs another permission.
// https://docs.github.com/en/rest/authentication/permissions-required-for-github-apps
func explainWorkflows(err error, changed []gh.File) error {
	i := slices.IndexFunc(changed, func(f gh.File) bool { return strings.HasPrefix(f.Name, ".github/workflows/") })
	if i < 0 || !errors.Is(err, gh.ErrDenied) && !errors.Is(err, gh.ErrAbsent) {
		return err
	}
	return fmt.Errorf("%w; it changes %s, for which the token needs workflows: write, "+
		"which only an App's or a person's can have", err, changed[i].Name)
}
