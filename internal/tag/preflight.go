package tag

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/kubestellar/actions/internal/decide"
	"github.com/kubestellar/actions/internal/find"
	"github.com/kubestellar/actions/internal/gh"
	"github.com/kubestellar/actions/internal/git"
	"github.com/kubestellar/actions/internal/prove"
	"github.com/kubestellar/actions/internal/ref"
	"github.com/kubestellar/actions/internal/report"
	"github.com/kubestellar/actions/internal/resolve"
	"github.com/kubestellar/actions/internal/verify"
)

// check is the result of one part of the preflight.
type check struct {
	summary  string
	findings []decide.Finding
	err      error
}

// preflight checks the commit, and reports everything that is wrong, not only the first. The tag there is on another
// commit.
func (t *Tagger) preflight(ctx context.Context, there *gh.Tag) (string, error) {
	branches, place := t.place(ctx, there)
	checks := make([]check, 4)
	var group sync.WaitGroup // they query different servers
	group.Go(func() { checks[0] = t.ordered(ctx, branches) })
	group.Go(func() { checks[1] = t.checked(ctx, branches) })
	group.Go(func() { checks[2] = t.verified(ctx) })
	group.Go(func() { checks[3] = t.inStep(ctx) })
	group.Wait()
	rights := check{err: t.Forge.CheckWrite(ctx, t.repository())}
	var findings []decide.Finding
	var summaries []string
	var errs []error
	for _, c := range append([]check{place, rights}, checks...) {
		findings, errs = append(findings, c.findings...), append(errs, c.err)
		if c.summary != "" {
			summaries = append(summaries, c.summary)
		}
	}
	return strings.Join(summaries, "; "), errors.Join(append([]error{decide.Found(findings)}, errs...)...)
}

// place checks that the commit is on the default branch or a release branch, and that the tag is on no other commit.
func (t *Tagger) place(ctx context.Context, there *gh.Tag) ([]string, check) {
	branches, findings, err := t.onBranch(ctx)
	here, localErr := t.Repo.LocalTag(ctx, t.GitTag())
	tags := map[string]string{"here": here}
	if there != nil {
		tags["at "+t.repository()] = there.Commit
	}
	findings = append(findings, decide.TagStays(t.GitTag(), t.Commit, tags)...)
	return branches, check{"on " + strings.Join(branches, ", "), findings, errors.Join(err, localErr)}
}

func (t *Tagger) remote() git.Remote { return git.Remote(t.Server + "/" + t.repository()) }

// onBranch returns those branches that release which contain the commit, or a finding if there are none.
func (t *Tagger) onBranch(ctx context.Context) ([]string, []decide.Finding, error) {
	branches, err := t.Repo.Releases(ctx, t.remote(), t.Commit, t.File.ReleaseBranches())
	if len(branches) > 0 || err != nil {
		return branches, nil, err
	}
	return nil, []decide.Finding{decide.OffBranch(t.File, t.Commit)}, nil
}

// ordered checks that the version is newer than all others of its line.
func (t *Tagger) ordered(ctx context.Context, branches []string) check {
	survey, err := t.Repo.Survey(ctx, t.remote())
	if err != nil || len(branches) == 0 {
		return check{err: err}
	}
	summary, findings := newer(t.Version, branches, survey.Versions(t.File.Own().Tagged))
	return check{summary: summary, findings: findings}
}

// verified checks the tree's references, as verify does.
func (t *Tagger) verified(ctx context.Context) check {
	file := t.File.Whole()
	found, err := find.New(file).Files(ctx, t.Tree, t.Names)
	if err != nil {
		return check{err: err}
	}
	tagged := decide.Tagged{t.File.Self: t.Version}
	result := verify.Offline(file, found, tagged)
	asker := *t.Ask
	asker.File, asker.Tagged = file, tagged
	tree := verify.Tree{FS: t.Tree, Names: t.Names, Found: found}
	verify.Derived(file, tree, &result)
	rendered := asker.RenderOwn(ctx, tree, &result)
	err = asker.Check(ctx, t.released(found.References), rendered, &result)
	summary := fmt.Sprintf("%s, %s queried",
		report.Count(result.References, "reference"), report.Count(result.Targets, "target"))
	own := decide.OwnVersions(t.File, find.Pins(found.References), t.Version)
	findings := decide.Unlisted(own, decide.Errors(result.Findings))
	return check{summary, findings, errors.Join(err, decide.Unanswered(result.Unchecked))}
}

// released returns the references without those to the version that is to be tagged.
func (t *Tagger) released(references []ref.Reference) []ref.Reference {
	return slices.DeleteFunc(slices.Clone(references), func(r ref.Reference) bool {
		v, err := r.Version()
		return err == nil && t.File.IsOwn(r.Component) && v.Compare(t.Version) == 0
	})
}

// inStep checks that the artifacts in lock step are published, and were built from the tag of their repository.
func (t *Tagger) inStep(ctx context.Context) check {
	named := resolve.Lockstep(t.File, t.Version)
	if len(named) == 0 {
		return check{}
	}
	asked := t.Ask.Ask(ctx, named)
	wrong, err := Lockstep(ctx, t.Prover)
	return check{
		report.Count(len(named), "artifact") + " in lock step",
		append(decide.Errors(asked.Findings), wrong...),
		errors.Join(decide.Unanswered(asked.Unchecked), err),
	}
}

// Lockstep checks that the artifacts in lock step were built from the commit that their repository has tagged with this
// version, according to their labels. An absent artifact is not its concern.
func Lockstep(ctx context.Context, p *prove.Prover) ([]decide.Finding, error) {
	var findings []decide.Finding
	var errs []error
	for _, a := range p.Lockstep(ctx) {
		switch {
		case a.State == report.Refuted && a.Rule == "git-tag":
			findings = append(findings, decide.Finding{
				Rule: "lockstep", Saw: a.Subject + ": " + a.Evidence,
				Want: "the tag that its image was built from", Help: "release it first",
			})
		case a.State == report.Refuted && a.Rule != "image-exists":
			findings = append(findings, decide.Finding{
				Rule: "lockstep", Saw: a.Subject + ": " + a.Evidence, Want: a.Claim,
				Help: "its image was built from something else, or by something else than its release",
			})
		case a.State == report.Unchecked && !a.StandIn && a.RestsOn == "":
			errs = append(errs, fmt.Errorf("%s: %s", a.Subject, a.Evidence))
		}
	}
	return findings, errors.Join(errs...)
}
