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
	URL         string // the web page
	Head        string // the commit at the tip of its branch
	Open        bool
	Merged      bool
	Title, Body string
	Labels      []string
}

// Proposal describes a pull request to open.
type Proposal struct{ Title, Body, Head, Base string }

// Pulls returns the open and closed pull requests from a branch of the repository, the
// newest first.
func (c *Client) Pulls(ctx context.Context, repository, branch string) ([]*Pull, error) {
	owner, name := split(repository)
	var list []*github.PullRequest
	err := c.asOwner(ctx, repository, func(head string) (err error) {
		list, _, err = c.api.PullRequests.List(ctx, owner, name, &github.PullRequestListOptions{
			State: "all", Head: head + ":" + branch, Sort: "created", Direction: "desc",
			ListOptions: github.ListOptions{PerPage: 100},
		})
		return err
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

// OpenPull returns the open pull request from a branch of the repository, or nil.
func (c *Client) OpenPull(ctx context.Context, repository, branch string) (*Pull, error) {
	all, err := c.Pulls(ctx, repository, branch)
	if i := slices.IndexFunc(all, func(p *Pull) bool { return p.Open }); i >= 0 {
		return all[i], err
	}
	return nil, err
}

// WaitForPull returns an open pull request that has just been opened. It retries,
// because GitHub shows new objects some seconds late.
func (c *Client) WaitForPull(ctx context.Context, repository, branch string) (pull *Pull, err error) {
	_, err = c.look(ctx, func(ctx context.Context) (bool, error) {
		pull, err = c.OpenPull(ctx, repository, branch)
		return pull != nil, err
	})
	return pull, err
}

// Discussed reports whether a pull request has comments by people, not only by bots.
func (c *Client) Discussed(ctx context.Context, repository string, number int) (bool, error) {
	owner, name := split(repository)
	pull, _, err := c.api.PullRequests.Get(ctx, owner, name, number)
	if err != nil {
		return false, c.explain(fmt.Sprintf("reading pull request %d of %s", number, repository), err)
	}
	if pull.GetReviewComments() > 0 || pull.GetComments() == 0 {
		return pull.GetReviewComments() > 0, nil
	}
	comments, err := c.comments(ctx, repository, number)
	byPerson := func(c *github.IssueComment) bool { return c.GetUser().GetType() != "Bot" }
	return slices.ContainsFunc(comments, byPerson), err
}

// comments returns all comments of a pull request.
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
		pull := &github.NewPullRequest{Title: &p.Title, Body: &p.Body, Head: &p.Head, Base: &p.Base}
		made, _, err := c.api.PullRequests.Create(ctx, owner, name, pull)
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

// EditPull changes the title and text of a pull request.
func (c *Client) EditPull(ctx context.Context, repository string, number int, title, body string) (*Pull, error) {
	return asPull(c.patchPull(ctx, repository, number, &github.PullRequest{Title: &title, Body: &body}))
}

// ClosePull comments on a pull request, unless that comment already exists, and closes
// it. It writes the unchanged title first: GitHub's response to a write is current,
// while its responses to reads can be some seconds old.
func (c *Client) ClosePull(ctx context.Context, repository string, p *Pull, because string) (*Pull, error) {
	now, err := c.patchPull(ctx, repository, p.Number, &github.PullRequest{Title: &p.Title})
	if err != nil || now.GetState() == "closed" {
		return asPull(now, err)
	}
	if err := c.comment(ctx, repository, p.Number, now.GetComments(), because); err != nil {
		return nil, err
	}
	return asPull(c.patchPull(ctx, repository, p.Number, &github.PullRequest{State: github.String("closed")}))
}

// comment adds a comment to a pull request, unless it already exists. The pull request
// has known comments, but GitHub may not show all of them yet.
func (c *Client) comment(ctx context.Context, repository string, number, known int, text string) error {
	there, all := false, false
	read := func(ctx context.Context) error {
		shown, err := c.comments(ctx, repository, number)
		there = slices.ContainsFunc(shown, func(c *github.IssueComment) bool { return c.GetBody() == text })
		all = len(shown) >= known
		return err
	}
	if known > 0 {
		_, err := c.look(ctx, func(ctx context.Context) (bool, error) { err := read(ctx); return there || all, err })
		if there || err != nil {
			return err
		}
	}
	owner, name := split(repository)
	err := c.write(ctx, func() error {
		_, _, err := c.api.Issues.CreateComment(ctx, owner, name, number, &github.IssueComment{Body: &text})
		return err
	}, func(ctx context.Context) (bool, error) { err := read(ctx); return there, err })
	if err != nil {
		return c.explain(fmt.Sprintf("commenting on pull request %d of %s", number, repository), err)
	}
	return nil
}

func (c *Client) patchPull(
	ctx context.Context, repository string, number int, edit *github.PullRequest,
) (*github.PullRequest, error) {
	owner, name := split(repository)
	var edited *github.PullRequest
	err := c.twice(func() (err error) {
		edited, _, err = c.api.PullRequests.Edit(ctx, owner, name, number, edit)
		return err
	})
	if err != nil {
		return nil, c.explain(fmt.Sprintf("editing pull request %d of %s", number, repository), err)
	}
	return edited, nil
}

// AddLabels adds labels to a pull request. GitHub creates the labels that the repository
// does not have.
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

// MergePull merges a pull request if its head is still p.Head.
func (c *Client) MergePull(ctx context.Context, repository string, p *Pull) error {
	owner, name := split(repository)
	err := c.write(ctx, func() error {
		options := &github.PullRequestOptions{SHA: p.Head, MergeMethod: "merge"}
		_, _, err := c.api.PullRequests.Merge(ctx, owner, name, p.Number, "", options)
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

// DefaultBranch returns the name of a repository's default branch.
func (c *Client) DefaultBranch(ctx context.Context, repository string) (string, error) {
	owner, name := split(repository)
	repo, _, err := c.api.Repositories.Get(ctx, owner, name)
	if err != nil {
		return "", c.explain("reading the default branch of "+repository, err)
	}
	return repo.GetDefaultBranch(), nil
}

func asPull(p *github.PullRequest, err error) (*Pull, error) {
	if err != nil {
		return nil, err
	}
	return pullOf(p), nil
}

func pullOf(p *github.PullRequest) *Pull {
	pull := &Pull{
		Number: p.GetNumber(),
		URL:    p.GetHTMLURL(),
		Head:   p.GetHead().GetSHA(),
		Open:   p.GetState() == "open",
		Merged: p.MergedAt != nil,
		Title:  p.GetTitle(),
		Body:   p.GetBody(),
	}
	for _, l := range p.Labels {
		pull.Labels = append(pull.Labels, l.GetName())
	}
	return pull
}
