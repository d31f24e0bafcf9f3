// Package tag puts the tag of a version on a commit: once, after everything has
// been looked at that can be, and never on another one.
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
	// Ask asks the world what the references in the tree name, and Prover proves
	// what is released in lock step.
	Ask    *verify.Asker
	Prover *prove.Prover
	// OwnRun is the id of the workflow run that this is a part of, whose checks
	// on the commit cannot be green yet; "" outside of one.
	OwnRun string
	DryRun bool
	// IfAbsent is content with a tag that is there already, whatever commit it is on.
	IfAbsent bool
	Log      *report.Log
}

// Tag looks at everything, and then makes the tag. It tells the tag, nil where
// there is none yet in a dry run.
func (t *Tagger) Tag(ctx context.Context) (*gh.Tag, error) {
	there, err := t.Forge.Tag(ctx, t.repository(), t.Version.Tag())
	if err != nil {
		return nil, err
	}
	if there != nil && (there.Commit == t.Commit || t.IfAbsent) {
		return there, t.Log.Step("tag", func() (string, error) { return describe(t.Version.Tag()+" is there already", *there), nil })
	}
	if err := t.Log.Step("preflight", func() (string, error) { return t.preflight(ctx, there) }); err != nil {
		return nil, err
	}
	if t.DryRun {
		return nil, t.Log.Step("tag", func() (string, error) { return "would make " + t.Version.Tag() + " on commit " + t.Commit, nil })
	}
	err = t.Log.Step("tag", func() (string, error) {
		there, err = Make(ctx, t.Forge, t.repository(), t.File.Self, t.Version, t.Commit)
		if err != nil {
			return "", err
		}
		return describe("made "+t.Version.Tag(), *there), nil
	})
	return there, err
}

func (t *Tagger) repository() string { return t.File.Own().Repository }

func describe(what string, made gh.Tag) string {
	if !made.Annotated() {
		return fmt.Sprintf("%s, on commit %s; it is lightweight", what, made.Commit)
	}
	return fmt.Sprintf("%s, on commit %s; annotated, object %s", what, made.Commit, made.Object)
}

// Make makes the annotated tag of a component's version on a commit of its
// repository, and looks at what is there. It is made by GitHub's API and not by a
// push: that needs no credentials of git's, its answer can be lost and looked
// for, and the tagger is who the token acts as. Signed tags are pushed by people.
func Make(ctx context.Context, forge *gh.Client, repository, component string, v ref.Version, commit string) (*gh.Tag, error) {
	acted := forge.CreateTag(ctx, repository, v.Tag(), commit, component+" "+v.String())
	made, err := forge.WaitForTag(ctx, repository, v.Tag())
	switch {
	case err != nil || made == nil && acted != nil:
		return nil, errors.Join(acted, err)
	case made == nil:
		return nil, fmt.Errorf("making tag %s of %s: GitHub said that it is made, and does not show it: look again", v.Tag(), repository)
	case made.Commit != commit:
		return nil, outcome.Wrongf("tag %s of %s is on commit %s, want %s: somebody else made it; a tag never moves, so take the next version", v.Tag(), repository, made.Commit, commit)
	}
	return made, nil // whoever made it: what counts is what is there
}
