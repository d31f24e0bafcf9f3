package gh

import (
	"context"
	"fmt"
	"slices"

	"github.com/google/go-github/v62/github"
)

// Pull is a pull request.
type Pull struct {
	Number      int
	URL         string // the page
	Head        string // the commit of its branch
	Open        bool
	Merged      bool
	Title, Body string
	Labels      []string
}

// Proposal is a pull request to be.
type Proposal struct{ Title, Body, Head, Base string }

// Pulls are the pull requests from a branch of the repository itself, open or
// not, the newest first.
func (c *Client) Pulls(ctx context.Context, repository, branch string) ([]*Pull, error) {
	owner, name := split(repository)
	list, _, err := c.api.PullRequests.List(ctx, owner, name, &github.PullRequestListOptions{
		State: "all", Head: owner + ":" + branch, Sort: "created", Direction: "desc", ListOptions: github.ListOptions{PerPage: 100},
	})
	if err != nil {
		return nil, c.explain(fmt.Sprintf("looking for pull requests from %s in %s", branch, repository), err)
	}
	var pulls []*Pull
	for _, p := range list {
		pulls = append(pulls, pullOf(p))
	}
	return pulls, nil
}

// OpenPull finds the open pull request from a branch of the repository itself;
// nil if there is none.
func (c *Client) OpenPull(ctx context.Context, repository, branch string) (*Pull, error) {
	all, err := c.Pulls(ctx, repository, branch)
	if i := slices.IndexFunc(all, func(p *Pull) bool { return p.Open }); i >= 0 {
		return all[i], err
	}
	return nil, err
}

// Discussed tells whether people have said something in a pull request. What
// bots say does not count.
func (c *Client) Discussed(ctx context.Context, repository string, number int) (bool, error) {
	owner, name := split(repository)
	pull, _, err := c.api.PullRequests.Get(ctx, owner, name, number)
	if err != nil {
		return false, c.explain(fmt.Sprintf("looking at pull request %d of %s", number, repository), err)
	}
	if pull.GetReviewComments() > 0 || pull.GetComments() == 0 {
		return pull.GetReviewComments() > 0, nil
	}
	comments, err := c.comments(ctx, repository, number)
	return slices.ContainsFunc(comments, func(c *github.IssueComment) bool { return c.GetUser().GetType() != "Bot" }), err
}

// comments are all of a pull request.
func (c *Client) comments(ctx context.Context, repository string, number int) ([]*github.IssueComment, error) {
	owner, name := split(repository)
	var all []*github.IssueComment
	for options := (&github.IssueListCommentsOptions{ListOptions: github.ListOptions{PerPage: 100}}); ; {
		list, res, err := c.api.Issues.ListComments(ctx, owner, name, number, options)
		if err != nil {
			return nil, c.explain(fmt.Sprintf("reading the comments of pull request %d of %s", number, repository), err)
		}
		all = append(all, list...)
		if res.NextPage == 0 {
			return all, nil
		}
		options.Page = res.NextPage
	}
}

// CreatePull opens a pull request.
func (c *Client) CreatePull(ctx context.Context, repository string, p Proposal) (*Pull, error) {
	owner, name := split(repository)
	var open *Pull
	err := c.write(ctx, func() error {
		made, _, err := c.api.PullRequests.Create(ctx, owner, name, &github.NewPullRequest{Title: &p.Title, Body: &p.Body, Head: &p.Head, Base: &p.Base})
		if err == nil {
			open = pullOf(made)
		}
		return err
	}, func(ctx context.Context) (seen bool, err error) {
		open, err = c.OpenPull(ctx, repository, p.Head)
		return open != nil, err
	})
	if err != nil {
		return nil, c.explain(fmt.Sprintf("opening a pull request from %s in %s", p.Head, repository), err)
	}
	return open, nil
}

// EditPull gives a pull request another title and text.
func (c *Client) EditPull(ctx context.Context, repository string, number int, title, body string) (*Pull, error) {
	return c.patchPull(ctx, repository, number, &github.PullRequest{Title: &title, Body: &body})
}

// ClosePull closes a pull request, with the reason as a comment of its own, which
// is not made twice.
func (c *Client) ClosePull(ctx context.Context, repository string, number int, because string) (*Pull, error) {
	said := func(ctx context.Context) (bool, error) {
		all, err := c.comments(ctx, repository, number)
		return slices.ContainsFunc(all, func(c *github.IssueComment) bool { return c.GetBody() == because }), err
	}
	there, err := said(ctx)
	if err != nil {
		return nil, err
	}
	if !there {
		owner, name := split(repository)
		err := c.write(ctx, func() error {
			_, _, err := c.api.Issues.CreateComment(ctx, owner, name, number, &github.IssueComment{Body: &because})
			return err
		}, said)
		if err != nil {
			return nil, c.explain(fmt.Sprintf("commenting on pull request %d of %s", number, repository), err)
		}
	}
	return c.patchPull(ctx, repository, number, &github.PullRequest{State: github.String("closed")})
}

func (c *Client) patchPull(ctx context.Context, repository string, number int, edit *github.PullRequest) (*Pull, error) {
	owner, name := split(repository)
	var edited *github.PullRequest
	err := c.twice(func() (err error) {
		edited, _, err = c.api.PullRequests.Edit(ctx, owner, name, number, edit)
		return err
	})
	if err != nil {
		return nil, c.explain(fmt.Sprintf("editing pull request %d of %s", number, repository), err)
	}
	return pullOf(edited), nil
}

// AddLabels gives a pull request labels, which are made where the repository has
// none of that name.
func (c *Client) AddLabels(ctx context.Context, repository string, number int, labels []string) error {
	owner, name := split(repository)
	err := c.twice(func() error {
		_, _, err := c.api.Issues.AddLabelsToIssue(ctx, owner, name, number, labels)
		return err
	})
	if err != nil {
		return c.explain(fmt.Sprintf("labelling pull request %d of %s", number, repository), err)
	}
	return nil
}

// MergePull merges a pull request whose head is still the commit that p says.
func (c *Client) MergePull(ctx context.Context, repository string, p *Pull) error {
	owner, name := split(repository)
	err := c.write(ctx, func() error {
		_, _, err := c.api.PullRequests.Merge(ctx, owner, name, p.Number, "", &github.PullRequestOptions{SHA: p.Head, MergeMethod: "merge"})
		return err
	}, func(ctx context.Context) (bool, error) {
		now, _, err := c.api.PullRequests.Get(ctx, owner, name, p.Number)
		return now.GetMerged(), err
	})
	if err != nil {
		return c.explain(fmt.Sprintf("merging pull request %d of %s", p.Number, repository), err)
	}
	return nil
}

// DefaultBranch is the branch that a repository's pull requests are for.
func (c *Client) DefaultBranch(ctx context.Context, repository string) (string, error) {
	owner, name := split(repository)
	repo, _, err := c.api.Repositories.Get(ctx, owner, name)
	if err != nil {
		return "", c.explain("looking at "+repository, err)
	}
	return repo.GetDefaultBranch(), nil
}

func pullOf(p *github.PullRequest) *Pull {
	pull := &Pull{Number: p.GetNumber(), URL: p.GetHTMLURL(), Head: p.GetHead().GetSHA(), Open: p.GetState() == "open",
		Merged: p.MergedAt != nil, Title: p.GetTitle(), Body: p.GetBody()}
	for _, l := range p.Labels {
		pull.Labels = append(pull.Labels, l.GetName())
	}
	return pull
}
