package gh

import (
	"context"
	"errors"
	"fmt"
)

// Tag is a tag of a repository.
type Tag struct {
	Object string // that the tag names: the tag's own object, or the commit
	Commit string // that it leads to
	Tagger string // the name of who made it; "" of a lightweight tag
}

// Annotated tells whether the tag has an object of its own.
func (t Tag) Annotated() bool { return t.Object != t.Commit }

// workflowIdentity is who the token of a workflow acts as, on every server.
const workflowIdentity = "github-actions[bot]"

// ByWorkflow tells whether a workflow's own token has made the tag. Such a tag
// starts no workflow:
// https://docs.github.com/en/actions/how-tos/write-workflows/choose-when-workflows-run/trigger-a-workflow
func (t Tag) ByWorkflow() bool { return t.Tagger == workflowIdentity }

type gitObject struct {
	SHA  string `json:"sha"`
	Type string `json:"type"`
}

type tagObject struct {
	SHA    string    `json:"sha"`
	Object gitObject `json:"object"`
	Tagger struct {
		Name string `json:"name"`
	} `json:"tagger"`
}

// Tag looks for a tag of a repository; nil without one.
func (c *Client) Tag(ctx context.Context, repository, name string) (*Tag, error) {
	var ref struct {
		Object gitObject `json:"object"`
	}
	err := c.get(ctx, "repos/"+repository+"/git/ref/tags/"+name, &ref)
	if errors.Is(err, ErrAbsent) {
		return nil, c.Reaches(ctx, repository)
	}
	if err != nil {
		return nil, err
	}
	return c.followed(ctx, repository, name, ref.Object)
}

// MadeTag is Tag for one that has just been made: what GitHub shows lags some
// seconds behind.
func (c *Client) MadeTag(ctx context.Context, repository, name string) (tag *Tag, err error) {
	_, err = c.look(ctx, func(ctx context.Context) (bool, error) {
		tag, err = c.Tag(ctx, repository, name)
		return tag != nil, err
	})
	return tag, err
}

// followed dereferences what a tag names, down to its commit.
func (c *Client) followed(ctx context.Context, repository, name string, at gitObject) (*Tag, error) {
	const deepest = 5 // a tag may name a tag; nobody has a reason for more
	tag := &Tag{Object: at.SHA}
	for range deepest {
		if at.Type != "tag" {
			break
		}
		var object tagObject
		if err := c.get(ctx, "repos/"+repository+"/git/tags/"+at.SHA, &object); err != nil {
			return nil, err
		}
		at, tag.Tagger = object.Object, object.Tagger.Name
	}
	if at.Type != "commit" {
		return nil, fmt.Errorf("reading tag %s of %s: it leads to a %s, want a commit", name, repository, at.Type)
	}
	tag.Commit = at.SHA
	return tag, nil
}

// CreateTag makes an annotated tag on a commit. Its tagger is who the token acts
// as: none is given, so that GitHub writes the account's own name and address. A
// tag that is there is never moved: GitHub refuses.
func (c *Client) CreateTag(ctx context.Context, repository, name, commit, message string) error {
	object := map[string]string{"tag": name, "message": message, "object": commit, "type": "commit"}
	err := c.write(ctx, func() error {
		var made tagObject // one that no ref names is nothing, and GitHub collects it
		if err := c.post(ctx, "repos/"+repository+"/git/tags", object, &made); err != nil {
			return err
		}
		return c.post(ctx, "repos/"+repository+"/git/refs", map[string]string{"ref": "refs/tags/" + name, "sha": made.SHA}, nil)
	}, func(ctx context.Context) (bool, error) {
		there, err := c.Tag(ctx, repository, name)
		return there != nil && there.Commit == commit, err
	})
	if err != nil {
		return c.explain(fmt.Sprintf("making tag %s of %s", name, repository), err)
	}
	return nil
}
