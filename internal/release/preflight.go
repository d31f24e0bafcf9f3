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

// revision is the commit to release, as preflight found it.
type revision struct {
	commit     string
	time       time.Time
	found      find.Found         // in the whole tree
	references []ref.Reference    // those that concern the release
	named      resolve.Named      // the targets outside this release
	standIns   []decide.Unchecked // the stand-ins among them
}

// rights checks that a run may write everything that it writes. It returns findings for
// packages that are not public.
type rights func(context.Context) ([]decide.Finding, error)

// preflight checks everything that can be checked before anything is changed, and reports
// all findings.
func (r *Releaser) preflight(ctx context.Context, rights rights) (revision, string, error) {
	var state, private []decide.Finding
	var stateErr, rightsErr error
	var group sync.WaitGroup // each queries another server
	group.Go(func() { state, stateErr = r.checkGit(ctx, r.Commit) })
	group.Go(func() { private, rightsErr = rights(ctx) })
	defer group.Wait()
	rev, err := r.inspect(ctx)
	if err != nil {
		return rev, "", err
	}
	findings, err := r.references(ctx, &rev)
	group.Wait()
	wrong, _ := decide.Check(r.File.Whole(), rev.found, decide.Tagged{r.File.Self: r.Version})
	findings = slices.Concat(decide.Errors(wrong), findings, state, private)
	err = errors.Join(decide.Found(findings), err, stateErr, rightsErr)
	return rev, fmt.Sprintf("%s, %s seen; tree, tag and rights are in order",
		report.Count(len(find.Pins(rev.references)), "reference"), report.Count(len(rev.named), "target")), err
}

// inspect finds the references in the commit.
func (r *Releaser) inspect(ctx context.Context) (revision, error) {
	at, err := r.Repo.CommitTime(ctx, r.Commit)
	if err != nil {
		return revision{commit: r.Commit}, err
	}
	found, err := find.New(r.File.Whole()).Tree(ctx, r.Tree)
	return revision{
		commit: r.Commit, time: at, found: found, references: decide.OfRelease(r.File, found.References),
	}, err
}

// mayRelease checks the rights for everything that a release writes, and that the commit can
// be built.
func (r *Releaser) mayRelease(ctx context.Context) ([]decide.Finding, error) {
	own := r.File.Own()
	private, err := r.private(ctx, own.ArtifactNames())
	errs := []error{
		err,
		r.mayPush(ctx, own.ArtifactNames()),
		r.Forge.CheckWrite(ctx, own.Repository),
		r.mayBuild(ctx),
	}
	for _, downstream := range r.File.Downstreams {
		errs = append(errs, r.Downstreams.CheckWrite(ctx, downstream))
	}
	return private, errors.Join(errs...)
}

// mayPublishCharts is mayRelease for the charts, which need no build and no dispatch.
func (r *Releaser) mayPublishCharts(ctx context.Context) ([]decide.Finding, error) {
	charts := r.File.Own().OfKind(delivery.Chart)
	var private []decide.Finding
	var privateErr, pushErr error
	var group sync.WaitGroup
	group.Go(func() { private, privateErr = r.private(ctx, charts) })
	group.Go(func() { pushErr = r.mayPush(ctx, charts) })
	tagged, err := r.remoteTag(ctx)
	if err == nil && tagged == "" {
		err = outcome.Wrongf("%s has no tag %s: charts are published from a tag, so push it first",
			r.File.Own().Repository, r.gitTag())
	}
	group.Wait()
	return private, errors.Join(err, privateErr, pushErr)
}

// remoteTag returns the commit of this version's tag in the repository, "" if there is none.
func (r *Releaser) remoteTag(ctx context.Context) (string, error) {
	answer := r.recent.Resolve(ctx, resolve.GitTagOf(r.File, r.File.Self, r.Version))
	if answer.Absent() {
		return "", nil
	}
	return answer.Revision, answer.Err
}

// mayBuild checks everything that would make the build fail after several minutes:
// goreleaser's configuration, its commands, and the base images.
func (r *Releaser) mayBuild(ctx context.Context) error {
	config, err := goreleaser.Load(r.Tree, r.File.Own().Folder)
	if err != nil {
		return err
	}
	if config == nil {
		return r.checkDeclared(nil)
	}
	errs := []error{r.Goreleaser.Check(config), config.CheckStaged(), r.checkDeclared(config.Images())}
	if prefix, _ := r.File.Own().TagPrefix(); prefix != "" {
		errs = append(errs, config.CheckNoUpload(r.gitTag()))
	}
	for _, base := range config.BaseImages() {
		errs = append(errs, r.checkBase(ctx, base))
	}
	return errors.Join(errs...)
}

// checkGit checks that the tree is clean, that the tag is free or on this commit, and that
// the commit is on the default branch or a release branch.
func (r *Releaser) checkGit(ctx context.Context, commit string) ([]decide.Finding, error) {
	var dirty []string
	var branch, here, remote string
	errs := make([]error, 4)
	var group sync.WaitGroup // each runs its own git process
	group.Go(func() { dirty, errs[0] = r.Repo.Dirty(ctx, r.Untracked...) })
	group.Go(func() { branch, errs[1] = r.Repo.ReleasedFrom(ctx, r.remote(), commit, r.File.ReleaseBranches()) })
	group.Go(func() { here, errs[2] = r.Repo.LocalTag(ctx, r.gitTag()) })
	group.Go(func() { remote, errs[3] = r.remoteTag(ctx) })
	group.Wait()
	findings := decide.CleanTree(dirty)
	if branch == "" && errs[1] == nil {
		findings = append(findings, decide.OffBranch(r.File, commit))
	}
	tags := map[string]string{"here": here, "at " + r.File.Own().Repository: remote}
	return append(findings, decide.TagStays(r.gitTag(), commit, tags)...), errors.Join(errs...)
}

// references checks that everything the tree refers to outside this release, and everything
// in lock step with it, is published.
func (r *Releaser) references(ctx context.Context, rev *revision) ([]decide.Finding, error) {
	others := slices.DeleteFunc(slices.Clone(rev.references), func(reference ref.Reference) bool {
		return reference.Component == r.File.Self
	})
	var err error
	if rev.named, err = decide.Required(r.File, others, r.Version, decide.Tagged{r.File.Self: r.Version}); err != nil {
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

// ask queries targets, without rendering the charts among them. It returns the accepted
// stand-ins. Any other target that could not be checked is an error.
func (r *Releaser) ask(
	ctx context.Context, named resolve.Named, by resolve.Resolver,
) (*verify.Asked, []decide.Unchecked, error) {
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

// mayPush checks the right to push each of these artifacts. Images are pushed with the
// credentials of goreleaser.
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
