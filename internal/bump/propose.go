package bump

import (
	"context"
	"fmt"
	"strings"

	"github.com/kubestellar/actions/internal/apply"
	"github.com/kubestellar/actions/internal/gh"
	"github.com/kubestellar/actions/internal/git"
	"github.com/kubestellar/actions/internal/outcome"
	"github.com/kubestellar/actions/internal/report"
)

// Proposer opens pull requests in one repository.
type Proposer struct {
	Forge      *gh.Client
	Repo       git.Repo // a clone of it
	Repository string   // owner/name
	Server     string   // https://github.com
	Upstream   string   // owner/name of the component's repository
}

// Propose opens one pull request with a plan's changes, in one commit on top of
// the clone's HEAD, which must be the tip of the branch that it is for. Where
// the same was proposed already, that is the answer. Neither the work tree nor
// anybody's branch is touched.
func (p Proposer) Propose(ctx context.Context, plan *Plan) (*gh.Pull, error) {
	base, err := p.Forge.DefaultBranch(ctx, p.Repository)
	if err != nil {
		return nil, err
	}
	head, err := p.tip(ctx, base)
	if err != nil {
		return nil, err
	}
	title := fmt.Sprintf("✨ Bump %s to %s", plan.Wish.Component, plan.Wish.Version)
	commit, err := p.Repo.CommitFiles(ctx, head, title+"\n\n"+plan.summary(), files(plan.Changes))
	if err != nil {
		return nil, err
	}
	branch := fmt.Sprintf("bump-%s-%s", plan.Wish.Component, plan.Wish.Version)
	if err := p.push(ctx, commit, branch); err != nil {
		return nil, err
	}
	open, err := p.Forge.OpenPull(ctx, p.Repository, branch)
	if open != nil || err != nil {
		return open, err
	}
	return p.Forge.CreatePull(ctx, p.Repository, gh.Proposal{Title: title, Body: plan.body(p), Head: branch, Base: base})
}

// tip is the commit of the branch, if the clone has it checked out.
func (p Proposer) tip(ctx context.Context, branch string) (string, error) {
	head, err := p.Repo.Head(ctx)
	if err != nil {
		return "", err
	}
	tip, err := p.Repo.RemoteBranch(ctx, p.remote(), branch)
	if err == nil && tip != head {
		err = outcome.Usagef("HEAD is %s, but %s of %s is %s: check that out, since a pull request is built on it", head, branch, p.Repository, tip)
	}
	return head, err
}

func (p Proposer) remote() git.Remote { return git.Remote(p.Server + "/" + p.Repository) }

// push creates the branch, unless it is there with the same files.
func (p Proposer) push(ctx context.Context, commit, branch string) error {
	there, err := p.Repo.RemoteBranch(ctx, p.remote(), branch)
	if err != nil {
		return err
	}
	if there == "" {
		return p.Repo.PushBranch(ctx, p.remote(), commit, branch)
	}
	same, err := p.Repo.SameTree(ctx, p.remote(), there, commit)
	if err == nil && !same {
		err = outcome.Wrongf("branch %s of %s is there with other contents: somebody works on it; delete it to have it made anew", branch, p.Repository)
	}
	return err
}

func files(changes []apply.Change) []git.File {
	var all []git.File
	for _, c := range changes {
		all = append(all, git.File{Name: c.File, Data: c.After, Mode: c.Mode})
	}
	return all
}

// summary is what the commit says.
func (p *Plan) summary() string {
	text := fmt.Sprintf("%s %s in %s.", p.Wish.Component, p.Wish.Version, report.Count(len(p.Edits), "place"))
	for _, c := range p.Changes {
		if c.By != "" {
			text += fmt.Sprintf("\n%s is derived by %s.", c.File, c.By)
		}
	}
	return text
}

// body is what the pull request says.
func (p *Plan) body(of Proposer) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s [%s](%s/%s/releases/tag/%s) is released; its tag, the artifacts that are named here and what its charts run were seen.\n\n",
		p.Wish.Component, p.Wish.Version, of.Server, of.Upstream, p.Wish.Version.Tag())
	b.WriteString("| place | from | to |\n|---|---|---|\n")
	for _, e := range p.Edits {
		note := ""
		if e.Behind {
			note = " (was behind the others)"
		}
		fmt.Fprintf(&b, "| `%s:%d` | `%s`%s | `%s` |\n", e.File, e.Line, e.Written, note, e.To)
	}
	if len(p.Left) > 0 {
		b.WriteString("\nLeft alone:\n\n| place | version | because |\n|---|---|---|\n")
		for _, l := range p.Left {
			fmt.Fprintf(&b, "| `%s:%d` | `%s` | %s |\n", l.File, l.Line, l.Written, report.Cell(l.Because))
		}
	}
	for _, open := range p.Unchecked {
		fmt.Fprintf(&b, "\nNot proven: %s (%s)\n", report.Cell(open.What), report.Cell(open.Because))
	}
	return b.String()
}
