package tag

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/kubestellar/actions/internal/decide"
	"github.com/kubestellar/actions/internal/find"
	"github.com/kubestellar/actions/internal/gh"
	"github.com/kubestellar/actions/internal/git"
	"github.com/kubestellar/actions/internal/prove"
	"github.com/kubestellar/actions/internal/report"
	"github.com/kubestellar/actions/internal/resolve"
	"github.com/kubestellar/actions/internal/verify"
)

// look is what one part of the preflight has come to.
type look struct {
	said     string
	findings []decide.Finding
	err      error
}

// preflight looks at everything that can be looked at, and reports all that is
// wrong, not the first. there is the tag where it is on another commit.
func (t *Tagger) preflight(ctx context.Context, there *gh.Tag) (string, error) {
	branches, place := t.place(ctx, there)
	looks := make([]look, 4)
	var group sync.WaitGroup // each asks somebody else
	group.Go(func() { looks[0] = t.ordered(ctx, branches) })
	group.Go(func() { looks[1] = t.checked(ctx, branches) })
	group.Go(func() { looks[2] = t.verified(ctx) })
	group.Go(func() { looks[3] = t.inStep(ctx) })
	group.Wait()
	rights := look{err: t.Forge.CheckWrite(ctx, t.repository())}
	var findings []decide.Finding
	var said []string
	var errs []error
	for _, l := range append([]look{place, rights}, looks...) {
		findings, errs = append(findings, l.findings...), append(errs, l.err)
		if l.said != "" {
			said = append(said, l.said)
		}
	}
	return strings.Join(said, "; "), errors.Join(append([]error{decide.Found(findings)}, errs...)...)
}

// place: the commit is on main or a release branch, and the tag on no other.
func (t *Tagger) place(ctx context.Context, there *gh.Tag) ([]string, look) {
	branches, findings, err := onBranch(ctx, t.Repo, t.remote(), t.repository(), t.Commit)
	here, localErr := t.Repo.LocalTag(ctx, t.Version.Tag())
	tags := map[string]string{"here": here}
	if there != nil {
		tags["at "+t.repository()] = there.Commit
	}
	findings = append(findings, decide.TagStays(t.Version, t.Commit, tags)...)
	return branches, look{"on " + strings.Join(branches, ", "), findings, errors.Join(err, localErr)}
}

func (t *Tagger) remote() git.Remote { return git.Remote(t.Server + "/" + t.repository()) }

// onBranch finds the branches of the repository, main and release-*, that hold
// the commit. On none, it is found wrong.
func onBranch(ctx context.Context, repo git.Repo, remote git.Remote, repository, commit string) ([]string, []decide.Finding, error) {
	branches, err := repo.Releases(ctx, remote, commit)
	if len(branches) > 0 || err != nil {
		return branches, nil, err
	}
	return nil, []decide.Finding{decide.OffBranch(commit, repository)}, nil
}

// ordered: the version is newer than all before in its line.
func (t *Tagger) ordered(ctx context.Context, branches []string) look {
	survey, err := t.Repo.Survey(ctx, t.remote())
	if err != nil || len(branches) == 0 {
		return look{err: err}
	}
	said, findings := newer(t.Version, branches, survey.Versions)
	return look{said: said, findings: findings}
}

// verified: the tree's references are what verify wants of them.
func (t *Tagger) verified(ctx context.Context) look {
	found, err := find.New(t.File).Files(ctx, t.Tree, t.Names)
	if err != nil {
		return look{err: err}
	}
	result := verify.Offline(t.File, found)
	err = t.Ask.Check(ctx, found.References, &result)
	said := fmt.Sprintf("%s, %s queried", report.Count(result.References, "reference"), report.Count(result.Targets, "target"))
	return look{said, decide.Errors(result.Findings), errors.Join(err, decide.Unanswered(result.Unchecked))}
}

// inStep: what is released in lock step with this is there, and was built from
// its own repository's tag.
func (t *Tagger) inStep(ctx context.Context) look {
	named := resolve.Lockstep(t.File, t.Version)
	if len(named) == 0 {
		return look{}
	}
	asked := t.Ask.Ask(ctx, named)
	wrong, err := Lockstep(ctx, t.Prover)
	return look{report.Count(len(named), "artifact") + " in lock step", append(decide.Errors(asked.Findings), wrong...), errors.Join(decide.Unanswered(asked.Unchecked), err)}
}

// Lockstep: what is released in lock step with this was built from the commit
// that its own repository has tagged with this version, and says so. Whether it
// is there at all is asked elsewhere.
func Lockstep(ctx context.Context, p *prove.Prover) ([]decide.Finding, error) {
	var findings []decide.Finding
	var errs []error
	for _, a := range p.Lockstep(ctx) {
		switch {
		case a.State == report.Refuted && a.Rule == "git-tag":
			findings = append(findings, decide.Finding{Rule: "lockstep", Saw: a.Subject + ": " + a.Evidence, Want: "the tag that its image was built from", Help: "release it first"})
		case a.State == report.Refuted && a.Rule != "image-exists":
			findings = append(findings, decide.Finding{Rule: "lockstep", Saw: a.Subject + ": " + a.Evidence, Want: a.Claim, Help: "its image was built from something else, or by something else than its release"})
		case a.State == report.Unchecked && !a.StandIn && a.RestsOn == "":
			errs = append(errs, fmt.Errorf("%s: %s", a.Subject, a.Evidence))
		}
	}
	return findings, errors.Join(errs...)
}
