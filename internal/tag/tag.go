// Package tag creates the git tag of a version, once, after it has checked the commit. It never moves a tag.
package tag

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"github.com/kubestellar/actions/internal/delivery"
	"github.com/kubestellar/actions/internal/gh"
	"github.com/kubestellar/actions/internal/git"
	"github.com/kubestellar/actions/internal/outcome"
	"github.com/kubestellar/actions/internal/prove"
	"github.com/kubestellar/actions/internal/ref"
	"github.com/kubestellar/actions/internal/report"
	"github.com/kubestellar/actions/internal/verify"
)

// Tagger tags one commit of a repository as a version of its own component.
type Tagger struct {
	Repo    git.Repo
	Commit  string
	Tree    fs.FS    // of the commit
	Names   []string // of the tree's files
	File    *delivery.File
	Version ref.Version
	Forge   *gh.Client
	Server  string // where repositories are served: https://github.com
	// Ask queries the targets of the references in the tree. Prover proves the artifacts in lock step.
	Ask    *verify.Asker
	Prover *prove.Prover
	// OwnRun is the id of the workflow run that this program runs in, or empty. Its check cannot be green yet.
	OwnRun   string
	DryRun   bool
	IfAbsent bool // accept a tag that exists on another commit
	Log      *report.Log
}

// Tag checks the commit and creates the tag. It returns the tag, or nil in a dry run if it does not exist.
func (t *Tagger) Tag(ctx context.Context) (*gh.Tag, error) {
	there, err := t.Forge.Tag(ctx, t.repository(), t.GitTag())
	if err != nil {
		return nil, err
	}
	if there != nil && (there.Commit == t.Commit || t.IfAbsent) {
		return there, t.Log.Step("tag", func() (string, error) {
			return describe(t.GitTag()+" exists already", *there), nil
		})
	}
	if err := t.Log.Step("preflight", func() (string, error) { return t.preflight(ctx, there) }); err != nil {
		return nil, err
	}
	if t.DryRun {
		return nil, t.Log.Step("tag", func() (string, error) {
			return "would make " + t.GitTag() + " on commit " + t.Commit, nil
		})
	}
	err = t.Log.Step("tag", func() (string, error) {
		there, err = Make(ctx, t.Forge, t.File, t.Version, t.Commit)
		if err != nil {
			return "", err
		}
		return describe("made "+t.GitTag(), *there), nil
	})
	return there, err
}

// GitTag returns the git tag of the version.
func (t *Tagger) GitTag() string { return t.File.Own().GitTag(t.Version) }

func (t *Tagger) repository() string { return t.File.Own().Repository }

func describe(what string, made gh.Tag) string {
	if !made.Annotated() {
		return fmt.Sprintf("%s, on commit %s; it is lightweight", what, made.Commit)
	}
	return fmt.Sprintf("%s, on commit %s; annotated, object %s", what, made.Commit, made.Object)
}

// Make creates the annotated tag of our own version on a commit of our repository, and reads it back. It uses
// GitHub's API instead of a push. The API needs no credentials of git, a lost answer can be recovered by a query, and
// the tagger is the token's owner. People push signed tags themselves.
func Make(
	ctx context.Context, forge *gh.Client, f *delivery.File, v ref.Version, commit string,
) (*gh.Tag, error) {
	repository, name := f.Own().Repository, f.Own().GitTag(v)
	acted := forge.CreateTag(ctx, repository, name, commit, f.Self+" "+v.String())
	made, err := forge.WaitForTag(ctx, repository, name)
	switch {
	case err != nil || made == nil && acted != nil:
		return nil, errors.Join(acted, err)
	case made == nil:
		return nil, fmt.Errorf("making tag %s of %s: GitHub has confirmed it and does not show it: run it again",
			name, repository)
	case made.Commit != commit:
		return nil, outcome.Wrongf("tag %s of %s is on commit %s, want %s: another run or person made it; "+
			"a tag never moves, so take the next version", name, repository, made.Commit, commit)
	}
	return made, nil // another run may have made it
}
