package release

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/kubestellar/actions/internal/apply"
	"github.com/kubestellar/actions/internal/decide"
	"github.com/kubestellar/actions/internal/delivery"
	"github.com/kubestellar/actions/internal/gh"
	"github.com/kubestellar/actions/internal/goreleaser"
	"github.com/kubestellar/actions/internal/prove"
	"github.com/kubestellar/actions/internal/report"
)

// prover returns a Prover of this release that knows the files built here.
func (r *Releaser) prover(rev revision, done stamped, files []goreleaser.File, only delivery.Kind) *prove.Prover {
	built := map[string]prove.File{}
	for _, f := range files {
		built[f.Name] = prove.File{Path: f.Path, Digest: f.Digest}
	}
	return &prove.Prover{
		File:         r.File,
		Component:    r.File.Self,
		Version:      r.Version,
		Repo:         r.Repo,
		Server:       r.Server,
		Registry:     r.Registry,
		Resolver:     r.recent,
		Forge:        r.Forge,
		Repositories: r.Lookup.Repositories,
		Renderings:   &r.renderings,
		Source: &prove.Source{
			Commit: rev.commit, Time: rev.time, Tree: r.Tree, File: r.File, Self: r.File.Self, Declares: true,
		},
		Only:    only,
		Stamped: done.copies(),
		Built:   built,
	}
}

// copies returns all stamped copies.
func (s stamped) copies() []apply.Stamped {
	all := slices.Clone(s.hooks)
	for _, c := range s.charts {
		all = append(all, c.Stamped)
	}
	return all
}

// proveStaged proves the release from its staged artifacts, before anything is public.
func (r *Releaser) proveStaged(
	ctx context.Context, rev revision, done stamped, files []goreleaser.File,
	draft *gh.Release, artifacts []promotion, only delivery.Kind,
) (string, error) {
	p := r.prover(rev, done, files, only)
	p.Draft, p.Staged = draft, map[string]string{}
	for _, a := range artifacts {
		p.Staged[a.at+":"+a.tag] = a.digest
	}
	proof, err := p.Prove(ctx)
	if err != nil {
		return "", err
	}
	err = proof.Err(report.AcceptStandIns) // preflight has checked stand-ins
	switch {
	case err == nil:
	case len(proof.Findings) > 0:
		return "", fmt.Errorf(
			"nothing is public yet, and the tag %s stays on commit %s: correct it, and take the next version: %w",
			r.gitTag(), rev.commit, err)
	default:
		return "", fmt.Errorf("nothing is public yet; run it again once this can be checked: %w", err)
	}
	return proof.Count() + ", from the staged artifacts", nil
}

// prove proves the release by its final names. It queries without credentials.
func (r *Releaser) prove(
	ctx context.Context, rev revision, done stamped, files []goreleaser.File, only delivery.Kind, rep *report.Report,
) (string, error) {
	r.forget()
	p := r.prover(rev, done, files, only)
	p.Anonymous = r.Public
	proof, err := p.Prove(ctx)
	if err != nil {
		return "", err
	}
	rep.Proof = proof
	rep.Artifacts = r.rows(proof)
	for _, a := range proof.Unchecked {
		if !a.StandIn {
			rep.AddUnchecked(decide.Unchecked{What: nameOf(a.Subject), Because: a.Claim + ": " + a.Evidence})
		}
	}
	if len(proof.Findings) > 0 {
		return "", proof.Err(report.AcceptStandIns)
	}
	return proof.Count(), nil
}

// rows returns a row for each artifact that this release publishes.
func (r *Releaser) rows(proof *report.Proof) []report.Artifact {
	rows := []report.Artifact{}
	for _, subject := range proof.Subjects() {
		name := nameOf(subject)
		if at, _, _ := strings.Cut(name, ":"); !strings.HasPrefix(name, "release asset ") && !r.isOurs(at) {
			continue
		}
		rows = append(rows, summary(name, proof.About(subject)))
	}
	return rows
}

func (r *Releaser) isOurs(at string) bool {
	component, _, ok := r.File.Locate(at)
	return ok && component == r.File.Self
}

// nameOf returns a subject without its kind.
func nameOf(subject string) string {
	for _, kind := range []delivery.Kind{delivery.Image, delivery.Chart} {
		if name, ok := strings.CutPrefix(subject, string(kind)+" "); ok {
			return name
		}
	}
	return subject
}

// summary returns the row of an artifact. Its state is the worst of its associations.
func summary(name string, about []report.Association) report.Artifact {
	row := report.Artifact{Name: name, State: report.Proven}
	proven := 0
	var others []string
	for _, a := range about {
		if digest, _, _ := strings.Cut(a.Evidence, " "); row.Digest == "" && strings.HasPrefix(digest, "sha256:") {
			row.Digest = strings.TrimRight(digest, ",;")
		}
		if a.State == report.Proven {
			proven++
			continue
		}
		others = append(others, a.Claim+": "+a.Evidence)
		if row.State != report.Refuted {
			row.State = a.State
		}
	}
	row.How = report.Count(proven, "association") + " proven"
	if len(others) > 0 {
		row.How += "; " + strings.Join(others, "; ")
	}
	return row
}
