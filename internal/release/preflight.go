package release

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/kubestellar/actions/internal/delivery"
	"github.com/kubestellar/actions/internal/find"
	"github.com/kubestellar/actions/internal/git"
	"github.com/kubestellar/actions/internal/plan"
	"github.com/kubestellar/actions/internal/ref"
	"github.com/kubestellar/actions/internal/report"
	"github.com/kubestellar/actions/internal/resolve"
)

// source is what preflight learnt of the commit that is released.
type source struct {
	commit string
	time   time.Time
	found  []ref.Reference
	open   []report.Open // stand-ins that it refers to
}

// preflight asks everything that can be asked before anything is changed, and
// reports all that is wrong, not the first.
func (t *Train) preflight(ctx context.Context, rights func(context.Context) error) (source, string, error) {
	src, err := t.look(ctx)
	if err != nil {
		return src, "", err
	}
	seen, findings, err := t.references(ctx, src.found)
	src.open = open(seen)
	state, stateErr := t.gitState(ctx, src.commit)
	findings = slices.Concat(plan.Check(t.File, src.found), findings, state)
	err = errors.Join(found(findings), err, stateErr, rights(ctx))
	return src, fmt.Sprintf("%s, %s seen; tree, tag and rights are in order", count(len(find.Pins(src.found)), "reference"), count(len(seen), "target")), err
}

// look reads the commit that is checked out.
func (t *Train) look(ctx context.Context) (source, error) {
	commit, err := t.Repo.Head(ctx)
	if err != nil {
		return source{}, err
	}
	at, timeErr := t.Repo.CommitTime(ctx, commit)
	files, filesErr := t.Repo.Files(ctx)
	if err := errors.Join(timeErr, filesErr); err != nil {
		return source{commit: commit}, err
	}
	references, err := find.New(t.File).Files(t.Tree, files)
	return source{commit: commit, time: at, found: references}, err
}

// mayRelease: everything that a release writes may be written, and there is
// what builds it.
func (t *Train) mayRelease(ctx context.Context) error {
	own := t.File.Own()
	rights := []error{t.mayPush(ctx, own.ArtifactNames()), t.Forge.CheckWrite(ctx, own.Repository), t.Builder.Check()}
	for _, downstream := range t.File.Downstreams {
		rights = append(rights, t.Downstreams.CheckWrite(ctx, downstream))
	}
	return errors.Join(rights...)
}

// mayPublishCharts is mayRelease for the charts alone, which need no build and
// tell nobody.
func (t *Train) mayPublishCharts(ctx context.Context) error {
	return t.mayPush(ctx, t.File.Own().OfKind(delivery.Chart))
}

// gitState: the tree is clean, the tag free or on this commit, the commit on
// main or a release branch.
func (t *Train) gitState(ctx context.Context, commit string) ([]plan.Finding, error) {
	var findings []plan.Finding
	dirty, dirtyErr := t.Repo.Dirty(ctx)
	if len(dirty) > 0 {
		findings = append(findings, plan.Finding{Rule: "clean-tree", Saw: fmt.Sprintf("%d changed or untracked files: %s", len(dirty), strings.Join(dirty, ", ")),
			Want: "a clean tree", Help: "commit, stash or remove them: only what a commit holds can be released"})
	}
	branch, branchErr := t.Repo.ReleasedFrom(ctx, git.Origin, commit)
	if branch == "" && branchErr == nil {
		findings = append(findings, plan.Finding{Rule: "on-main", Saw: "commit " + commit + " on no such branch of origin",
			Want: "a commit of main or of a release-* branch", Help: "merge it first"})
	}
	here, localErr := t.Repo.LocalTag(ctx, t.Version.Tag())
	remote, remoteErr := t.Repo.RemoteTag(ctx, git.Origin, t.Version.Tag())
	for where, tagged := range map[string]string{"here": here, "at origin": remote} {
		if tagged != "" && tagged != commit {
			findings = append(findings, plan.Finding{Rule: "tag-moves", Saw: fmt.Sprintf("tag %s %s on commit %s", t.Version.Tag(), where, tagged),
				Want: "no such tag, or one on " + commit, Help: "a tag never moves: take the next version"})
		}
	}
	return findings, errors.Join(dirtyErr, branchErr, localErr, remoteErr)
}

// references: everything that the tree refers to, outside this release, is
// published, and so is what is in lock step with it.
func (t *Train) references(ctx context.Context, all []ref.Reference) ([]resolve.Answer, []plan.Finding, error) {
	others := slices.DeleteFunc(find.Pins(all), func(r ref.Reference) bool { return r.Component == t.File.Self })
	named, err := resolve.Named(t.File, others, t.Version)
	if err != nil {
		return nil, nil, err
	}
	lockstep := resolve.Lockstep(t.File, t.Version)
	for _, target := range lockstep {
		named[target] = delivery.FileName + " (lock step with " + t.File.Self + ")"
	}
	answers := resolve.All(ctx, t.world(), resolve.Sorted(named))
	findings, err := judge(answers, named)
	wrong, tagErr := t.lockstepRevisions(ctx, answers, lockstep)
	return answers, append(findings, wrong...), errors.Join(err, tagErr)
}

// lockstepRevisions: an image in lock step was built from the commit that its
// own repository has tagged with this version.
func (t *Train) lockstepRevisions(ctx context.Context, answers []resolve.Answer, lockstep []resolve.Target) ([]plan.Finding, error) {
	var findings []plan.Finding
	var errs []error
	for _, a := range answers {
		if a.Err != nil || a.Kind != delivery.Image || !slices.Contains(lockstep, a.Target) {
			continue
		}
		repository := t.File.Components[a.Component].Repository
		tag := t.world().Resolve(ctx, resolve.Target{Component: a.Component, At: repository, Tag: t.Version.Tag()})
		switch {
		case tag.Absent():
			findings = append(findings, plan.Finding{Rule: "lockstep", Component: a.Component, Saw: "no " + tag.Target.String(), Want: "the tag that its image was built from", Help: "release " + a.Component + " first"})
		case tag.Err != nil:
			errs = append(errs, tag.Err)
		case tag.Revision != a.Revision:
			findings = append(findings, plan.Finding{Rule: "lockstep", Component: a.Component,
				Saw:  fmt.Sprintf("%s with revision %q", a.Target, a.Revision),
				Want: fmt.Sprintf("revision %s, the commit of %s", tag.Revision, tag.Target), Help: "its image was built from something else"})
		}
	}
	return findings, errors.Join(errs...)
}

// judge sorts answers: what is absent is a finding, what could not be asked an
// error. places tell where each target is named.
func judge(answers []resolve.Answer, places map[resolve.Target]string) ([]plan.Finding, error) {
	var findings []plan.Finding
	var errs []error
	for _, a := range answers {
		switch {
		case a.Absent():
			findings = append(findings, plan.Finding{Rule: "exists", Component: a.Component, Saw: fmt.Sprintf("%s, named at %s, is not there", a.Target, places[a.Target]),
				Want: "a published artifact", Help: "publish it first, or name a version that exists"})
		case a.Err != nil:
			errs = append(errs, a.Err)
		}
	}
	return findings, errors.Join(errs...)
}

// open lists the stand-ins among answers.
func open(answers []resolve.Answer) []report.Open {
	var out []report.Open
	for _, a := range answers {
		if a.StandIn != "" {
			out = append(out, report.Open{What: a.At + ":" + a.Tag, Because: "stand-in: " + a.StandIn, StandIn: true})
		}
	}
	return out
}

// mayPush: each place that these artifacts of ours go to may be pushed to.
func (t *Train) mayPush(ctx context.Context, artifacts []string) error {
	var errs []error
	for _, name := range artifacts {
		if at := t.File.Own().Artifacts[name].At; at != "" {
			errs = append(errs, t.Registry.CheckPush(ctx, at))
		}
	}
	return errors.Join(errs...)
}
