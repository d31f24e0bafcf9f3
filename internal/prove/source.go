package prove

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"regexp"
	"slices"
	"strings"

	"github.com/kubestellar/actions/internal/delivery"
	"github.com/kubestellar/actions/internal/git"
	"github.com/kubestellar/actions/internal/outcome"
	"github.com/kubestellar/actions/internal/resolve"
)

// source finds the commit of the release. If it fails, r.src still has a declaration.
func (r *run) source(ctx context.Context, c delivery.Component, tag *subject) {
	r.src = Source{File: r.File, Self: r.Component}
	found, err := r.findTag(ctx, r.Component, c.Repository, tag)
	if err != nil {
		return
	}
	r.src.Tag, r.src.Commit = found, found.Commit
	files := tag.add(ruleDeclared, "it declares what it publishes", ruleGitTag)
	if r.src.Tree, err = r.tree(ctx, c.Repository); err != nil {
		files.err = err
		return
	}
	files.is(r.declaration(c))
}

// confirmTag claims that the tag is on the released commit.
func (r *run) confirmTag(ctx context.Context, c delivery.Component, tag *subject) {
	found, err := r.findTag(ctx, r.Component, c.Repository, tag)
	if err == nil && found.Commit != r.src.Commit {
		tag.claims[0].err = outcome.Wrongf("it is on commit %s, want %s, which is released", found.Commit, r.src.Commit)
	}
}

// findTag claims that a component's repository has the tag.
func (r *run) findTag(ctx context.Context, component, repository string, tag *subject) (git.Tag, error) {
	claim := tag.add(ruleGitTag, "it names a commit, and nothing published agrees on another")
	var found git.Tag
	var err error
	target := resolve.GitTagOf(r.File, component, r.Version)
	r.once.Learn(target, func() resolve.Answer { // charts may name it, too
		found, err = r.Repo.FindTag(ctx, git.Remote(r.Server+"/"+repository), target.Tag)
		if err == nil && found.Commit == "" {
			err = outcome.Wrongf("%s has no such tag", repository)
		}
		return resolve.Answer{Target: target, Revision: found.Commit, Err: err}
	})
	how := "lightweight"
	if found.Annotated() {
		how = "annotated, object " + short(found.Object)
	}
	claim.is(fmt.Sprintf("%s, on commit %s", how, found.Commit), err)
	return found, err
}

// tree returns the files at the tag, from the clone or the repository.
func (r *run) tree(ctx context.Context, repository string) (fs.FS, error) {
	if r.Repo.Has(ctx, r.src.Commit) {
		return r.stored(ctx, r.Repo)
	}
	dir, err := os.MkdirTemp("", "ghhelper-prove-*")
	if err != nil {
		return nil, err
	}
	r.cleanups = append(r.cleanups, func() { os.RemoveAll(dir) })
	fetched, err := r.Repo.Fetched(ctx, dir, git.Remote(r.Server+"/"+repository), "refs/tags/"+r.gitTag())
	if err != nil {
		return nil, err
	}
	return r.stored(ctx, fetched)
}

// stored reads the commit from a clone.
func (r *run) stored(ctx context.Context, repo git.Repo) (fs.FS, error) {
	var err error
	if r.src.Time, err = repo.CommitTime(ctx, r.src.Commit); err != nil {
		return nil, err
	}
	tree, err := repo.Snapshot(ctx, r.src.Commit)
	if err != nil {
		return nil, err
	}
	r.cleanups = append(r.cleanups, func() { tree.Close() })
	return tree, nil
}

// declaration reads the delivery.yaml at the tag.
func (r *run) declaration(c delivery.Component) (evidence string, err error) {
	name := delivery.FileName
	if slices.Contains(r.File.Selves, r.Component) && r.Config != "" {
		name = r.Config
	}
	if _, err := fs.Stat(r.src.Tree, name); err != nil {
		return "", fmt.Errorf(
			"it holds no %s, so the origin of its artifacts is undeclared; the artifacts declared here are checked",
			name)
	}
	file, err := delivery.Load(r.src.Tree, name)
	if err != nil {
		return "", err
	}
	if own := file.Own().Repository; own != c.Repository {
		return "", fmt.Errorf("its %s declares the releases of %s", name, own)
	}
	if own, _, ok := file.Released(r.gitTag()); ok {
		file = file.As(own)
	} else if len(file.Selves) > 1 {
		return "", fmt.Errorf("its %s declares no component with such a tag under self", name)
	}
	r.src.File, r.src.Self, r.src.Declares = file, file.Self, true
	return fmt.Sprintf("%s: %d artifacts", name, len(file.Own().Artifacts)), nil
}

var commitID = regexp.MustCompile(`^[0-9a-f]{40}([0-9a-f]{24})?$`)

// judgeTag compares the tag with the commits that published things name. If two or more agree on
// another commit, the tag has moved.
func judgeTag(tag *subject, commit string, revisions []string) {
	revisions = slices.DeleteFunc(revisions, func(s string) bool { return !commitID.MatchString(s) })
	slices.Sort(revisions)
	said := len(revisions)
	revisions = slices.Compact(revisions)
	claim := &tag.claims[0]
	if claim.err == nil && said > 1 && len(revisions) == 1 && revisions[0] != commit {
		claim.err = outcome.Wrongf(
			"it is on commit %s, and all %d published things that name a commit name %s: the tag has moved",
			commit, said, revisions[0])
	}
}

// short returns the first digits of a digest or an object id.
func short(id string) string {
	const most = 12
	algorithm, hex, ok := strings.Cut(id, ":")
	if !ok {
		algorithm, hex = "", id
	} else {
		algorithm += ":"
	}
	return algorithm + hex[:min(len(hex), most)]
}
