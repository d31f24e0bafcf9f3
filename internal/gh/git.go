package gh

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/google/go-github/v62/github"
)

// File is one file of a tree to be made. Content is put there as it is; without
// it, ID names a blob that the repository has, and without both the file goes.
type File struct {
	Name, Mode string // mode as git writes it: 100644, 100755, 120000, 160000
	Content    []byte
	ID         string
}

// treeEntries is how many files GitHub takes in one request for a tree.
// https://docs.github.com/en/rest/git/trees#create-a-tree
const treeEntries = 100

// CreateTree makes a tree of another one with some files changed, and tells its
// id. A tree that is there already is the same one.
func (c *Client) CreateTree(ctx context.Context, repository, base string, files []File) (id string, err error) {
	owner, name := split(repository)
	for len(files) > 0 {
		part := files[:min(len(files), treeEntries)]
		files = files[len(part):]
		entries, err := c.entries(ctx, repository, part)
		if err != nil {
			return "", err
		}
		var tree *github.Tree
		err = c.twice(func() (err error) {
			tree, _, err = c.api.Git.CreateTree(ctx, owner, name, base, entries)
			return err
		})
		if err != nil {
			return "", c.explain(fmt.Sprintf("making a tree of %s", repository), err)
		}
		base = tree.GetSHA()
	}
	return base, nil
}

func (c *Client) entries(ctx context.Context, repository string, files []File) ([]*github.TreeEntry, error) {
	var entries []*github.TreeEntry
	for _, f := range files {
		entry := &github.TreeEntry{Path: &f.Name, Mode: &f.Mode, Type: github.String("blob")}
		if f.Mode == "160000" {
			entry.Type = github.String("commit")
		}
		id := f.ID
		if f.Content != nil && !isText(f.Content) {
			var err error
			if id, err = c.createBlob(ctx, repository, f); err != nil {
				return nil, err
			}
		}
		switch {
		case id != "":
			entry.SHA = &id
		case f.Content != nil:
			entry.Content = github.String(string(f.Content))
		}
		entries = append(entries, entry)
	}
	return entries, nil
}

// isText tells whether content may stand in a request for a tree as it is: JSON
// holds no other bytes than those of UTF-8.
func isText(content []byte) bool { return utf8.Valid(content) }

func (c *Client) createBlob(ctx context.Context, repository string, f File) (id string, err error) {
	owner, name := split(repository)
	blob := &github.Blob{Content: github.String(base64.StdEncoding.EncodeToString(f.Content)), Encoding: github.String("base64")}
	var made *github.Blob
	err = c.twice(func() (err error) {
		made, _, err = c.api.Git.CreateBlob(ctx, owner, name, blob)
		return err
	})
	if err != nil {
		return "", c.explain(fmt.Sprintf("storing %s in %s", f.Name, repository), err)
	}
	return made.GetSHA(), nil
}

// Commit is a commit that GitHub made.
type Commit struct {
	ID string
	// Author is the identity that the token stands for: Name <mail>.
	Author string
	// Verified tells whether GitHub signed it, and Reason what GitHub says of its
	// signature: https://docs.github.com/en/rest/git/commits#create-a-commit
	Verified bool
	Reason   string
}

// Signature is the commit's signature in words.
func (c Commit) Signature() string {
	if c.Verified {
		return "signed by GitHub (" + c.Reason + ")"
	}
	return "not signed (" + c.Reason + ")"
}

// CreateCommit makes a commit, which is on no branch yet. No author is given:
// GitHub then takes the identity that acts, and signs for it if that is a bot.
func (c *Client) CreateCommit(ctx context.Context, repository, message, tree string, parents []string) (Commit, error) {
	owner, name := split(repository)
	commit := &github.Commit{Message: &message, Tree: &github.Tree{SHA: &tree}}
	for _, p := range parents {
		commit.Parents = append(commit.Parents, &github.Commit{SHA: &p})
	}
	var made *github.Commit
	err := c.twice(func() (err error) {
		made, _, err = c.api.Git.CreateCommit(ctx, owner, name, commit, nil)
		return err
	})
	if err != nil {
		return Commit{}, c.explain("making a commit in "+repository, err)
	}
	who := made.GetAuthor()
	author := fmt.Sprintf("%s <%s>", who.GetName(), who.GetEmail())
	if who.GetEmail() == "" || strings.ContainsAny(author, "\r\n") {
		return Commit{}, fmt.Errorf("making a commit in %s: GitHub says that its author is %q, want Name <mail>", repository, author)
	}
	return Commit{made.GetSHA(), author, made.GetVerification().GetVerified(), made.GetVerification().GetReason()}, nil
}

// CreateBranch makes a branch on a commit. One that is there already is a conflict.
func (c *Client) CreateBranch(ctx context.Context, repository, branch, commit string) error {
	owner, name := split(repository)
	ref := reference(branch, commit)
	err := c.write(ctx, func() error {
		_, _, err := c.api.Git.CreateRef(ctx, owner, name, ref)
		return err
	}, c.stands(repository, branch, commit))
	if err != nil {
		return c.explain(fmt.Sprintf("making branch %s of %s", branch, repository), err)
	}
	return nil
}

// MoveBranch moves a branch to a commit, which is a conflict if that would drop a
// commit from the branch.
func (c *Client) MoveBranch(ctx context.Context, repository, branch, commit string) error {
	err := c.write(ctx, c.moves(ctx, repository, branch, commit, false), c.stands(repository, branch, commit))
	return c.explainMove(repository, branch, err)
}

// ForceBranch moves a branch to a commit from wherever it is: GitHub drops what
// is there. So it is tried once: who knows where the branch was must look again
// before it is repeated, since somebody may have pushed to it meanwhile.
func (c *Client) ForceBranch(ctx context.Context, repository, branch, commit string) error {
	err := c.moves(ctx, repository, branch, commit, true)()
	if isUncertain(err) {
		seen, looked := c.look(ctx, c.stands(repository, branch, commit))
		if seen {
			return nil
		}
		err = unseen(err, looked)
	}
	return c.explainMove(repository, branch, err)
}

func (c *Client) moves(ctx context.Context, repository, branch, commit string, force bool) func() error {
	owner, name := split(repository)
	return func() error {
		_, _, err := c.api.Git.UpdateRef(ctx, owner, name, reference(branch, commit), force)
		return err
	}
}

func (c *Client) explainMove(repository, branch string, err error) error {
	if err == nil {
		return nil
	}
	return c.explain(fmt.Sprintf("moving branch %s of %s", branch, repository), err)
}

func reference(branch, commit string) *github.Reference {
	return &github.Reference{Ref: github.String("refs/heads/" + branch), Object: &github.GitObject{SHA: &commit}}
}

// stands looks whether a branch is on a commit.
func (c *Client) stands(repository, branch, commit string) func(context.Context) (bool, error) {
	return func(ctx context.Context) (bool, error) {
		var ref struct {
			Object struct{ SHA string }
		}
		err := c.get(ctx, fmt.Sprintf("repos/%s/git/ref/heads/%s", repository, branch), &ref)
		if errors.Is(err, ErrAbsent) {
			return false, nil
		}
		return ref.Object.SHA == commit, err
	}
}

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
