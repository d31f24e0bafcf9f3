package release

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/kubestellar/actions/internal/decide"
	"github.com/kubestellar/actions/internal/delivery"
	"github.com/kubestellar/actions/internal/find"
	"github.com/kubestellar/actions/internal/goreleaser"
	"github.com/kubestellar/actions/internal/outcome"
	"github.com/kubestellar/actions/internal/ref"
	"github.com/kubestellar/actions/internal/report"
	"github.com/kubestellar/actions/internal/resolve"
	"github.com/kubestellar/actions/internal/tag"
	"github.com/kubestellar/actions/internal/verify"
)

// revision is what preflight learnt of the commit that is released.
type revision struct {
	commit string
	time   time.Time
	found  find.Found
	// named are the targets outside this release that it refers to. standIns are those among them that are stand-ins.
	named    resolve.Named
	standIns []decide.Unchecked
}

// rights tells whether all may be written that a run writes, and seen by those
// whom it is for.
type rights func(context.Context) ([]decide.Finding, error)

// preflight asks everything that can be asked before anything is changed, and
// reports all that is wrong, not the first.
func (r *Releaser) preflight(ctx context.Context, rights rights) (revision, string, error) {
	var state, private []decide.Finding
	var stateErr, rightsErr error
	var group sync.WaitGroup // each asks somebody else
	group.Go(func() { state, stateErr = r.gitState(ctx, r.Commit) })
	group.Go(func() { private, rightsErr = rights(ctx) })
	defer group.Wait()
	rev, err := r.look(ctx)
	if err != nil {
		return rev, "", err
	}
	findings, err := r.references(ctx, &rev)
	group.Wait()
	findings = slices.Concat(decide.Errors(decide.Check(r.File, rev.found)), findings, state, private)
	err = errors.Join(decide.Found(findings), err, stateErr, rightsErr)
	return rev, fmt.Sprintf("%s, %s seen; tree, tag and rights are in order", report.Count(len(find.Pins(rev.found.References)), "reference"), report.Count(len(rev.named), "target")), err
}

// look reads the commit that is checked out.
func (r *Releaser) look(ctx context.Context) (revision, error) {
	at, err := r.Repo.CommitTime(ctx, r.Commit)
	if err != nil {
		return revision{commit: r.Commit}, err
	}
	found, err := find.New(r.File).Tree(ctx, r.Tree)
	return revision{commit: r.Commit, time: at, found: found}, err
}

// mayRelease: everything that a release writes may be written, and there is
// what builds it.
func (r *Releaser) mayRelease(ctx context.Context) ([]decide.Finding, error) {
	own := r.File.Own()
	private, err := r.private(ctx, own.ArtifactNames())
	rights := []error{err, r.mayPush(ctx, own.ArtifactNames()), r.Forge.CheckWrite(ctx, own.Repository), r.mayBuild(ctx)}
	for _, downstream := range r.File.Downstreams {
		rights = append(rights, r.Downstreams.CheckWrite(ctx, downstream))
	}
	return private, errors.Join(rights...)
}

// mayPublishCharts is mayRelease for the charts alone, which need no build and
// tell nobody.
func (r *Releaser) mayPublishCharts(ctx context.Context) ([]decide.Finding, error) {
	charts := r.File.Own().OfKind(delivery.Chart)
	var private []decide.Finding
	var privateErr, pushErr error
	var group sync.WaitGroup
	group.Go(func() { private, privateErr = r.private(ctx, charts) })
	group.Go(func() { pushErr = r.mayPush(ctx, charts) })
	tagged, err := r.remoteTag(ctx)
	if err == nil && tagged == "" {
		err = outcome.Wrongf("%s has no tag %s: charts are published of a tag, so push it first", r.File.Own().Repository, r.Version.Tag())
	}
	group.Wait()
	return private, errors.Join(err, privateErr, pushErr)
}

// remoteTag is the commit of this version's tag in the repository, "" without one.
func (r *Releaser) remoteTag(ctx context.Context) (string, error) {
	answer := r.recent.Resolve(ctx, resolve.GitTagOf(r.File.Self, r.File.Own().Repository, r.Version))
	if answer.Absent() {
		return "", nil
	}
	return answer.Revision, answer.Err
}

// mayBuild: the builder's configuration fits delivery.yaml, its commands are
// there, and so is what the images are built on, or it may be pushed.
func (r *Releaser) mayBuild(ctx context.Context) error {
	config, err := goreleaser.Load(r.Tree)
	if err != nil {
		return err
	}
	if config == nil {
		return r.declaredImages(nil)
	}
	errs := []error{r.Goreleaser.Check(config), config.CheckStaged(), r.declaredImages(config.Images())}
	for _, base := range config.BaseImages() {
		errs = append(errs, r.mayBase(ctx, base))
	}
	return errors.Join(errs...)
}

// gitState: the tree is clean, the tag free or on this commit, the commit on
// main or a release branch.
func (r *Releaser) gitState(ctx context.Context, commit string) ([]decide.Finding, error) {
	var dirty []string
	var branch, here, remote string
	errs := make([]error, 4)
	var group sync.WaitGroup // each waits for a git of its own
	group.Go(func() { dirty, errs[0] = r.Repo.Dirty(ctx, r.Untracked...) })
	group.Go(func() { branch, errs[1] = r.Repo.ReleasedFrom(ctx, r.remote(), commit) })
	group.Go(func() { here, errs[2] = r.Repo.LocalTag(ctx, r.Version.Tag()) })
	group.Go(func() { remote, errs[3] = r.remoteTag(ctx) })
	group.Wait()
	findings := decide.CleanTree(dirty)
	if branch == "" && errs[1] == nil {
		findings = append(findings, decide.OffBranch(commit, r.File.Own().Repository))
	}
	moves := decide.TagStays(r.Version, commit, map[string]string{"here": here, "at " + r.File.Own().Repository: remote})
	return append(findings, moves...), errors.Join(errs...)
}

// references checks that everything the tree refers to outside this release, and everything in lock step with it, is
// published.
func (r *Releaser) references(ctx context.Context, rev *revision) ([]decide.Finding, error) {
	others := slices.DeleteFunc(slices.Clone(rev.found.References), func(reference ref.Reference) bool {
		return reference.Component == r.File.Self
	})
	var err error
	if rev.named, err = decide.Required(r.File, others, r.Version); err != nil {
		return nil, err
	}
	maps.Copy(rev.named, resolve.Lockstep(r.File, r.Version))
	var wrong []decide.Finding
	var tagErr error
	var group sync.WaitGroup
	group.Go(func() { wrong, tagErr = tag.Lockstep(ctx, r.prover(revision{commit: r.Commit}, stamped{}, nil, "")) })
	asked, standIns, err := r.ask(ctx, rev.named, r.recent)
	group.Wait()
	rev.standIns = standIns
	return append(asked.Findings, wrong...), errors.Join(err, tagErr)
}

// ask queries targets, without rendering the charts among them. It returns the accepted stand-ins apart from the
// rest that could not be checked, which is an error.
func (r *Releaser) ask(ctx context.Context, named resolve.Named, by resolve.Resolver) (*verify.Asked, []decide.Unchecked, error) {
	policy := decide.RefuseStandIns
	if r.AcceptStandIns {
		policy = decide.ListStandIns
	}
	asked := verify.Asker{File: r.File, Resolver: by, Own: r.Version, StandIns: policy}.Ask(ctx, named)
	var standIns, open []decide.Unchecked
	for _, u := range asked.Unchecked {
		if u.StandIn {
			standIns = append(standIns, u)
			continue
		}
		open = append(open, u)
	}
	return asked, standIns, decide.Unanswered(open)
}

// mayPush: each place that these artifacts of ours go to may be pushed to by
// who pushes there.
func (r *Releaser) mayPush(ctx context.Context, artifacts []string) error {
	errs := make([]error, len(artifacts))
	var group sync.WaitGroup
	for i, name := range artifacts {
		a := r.File.Own().Artifacts[name]
		if a.At == "" {
			continue
		}
		group.Go(func() {
			errs[i] = r.Registry.CheckPush(ctx, a.At)
			if errs[i] == nil && a.Kind == delivery.Image {
				errs[i] = r.builderMayPush(ctx, a.At)
			}
		})
	}
	group.Wait()
	return errors.Join(errs...)
}

func (r *Releaser) builderMayPush(ctx context.Context, at string) error {
	if r.BuilderRegistry == nil {
		return nil
	}
	if err := r.BuilderRegistry.CheckPush(ctx, at); err != nil {
		return fmt.Errorf("goreleaser, which does not read helm's credentials: %w", err)
	}
	return nil
}
