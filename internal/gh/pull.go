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
	var list []*github.PullRequest
	err := c.asOwner(ctx, repository, func(head string) (err error) {
		list, _, err = c.api.PullRequests.List(ctx, owner, name, &github.PullRequestListOptions{
			State: "all", Head: head + ":" + branch, Sort: "created", Direction: "desc", ListOptions: github.ListOptions{PerPage: 100},
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

// OpenPull finds the open pull request from a branch of the repository itself;
// nil if there is none.
func (c *Client) OpenPull(ctx context.Context, repository, branch string) (*Pull, error) {
	all, err := c.Pulls(ctx, repository, branch)
	if i := slices.IndexFunc(all, func(p *Pull) bool { return p.Open }); i >= 0 {
		return all[i], err
	}
	return nil, err
}

// MadePull is OpenPull for one that GitHub says is there: what it shows lags some
// seconds behind.
func (c *Client) MadePull(ctx context.Context, repository, branch string) (pull *Pull, err error) {
	_, err = c.look(ctx, func(ctx context.Context) (bool, error) {
		pull, err = c.OpenPull(ctx, repository, branch)
		return pull != nil, err
	})
	return pull, err
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
	return asPull(c.patchPull(ctx, repository, number, &github.PullRequest{Title: &title, Body: &body}))
}

// ClosePull closes a pull request, with the reason as a comment of its own, which
// is not made twice. What GitHub shows lags behind what was written, and its answer
// to a write does not: so first the title is written as it is.
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

// comment says something once in a pull request that has so many comments, of which
// not all may be shown yet.
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

func (c *Client) patchPull(ctx context.Context, repository string, number int, edit *github.PullRequest) (*github.PullRequest, error) {
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

func asPull(p *github.PullRequest, err error) (*Pull, error) {
	if err != nil {
		return nil, err
	}
	return pullOf(p), nil
}

func pullOf(p *github.PullRequest) *Pull {
	pull := &Pull{Number: p.GetNumber(), URL: p.GetHTMLURL(), Head: p.GetHead().GetSHA(), Open: p.GetState() == "open",
		Merged: p.MergedAt != nil, Title: p.GetTitle(), Body: p.GetBody()}
	for _, l := range p.Labels {
		pull.Labels = append(pull.Labels, l.GetName())
	}
	return pull
}
