package bump

import (
	"context"
	"errors"
	"fmt"

	"github.com/kubestellar/actions/internal/decide"
	"github.com/kubestellar/actions/internal/git"
	"github.com/kubestellar/actions/internal/report"
)

// step is a commit of a proposal.
type step struct {
	tree string // of the commit
	text string // the message, without trailers
}

// steps returns the commits of a plan for a commit or tree: one for the places that were
// current, and one on top for those that were behind. Derived files are part of the last
// one, because the commands run once.
func (a *attempt) steps(ctx context.Context, plan *Plan, of string) ([]step, error) {
	tree, err := a.Repo.WriteTree(ctx, of, files(plan.Changes))
	if err != nil {
		return nil, err
	}
	current, behind := plan.Split()
	if len(plan.Current) == 0 {
		text := a.subject(plan.Edits)
		if len(behind) > 0 {
			text += "\n" + reasons(behind)
		}
		return []step{{tree, text + plan.derivations()}}, nil
	}
	first, err := a.Repo.WriteTree(ctx, of, files(plan.Current))
	if err != nil {
		return nil, err
	}
	catchUp := fmt.Sprintf("Catch up %s of %s\n\n", report.Count(len(behind), "place"), a.Move.Component)
	return []step{
		{first, a.subject(current)},
		{tree, catchUp + reasons(behind) + plan.derivations()},
	}, nil
}

// lastTree returns the tree that the steps result in.
func lastTree(steps []step) string { return steps[len(steps)-1].tree }

// has reports whether the branch consists of these steps. Each of its commits must have
// the tree of a step when it is merged into the default branch.
func (a *attempt) has(ctx context.Context, steps []step) (bool, error) {
	if len(a.commits) != len(steps) || a.merged != lastTree(steps) || !a.isLine() {
		return false, nil
	}
	for i, s := range steps[:len(steps)-1] {
		tree, err := a.Repo.Merge(ctx, a.Base, a.commits[i].ID)
		if _, conflict := errors.AsType[*git.ConflictError](err); conflict {
			return false, nil
		}
		if err != nil || tree != s.tree {
			return false, err
		}
	}
	return true, nil
}

// subject returns the subject and the first line of a message.
func (a *attempt) subject(edits []decide.Edit) string {
	return fmt.Sprintf("%s\n\n%s %s in %s.\n",
		a.title(), a.Move.Component, a.Move.Version, report.Count(len(edits), "place"))
}

// mostReasons is the limit of places in a message.
const mostReasons = 100

// reasons lists the places that catch up, each with its old version and the reason.
func reasons(behind []decide.Edit) string {
	text := "These places have an older version than the others:\n"
	for i, e := range behind {
		if i == mostReasons {
			return text + fmt.Sprintf("- and %d more\n", len(behind)-i)
		}
		text += fmt.Sprintf("- %s:%d, %s: %s\n",
			report.Plain(e.File), e.Line, report.Plain(e.Written), report.Plain(e.Reason()))
	}
	return text
}

// derivations names the commands that derived files.
func (p *Plan) derivations() (text string) {
	for _, c := range p.Changes {
		if c.By != "" {
			text += fmt.Sprintf("%s is derived by %s.\n", report.Plain(c.File), report.Plain(c.By))
		}
	}
	return text
}

// signOff certifies that the change may be given: https://developercertificate.org
const signOff = "Signed-off-by: "

// message returns the commit's message. It is not signed off without an author.
func (s step) message(author string) string {
	text := s.text + "\n" + treeTrailer + s.tree + "\n"
	if author != "" {
		text += signOff + author + "\n"
	}
	return text
}
