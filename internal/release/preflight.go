package release

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/kubestellar/actions/internal/decide"
	"github.com/kubestellar/actions/internal/delivery"
	"github.com/kubestellar/actions/internal/find"
	"github.com/kubestellar/actions/internal/git"
	"github.com/kubestellar/actions/internal/outcome"
	"github.com/kubestellar/actions/internal/ref"
	"github.com/kubestellar/actions/internal/report"
	"github.com/kubestellar/actions/internal/resolve"
	"github.com/kubestellar/actions/internal/tag"
)

// source is what preflight learnt of the commit that is released.
type source struct {
	commit string
	time   time.Time
	found  find.Found
	open   []report.Open // stand-ins that it refers to
}

// rights tells whether all may be written that a run writes, and seen by those
// whom it is for.
type rights func(context.Context) ([]decide.Finding, error)

// preflight asks everything that can be asked before anything is changed, and
// reports all that is wrong, not the first.
func (t *Train) preflight(ctx context.Context, rights rights) (source, string, error) {
	var state, private []decide.Finding
	var stateErr, rightsErr error
	var group sync.WaitGroup // each asks somebody else
	group.Go(func() { state, stateErr = t.gitState(ctx, t.Commit) })
	group.Go(func() { private, rightsErr = rights(ctx) })
	defer group.Wait()
	src, err := t.look(ctx)
	if err != nil {
		return src, "", err
	}
	seen, findings, err := t.references(ctx, src.found.References)
	group.Wait()
	src.open = open(seen)
	findings = slices.Concat(decide.Errors(decide.Check(t.File, src.found)), findings, state, private)
	err = errors.Join(decide.Found(findings), err, stateErr, rightsErr)
	return src, fmt.Sprintf("%s, %s seen; tree, tag and rights are in order", report.Count(len(find.Pins(src.found.References)), "reference"), report.Count(len(seen), "target")), err
}

// look reads the commit that is checked out.
func (t *Train) look(ctx context.Context) (source, error) {
	at, err := t.Repo.CommitTime(ctx, t.Commit)
	if err != nil {
		return source{commit: t.Commit}, err
	}
	found, err := find.New(t.File).Tree(ctx, t.Tree)
	return source{commit: t.Commit, time: at, found: found}, err
}

// mayRelease: everything that a release writes may be written, and there is
// what builds it.
func (t *Train) mayRelease(ctx context.Context) ([]decide.Finding, error) {
	own := t.File.Own()
	private, err := t.private(ctx, own.ArtifactNames())
	rights := []error{err, t.mayPush(ctx, own.ArtifactNames()), t.Forge.CheckWrite(ctx, own.Repository), t.mayBuild(ctx)}
	for _, downstream := range t.File.Downstreams {
		rights = append(rights, t.Downstreams.CheckWrite(ctx, downstream))
	}
	return private, errors.Join(rights...)
}

// mayPublishCharts is mayRelease for the charts alone, which need no build and
// tell nobody.
func (t *Train) mayPublishCharts(ctx context.Context) ([]decide.Finding, error) {
	charts := t.File.Own().OfKind(delivery.Chart)
	var private []decide.Finding
	var privateErr, pushErr error
	var group sync.WaitGroup
	group.Go(func() { private, privateErr = t.private(ctx, charts) })
	group.Go(func() { pushErr = t.mayPush(ctx, charts) })
	tagged, err := t.remoteTag(ctx)
	if err == nil && tagged == "" {
		err = outcome.Wrongf("%s has no tag %s: charts are published of a tag, so push it first", t.File.Own().Repository, t.Version.Tag())
	}
	group.Wait()
	return private, errors.Join(err, privateErr, pushErr)
}

// remoteTag is the commit of this version's tag in the repository, "" without one.
func (t *Train) remoteTag(ctx context.Context) (string, error) {
	answer := t.recent.Resolve(ctx, resolve.Target{Component: t.File.Self, At: t.File.Own().Repository, Tag: t.Version.Tag()})
	if answer.Absent() {
		return "", nil
	}
	return answer.Revision, answer.Err
}

// mayBuild: the builder's configuration fits delivery.yaml, its commands are
// there, and so is what the images are built on, or it may be pushed.
func (t *Train) mayBuild(ctx context.Context) error {
	config, err := t.Builder.config(t.Tree)
	if err != nil {
		return err
	}
	if config == nil {
		return t.declaredImages(nil)
	}
	errs := []error{t.Builder.Check(*config), config.staged(), t.declaredImages(config.repositories())}
	for _, base := range config.bases() {
		errs = append(errs, t.mayBase(ctx, base))
	}
	return errors.Join(errs...)
}

// gitState: the tree is clean, the tag free or on this commit, the commit on
// main or a release branch.
func (t *Train) gitState(ctx context.Context, commit string) ([]decide.Finding, error) {
	var dirty []decide.Finding
	var branch, here, remote string
	errs := make([]error, 4)
	var group sync.WaitGroup // each waits for a git of its own
	group.Go(func() { dirty, errs[0] = cleanTree(ctx, t.Repo, t.Untracked...) })
	group.Go(func() { branch, errs[1] = t.Repo.ReleasedFrom(ctx, t.remote(), commit) })
	group.Go(func() { here, errs[2] = t.Repo.LocalTag(ctx, t.Version.Tag()) })
	group.Go(func() { remote, errs[3] = t.remoteTag(ctx) })
	group.Wait()
	findings := dirty
	if branch == "" && errs[1] == nil {
		findings = append(findings, tag.Lost(commit, t.File.Own().Repository))
	}
	moves := tag.Moves(t.Version, commit, map[string]string{"here": here, "at " + t.File.Own().Repository: remote})
	return append(findings, moves...), errors.Join(errs...)
}

// cleanTree: the work tree is what the commit holds, but for what lies below except.
func cleanTree(ctx context.Context, repo git.Repo, except ...string) ([]decide.Finding, error) {
	dirty, err := repo.Dirty(ctx, except...)
	if len(dirty) == 0 || err != nil {
		return nil, err
	}
	const enough = 10
	named := strings.Join(dirty[:min(enough, len(dirty))], ", ")
	return []decide.Finding{{Rule: "clean-tree", Saw: fmt.Sprintf("%s: %s", report.Count(len(dirty), "changed or untracked file"), named),
		Want: "a clean tree", Help: "commit, stash or remove them: only what a commit holds can be released"}}, nil
}

// references: everything that the tree refers to, outside this release, is
// published, and so is what is in lock step with it.
func (t *Train) references(ctx context.Context, all []ref.Reference) ([]resolve.Answer, []decide.Finding, error) {
	others := slices.DeleteFunc(slices.Clone(all), func(r ref.Reference) bool { return r.Component == t.File.Self })
	places, err := decide.Named(t.File, others, t.Version)
	if err != nil {
		return nil, nil, err
	}
	named := map[resolve.Target]string{}
	for target, r := range places {
		named[target] = r.Site.String()
	}
	lockstep := resolve.Lockstep(t.File, t.Version)
	for _, target := range lockstep {
		named[target] = delivery.FileName + " (lock step with " + t.File.Self + ")"
	}
	var wrong []decide.Finding
	var tagErr error
	var group sync.WaitGroup
	group.Go(func() { wrong, tagErr = tag.Lockstep(ctx, t.prover(source{commit: t.Commit}, stamped{}, nil, "")) })
	answers := resolve.All(ctx, t.recent, resolve.Sorted(named))
	group.Wait()
	findings, err := t.judge(answers, named)
	return answers, append(findings, wrong...), errors.Join(err, tagErr)
}

// judge sorts answers: what is absent is a finding, what could not be asked an
// error. places tell where each target is named.
func (t *Train) judge(answers []resolve.Answer, places map[resolve.Target]string) ([]decide.Finding, error) {
	var findings []decide.Finding
	var errs []error
	for _, a := range answers {
		switch {
		case a.Absent():
			findings = append(findings, decide.Finding{Rule: "exists", Component: a.Component, Saw: fmt.Sprintf("%s, named at %s, is not there", a.Target, places[a.Target]),
				Want: "a published artifact", Help: "publish it first, or name a version that exists"})
		case a.Err != nil:
			errs = append(errs, a.Err)
		case a.StandIn != "" && !t.AcceptStandIns:
			findings = append(findings, decide.Finding{Rule: "stand-in", Component: a.Component, Saw: fmt.Sprintf("%s, named at %s, is a stand-in: %s", a.Target, places[a.Target], a.StandIn),
				Want: "the real artifact", Help: "stand-ins belong into rehearsals"})
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

// mayPush: each place that these artifacts of ours go to may be pushed to by
// who pushes there.
func (t *Train) mayPush(ctx context.Context, artifacts []string) error {
	errs := make([]error, len(artifacts))
	var group sync.WaitGroup
	for i, name := range artifacts {
		a := t.File.Own().Artifacts[name]
		if a.At == "" {
			continue
		}
		group.Go(func() {
			errs[i] = t.Registry.CheckPush(ctx, a.At)
			if errs[i] == nil && a.Kind == delivery.Image {
				errs[i] = t.builderMayPush(ctx, a.At)
			}
		})
	}
	group.Wait()
	return errors.Join(errs...)
}

func (t *Train) builderMayPush(ctx context.Context, at string) error {
	if t.BuilderRegistry == nil {
		return nil
	}
	if err := t.BuilderRegistry.CheckPush(ctx, at); err != nil {
		return fmt.Errorf("goreleaser, which does not read helm's credentials: %w", err)
	}
	return nil
}
