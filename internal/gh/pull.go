package gh

import (
	"context"
	"fmt"

	"github.com/google/go-github/v62/github"
)

// Pull is a pull request.
type Pull struct {
	Number int
	URL    string // the page
	Head   string // the commit
}

// Proposal is a pull request to be.
type Proposal struct{ Title, Body, Head, Base string }

// OpenPull finds the open pull request from a branch of the repository itself;
// nil if there is none.
func (c *Client) OpenPull(ctx context.Context, repository, branch string) (*Pull, error) {
	owner, name := split(repository)
	list, _, err := c.api.PullRequests.List(ctx, owner, name, &github.PullRequestListOptions{State: "open", Head: owner + ":" + branch})
	if err != nil {
		return nil, c.explain(fmt.Sprintf("looking for a pull request from %s in %s", branch, repository), err)
	}
	if len(list) == 0 {
		return nil, nil
	}
	return pullOf(list[0]), nil
}

// CreatePull opens a pull request.
func (c *Client) CreatePull(ctx context.Context, repository string, p Proposal) (*Pull, error) {
	owner, name := split(repository)
	var open *Pull
	err := c.write(ctx, func() error {
		made, _, err := c.api.PullRequests.Create(ctx, owner, name, &github.NewPullRequest{Title: &p.Title, Body: &p.Body, Head: &p.Head, Base: &p.Base})
		open = pullOf(made)
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
	return &Pull{p.GetNumber(), p.GetHTMLURL(), p.GetHead().GetSHA()}
}
