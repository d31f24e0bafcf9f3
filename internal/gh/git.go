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

// File is a change of one file in a tree. With Content, the file gets that content. With
// ID, it is an existing blob. With neither, the file is deleted.
type File struct {
	Name, Mode string // git's mode: 100644, 100755, 120000 or 160000
	Content    []byte
	ID         string
}

// treeEntries is the maximum number of files in one request for a tree.
// https://docs.github.com/en/rest/git/trees#create-a-tree
const treeEntries = 100

// CreateTree creates a tree from a base tree with some files changed, and returns its
// ID. Creating a tree that already exists returns the same ID.
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
			return "", c.explain("creating a tree in "+repository, err)
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

// isText reports whether content can be in a request for a tree: JSON only contains
// UTF-8.
func isText(content []byte) bool { return utf8.Valid(content) }

func (c *Client) createBlob(ctx context.Context, repository string, f File) (id string, err error) {
	owner, name := split(repository)
	blob := &github.Blob{
		Content:  github.String(base64.StdEncoding.EncodeToString(f.Content)),
		Encoding: github.String("base64"),
	}
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

// Commit is a commit that GitHub created.
type Commit struct {
	ID string
	// Author is the token's identity, as Name <mail>.
	Author string
	// Verified is set if GitHub signed the commit. Reason is GitHub's explanation.
	// https://docs.github.com/en/rest/git/commits#create-a-commit
	Verified bool
	Reason   string
}

// Signature describes the commit's signature.
func (c Commit) Signature() string {
	if c.Verified {
		return "signed by GitHub (" + c.Reason + ")"
	}
	return "not signed (" + c.Reason + ")"
}

// CreateCommit creates a commit that is not on a branch yet. It sets no author: GitHub
// then uses the token's identity, and signs the commit if that is a bot.
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
		return Commit{}, c.explain("creating a commit in "+repository, err)
	}
	who := made.GetAuthor()
	author := fmt.Sprintf("%s <%s>", who.GetName(), who.GetEmail())
	if who.GetEmail() == "" || strings.ContainsAny(author, "\r\n") {
		return Commit{}, fmt.Errorf("creating a commit in %s: saw the author %q, want Name <mail>", repository, author)
	}
	verification := made.GetVerification()
	return Commit{made.GetSHA(), author, verification.GetVerified(), verification.GetReason()}, nil
}

// CreateBranch creates a branch on a commit. It fails with ErrConflict if the branch
// already exists.
func (c *Client) CreateBranch(ctx context.Context, repository, branch, commit string) error {
	owner, name := split(repository)
	ref := reference(branch, commit)
	err := c.write(ctx, func() error {
		_, _, err := c.api.Git.CreateRef(ctx, owner, name, ref)
		return err
	}, c.isOn(repository, branch, commit))
	if err != nil {
		return c.explain(fmt.Sprintf("creating branch %s of %s", branch, repository), err)
	}
	return nil
}

// MoveBranch fast-forwards a branch to a commit. It fails with ErrConflict if commits on
// the branch would be lost.
func (c *Client) MoveBranch(ctx context.Context, repository, branch, commit string) error {
	err := c.write(ctx, c.moves(ctx, repository, branch, commit, forward), c.isOn(repository, branch, commit))
	return c.explainMove(repository, branch, err)
}

// ForceBranch moves a branch to a commit and drops other commits from it. It sends only
// one request. Before a retry, callers must read the branch again, because commits may
// have been pushed to it.
func (c *Client) ForceBranch(ctx context.Context, repository, branch, commit string) error {
	err := c.moves(ctx, repository, branch, commit, forced)()
	if isUncertain(err) {
		seen, looked := c.look(ctx, c.isOn(repository, branch, commit))
		if seen {
			return nil
		}
		err = unseen(err, looked)
	}
	return c.explainMove(repository, branch, err)
}

// move is the way in which a branch may move.
type move bool

const (
	forward move = false // only to a commit whose history contains the branch
	forced  move = true
)

func (c *Client) moves(ctx context.Context, repository, branch, commit string, how move) func() error {
	owner, name := split(repository)
	return func() error {
		_, _, err := c.api.Git.UpdateRef(ctx, owner, name, reference(branch, commit), how == forced)
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

// isOn returns a function that reports whether a branch is on a commit.
func (c *Client) isOn(repository, branch, commit string) func(context.Context) (bool, error) {
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
	Object string // the hash of the tag object, or of the commit for a lightweight tag
	Commit string // the tagged commit
	Tagger string // the tagger's name; "" for a lightweight tag
}

// Annotated reports whether the tag is an annotated tag.
func (t Tag) Annotated() bool { return t.Object != t.Commit }

// workflowIdentity is the user of a workflow's own token, on every server.
const workflowIdentity = "github-actions[bot]"

// ByWorkflow reports whether the tag was created with a workflow's own token. Such a tag
// starts no workflow.
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

// Tag returns a tag of a repository, or nil if it does not exist.
func (c *Client) Tag(ctx context.Context, repository, name string) (*Tag, error) {
	var ref struct {
		Object gitObject `json:"object"`
	}
	err := c.get(ctx, "repos/"+repository+"/git/ref/tags/"+name, &ref)
	if errors.Is(err, ErrAbsent) {
		return nil, c.CheckAccess(ctx, repository)
	}
	if err != nil {
		return nil, err
	}
	return c.followed(ctx, repository, name, ref.Object)
}

// WaitForTag returns a tag that has just been created. It retries, because GitHub shows
// new objects some seconds late.
func (c *Client) WaitForTag(ctx context.Context, repository, name string) (tag *Tag, err error) {
	_, err = c.look(ctx, func(ctx context.Context) (bool, error) {
		tag, err = c.Tag(ctx, repository, name)
		return tag != nil, err
	})
	return tag, err
}

// followed dereferences a tag to its commit.
func (c *Client) followed(ctx context.Context, repository, name string, at gitObject) (*Tag, error) {
	const deepest = 5 // tags of tags are possible, but rare
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
		return nil, fmt.Errorf("reading tag %s of %s: saw a tag of a %s, want a commit", name, repository, at.Type)
	}
	tag.Commit = at.SHA
	return tag, nil
}

// CreateTag creates an annotated tag on a commit. It sets no tagger: GitHub then writes
// the name and address of the token's account. GitHub refuses to move an existing tag.
func (c *Client) CreateTag(ctx context.Context, repository, name, commit, message string) error {
	object := map[string]string{"tag": name, "message": message, "object": commit, "type": "commit"}
	err := c.write(ctx, func() error {
		var made tagObject // GitHub collects tag objects without a ref
		if err := c.post(ctx, "repos/"+repository+"/git/tags", object, &made); err != nil {
			return err
		}
		ref := map[string]string{"ref": "refs/tags/" + name, "sha": made.SHA}
		return c.post(ctx, "repos/"+repository+"/git/refs", ref, nil)
	}, func(ctx context.Context) (bool, error) {
		there, err := c.Tag(ctx, repository, name)
		return there != nil && there.Commit == commit, err
	})
	if err != nil {
		return c.explain(fmt.Sprintf("creating tag %s of %s", name, repository), err)
	}
	return nil
}
