// Package release is the train: it takes a commit to a published, checked and
// announced release. Each step looks whether it is done, acts, and looks
// again, so that a release which stopped anywhere is finished by running it
// again.
package release

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/kubestellar/actions/internal/apply"
	"github.com/kubestellar/actions/internal/delivery"
	"github.com/kubestellar/actions/internal/find"
	"github.com/kubestellar/actions/internal/gh"
	"github.com/kubestellar/actions/internal/git"
	"github.com/kubestellar/actions/internal/oci"
	"github.com/kubestellar/actions/internal/outcome"
	"github.com/kubestellar/actions/internal/plan"
	"github.com/kubestellar/actions/internal/ref"
	"github.com/kubestellar/actions/internal/report"
	"github.com/kubestellar/actions/internal/resolve"
)

// Train releases one version of a repository's own component.
type Train struct {
	Repo     git.Repo
	Tree     fs.FS // the work tree of Repo
	File     *delivery.File
	Version  ref.Version
	Registry *oci.Registry
	Forge    *gh.Client
	// Downstreams is the forge with a token that may dispatch to them, which
	// need not be the one that may release here.
	Downstreams *gh.Client
	// Server is where repositories are served, https://github.com.
	Server string
	// Goreleaser is the command that builds; see Builder.
	Builder Builder
	Log     *report.Log
	Errors  io.Writer // what the builder says of itself
}

// Release does all of it. The report is complete as far as the train came,
// also beside an error.
func (t *Train) Release(ctx context.Context) (*report.Report, error) {
	return t.ride(ctx, func(r *ride) error {
		return errors.Join(
			r.step("preflight", r.preflight),
			r.step("stamp", r.stamp),
			r.step("tag", r.tag),
			r.step("build", r.build),
			r.step("stage", r.stage),
			r.step("check", r.check),
			r.step("promote", r.promote),
			r.step("publish", r.publish),
			r.step("prove", r.prove),
			r.step("dispatch", r.dispatch),
		)
	})
}

// Publish stamps, packages, publishes and proves the charts alone, for a
// repository whose images are published already.
func (t *Train) Publish(ctx context.Context) (*report.Report, error) {
	return t.ride(ctx, func(r *ride) error {
		return errors.Join(
			r.step("preflight", r.preflightCharts),
			r.step("stamp", r.stamp),
			r.step("stage", r.stageCharts),
			r.step("check", r.checkCharts),
			r.step("promote", r.promote),
			r.step("prove", r.prove),
		)
	})
}

// ride is one run of the train and what it has learnt so far.
type ride struct {
	*Train
	ctx     context.Context
	failed  bool
	report  *report.Report
	found   []ref.Reference // in the tree
	commit  string
	time    time.Time // of the commit
	work    string    // folder for stamped copies
	built   Built
	stamped []apply.Stamped
	charts  []stagedChart // in the order in which they may be published
	table   map[string]string
	open    map[string]report.Open
}

func (t *Train) ride(ctx context.Context, run func(*ride) error) (*report.Report, error) {
	work, err := os.MkdirTemp("", "ghhelper-release-*")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(work)
	r := &ride{Train: t, ctx: ctx, work: filepath.Join(work, "stamped"), table: map[string]string{}, open: map[string]report.Open{}}
	r.report = &report.Report{Component: t.File.Self, Version: t.Version.String(), Artifacts: []report.Artifact{}, Findings: []plan.Finding{}, Unchecked: []report.Open{}}
	err = run(r)
	return r.finish(err), err
}

// step runs do, unless a step before it failed.
func (r *ride) step(name string, do func() (string, error)) error {
	if r.failed {
		return nil
	}
	err := r.Log.Step(name, do)
	r.failed = err != nil
	return err
}

// finish completes the report.
func (r *ride) finish(err error) *report.Report {
	r.report.Steps = r.Log.Steps
	r.report.Commit = r.commit
	r.report.Graph = plan.Mermaid(plan.Edges(r.File, r.found, r.Version))
	for _, key := range sortedKeys(r.open) {
		r.report.Unchecked = append(r.report.Unchecked, r.open[key])
	}
	var step *report.StepError
	if errors.As(err, &step) {
		r.report.Failed, r.report.Error = step.Step, step.Err.Error()
	}
	var found *Findings
	if errors.As(err, &found) {
		r.report.Findings = found.List
	}
	return r.report
}

// Findings stop a release: things that are wrong, each with its place.
type Findings struct{ List []plan.Finding }

// Code of findings.
func (f *Findings) Code() outcome.Code { return outcome.Wrong }

func (f *Findings) Error() string {
	text := fmt.Sprintf("%d found wrong", len(f.List))
	for _, finding := range f.List {
		text += "\n  " + finding.String()
	}
	return text
}

// findAll finds the references in all files that git tracks.
func (r *ride) findAll() error {
	files, err := r.Repo.Files(r.ctx)
	if err != nil {
		return err
	}
	r.found, err = find.New(r.File).Files(r.Tree, files)
	return err
}

// world resolves what is published, outside this release.
func (r *ride) world() resolve.World {
	return resolve.World{Registry: r.Registry, Tags: func(ctx context.Context, repository, tag string) (string, error) {
		return r.Repo.RemoteTag(ctx, git.Remote(r.Server+"/"+repository), tag)
	}}
}

// own resolves by the release's own table first.
func (r *ride) own() resolve.Interface {
	return resolve.Table{Digests: r.table, Next: r.world()}
}
