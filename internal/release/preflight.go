package release

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/kubestellar/actions/internal/delivery"
	"github.com/kubestellar/actions/internal/find"
	"github.com/kubestellar/actions/internal/git"
	"github.com/kubestellar/actions/internal/plan"
	"github.com/kubestellar/actions/internal/report"
	"github.com/kubestellar/actions/internal/resolve"
)

// preflight asks everything that can be asked before a release changes
// anything, and reports all that is wrong, not the first.
func (r *ride) preflight() (string, error) {
	own := r.File.Own()
	rights := []error{r.mayPush(own.ArtifactNames()), r.Forge.CheckWrite(r.ctx, own.Repository), r.Builder.Check(r.ctx)}
	for _, downstream := range r.File.Downstreams {
		rights = append(rights, r.Downstreams.CheckWrite(r.ctx, downstream))
	}
	return r.look(errors.Join(rights...))
}

// preflightCharts is preflight for the charts alone, which need no build and
// tell nobody.
func (r *ride) preflightCharts() (string, error) {
	return r.look(r.mayPush(r.File.Own().OfKind(delivery.Chart)))
}

// look looks at the commit: its references, and its place in git. It joins
// what was found out about rights.
func (r *ride) look(rights error) (string, error) {
	commit, err := r.Repo.Head(r.ctx)
	if err != nil {
		return "", err
	}
	r.commit = commit
	if r.time, err = r.Repo.CommitTime(r.ctx, commit); err != nil {
		return "", err
	}
	if err := r.findAll(); err != nil {
		return "", err
	}
	answers, findings, err := r.references()
	findings = append(plan.Check(r.File, r.found), findings...)
	state, stateErr := r.gitState()
	findings = append(findings, state...)
	err = errors.Join(err, stateErr, rights)
	if len(findings) > 0 {
		err = errors.Join(&Findings{findings}, err)
	}
	return fmt.Sprintf("%s, %s seen; tree, tag and rights are in order", count(len(find.Pins(r.found)), "reference"), count(len(answers), "target")), err
}

// gitState: the tree is clean, the tag free or on this commit, the commit on
// main or a release branch.
func (r *ride) gitState() ([]plan.Finding, error) {
	var findings []plan.Finding
	dirty, dirtyErr := r.Repo.Dirty(r.ctx)
	if len(dirty) > 0 {
		findings = append(findings, plan.Finding{Rule: "clean-tree", Saw: fmt.Sprintf("%d changed or untracked files: %s", len(dirty), strings.Join(dirty, ", ")),
			Want: "a clean tree", Help: "commit, stash or remove them: only what a commit holds can be released"})
	}
	branch, branchErr := r.Repo.ReleasedFrom(r.ctx, git.Origin, r.commit)
	if branch == "" && branchErr == nil {
		findings = append(findings, plan.Finding{Rule: "on-main", Saw: "commit " + r.commit + " on no such branch of origin",
			Want: "a commit of main or of a release-* branch", Help: "merge it first"})
	}
	local, localErr := r.Repo.LocalTag(r.ctx, r.Version.Tag())
	remote, remoteErr := r.Repo.RemoteTag(r.ctx, git.Origin, r.Version.Tag())
	for where, commit := range map[string]string{"here": local, "at origin": remote} {
		if commit != "" && commit != r.commit {
			findings = append(findings, plan.Finding{Rule: "tag-moves", Saw: fmt.Sprintf("tag %s %s on commit %s", r.Version.Tag(), where, commit),
				Want: "no such tag, or one on " + r.commit, Help: "a tag never moves: take the next version"})
		}
	}
	return findings, errors.Join(dirtyErr, branchErr, localErr, remoteErr)
}

// references: everything that the tree refers to, outside this release, is
// published, and so is what is in lock step with it.
func (r *ride) references() ([]resolve.Answer, []plan.Finding, error) {
	places := map[resolve.Target]string{}
	for _, reference := range find.Pins(r.found) {
		if reference.Component == r.File.Self {
			continue // the release itself will publish it
		}
		targets, err := resolve.Targets(r.File, reference, r.Version)
		if err != nil {
			return nil, nil, err
		}
		for _, target := range targets {
			if places[target] == "" {
				places[target] = reference.Site.String()
			}
		}
	}
	lockstep := r.lockstep()
	for _, target := range lockstep {
		places[target] = delivery.FileName + " (lock step with " + r.File.Self + ")"
	}
	answers := resolve.All(r.ctx, r.world(), slices.SortedFunc(maps.Keys(places), func(a, b resolve.Target) int { return strings.Compare(a.String(), b.String()) }))
	findings, err := r.judge(answers, places)
	wrong, tagErr := r.lockstepRevisions(answers, lockstep)
	return answers, append(findings, wrong...), errors.Join(err, tagErr)
}

// lockstep are the artifacts, at this version, of the components that are
// released in lock step with ours.
func (r *ride) lockstep() []resolve.Target {
	var targets []resolve.Target
	for _, name := range r.File.Names() {
		c := r.File.Components[name]
		if c.Lockstep != r.File.Self {
			continue
		}
		for _, artifact := range c.ArtifactNames() {
			a := c.Artifacts[artifact]
			targets = append(targets, resolve.Target{Component: name, Artifact: artifact, Kind: a.Kind, At: a.At, Tag: a.TagFor(r.Version)})
		}
	}
	return targets
}

// lockstepRevisions: an image in lock step was built from the commit that its
// own repository has tagged with this version.
func (r *ride) lockstepRevisions(answers []resolve.Answer, lockstep []resolve.Target) ([]plan.Finding, error) {
	var findings []plan.Finding
	var errs []error
	for _, a := range answers {
		if a.Err != nil || a.Kind != delivery.Image || !slices.Contains(lockstep, a.Target) {
			continue
		}
		repository := r.File.Components[a.Component].Repository
		tag := r.world().Resolve(r.ctx, resolve.Target{Component: a.Component, At: repository, Tag: r.Version.Tag()})
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
// error, and a stand-in is noted as open.
func (r *ride) judge(answers []resolve.Answer, places map[resolve.Target]string) ([]plan.Finding, error) {
	var findings []plan.Finding
	var errs []error
	for _, a := range answers {
		switch {
		case a.Absent():
			findings = append(findings, plan.Finding{Rule: "exists", Component: a.Component, Saw: fmt.Sprintf("%s, named at %s, is not there", a.Target, places[a.Target]),
				Want: "a published artifact", Help: "publish it first, or name a version that exists"})
		case a.Err != nil:
			errs = append(errs, a.Err)
		case a.StandIn != "":
			r.noteStandIn(a)
		}
	}
	return findings, errors.Join(errs...)
}

func (r *ride) noteStandIn(a resolve.Answer) {
	what := a.At + ":" + a.Tag
	r.open[what] = report.Open{What: what, Because: "stand-in: " + a.StandIn, StandIn: true}
}

// mayPush: each place that these artifacts of ours go to may be pushed to.
func (r *ride) mayPush(artifacts []string) error {
	var errs []error
	for _, name := range artifacts {
		if at := r.File.Own().Artifacts[name].At; at != "" {
			errs = append(errs, r.Registry.CheckPush(r.ctx, at))
		}
	}
	return errors.Join(errs...)
}
