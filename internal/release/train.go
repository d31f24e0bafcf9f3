// Package release is the train: it takes a commit to a published, checked and
// announced release. Each step looks whether it is done, acts, and looks
// again, so that a release which stopped anywhere is finished by running it
// again.
package release

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/kubestellar/actions/internal/decide"
	"github.com/kubestellar/actions/internal/delivery"
	"github.com/kubestellar/actions/internal/gh"
	"github.com/kubestellar/actions/internal/git"
	"github.com/kubestellar/actions/internal/oci"
	"github.com/kubestellar/actions/internal/ref"
	"github.com/kubestellar/actions/internal/render"
	"github.com/kubestellar/actions/internal/report"
	"github.com/kubestellar/actions/internal/resolve"
)

// Train releases one version of a repository's own component.
type Train struct {
	Repo    git.Repo
	Commit  string // that is checked out in Repo, and is released
	Tree    fs.FS  // of the commit
	File    *delivery.File
	Version ref.Version
	// Registry has our credentials; Public has none, as anybody.
	Registry, Public *oci.Registry
	// BuilderRegistry has the credentials of the builder, which pushes the
	// images; nil is those of Registry.
	BuilderRegistry *oci.Registry
	Forge           *gh.Client
	// Downstreams is the forge with a token that may dispatch to them, which
	// need not be the one that may release here.
	Downstreams *gh.Client
	// Server is where repositories are served, https://github.com.
	Server string
	// World says how files and modules are asked for; its other fields are
	// filled in from here.
	World resolve.World
	// Builder builds.
	Builder Builder
	// Signer signs what has been checked, before it is promoted.
	Signer Signer
	// AcceptStandIns lets the release rest on what stands in for others'
	// artifacts, which proves nothing; else a stand-in is a finding.
	AcceptStandIns bool
	// AllowPrivate lets the release go on with packages that nobody else can see;
	// else such a one is a finding.
	AllowPrivate bool
	// Untracked are paths of the work tree that may hold files of this run.
	Untracked []string
	Log       *report.Log
	Errors    io.Writer // what the builder says of itself

	renderings render.Memo // of charts, which several steps look at
	// recent is the world, asked once for each thing by steps that follow each
	// other at once; see afresh.
	recent *resolve.Once
}

// remote is the declared repository: a clone's origin may be a fork of it.
func (t *Train) remote() git.Remote { return git.Remote(t.Server + "/" + t.File.Own().Repository) }

// Release does all of it. The report is complete as far as the train came,
// also beside an error.
func (t *Train) Release(ctx context.Context) (*report.Report, error) {
	return t.reported(func(rep *report.Report, dir string) error { return t.release(ctx, rep, dir) })
}

func (t *Train) release(ctx context.Context, rep *report.Report, dir string) error {
	src, stamped, err := t.prepare(ctx, rep, dir, t.mayRelease)
	if err != nil {
		return err
	}
	if err := t.Log.Step("tag", func() (string, error) { return t.tag(ctx, src) }); err != nil {
		return err
	}
	built, err := step(t.Log, "build", func() (Built, string, error) { return t.build(ctx, src) })
	if err != nil {
		return err
	}
	t.afresh()
	staged, err := step(t.Log, "stage", func() (staged, string, error) { return t.stage(ctx, src, stamped, built) })
	if err != nil {
		return err
	}
	artifacts, err := step(t.Log, "check", func() ([]artifact, string, error) { return t.check(ctx, src, stamped, built, staged) })
	if err != nil {
		return err
	}
	if err := t.Log.Step("sign", func() (string, error) { return t.sign(ctx, artifacts, staged.files, rep) }); err != nil {
		return err
	}
	if err := t.Log.Step("promote", func() (string, error) { return t.promote(ctx, artifacts) }); err != nil {
		return err
	}
	if err := t.Log.Step("publish", func() (string, error) { return t.publish(ctx, src) }); err != nil {
		return err
	}
	if err := t.Log.Step("prove", func() (string, error) { return t.prove(ctx, src, stamped, staged.files, "", rep) }); err != nil {
		return err
	}
	return t.Log.Step("dispatch", func() (string, error) { return t.dispatch(ctx) })
}

// Publish stamps, packages, publishes and proves the charts alone, for a
// repository whose images are published already.
func (t *Train) Publish(ctx context.Context) (*report.Report, error) {
	return t.reported(func(rep *report.Report, dir string) error { return t.publishCharts(ctx, rep, dir) })
}

func (t *Train) publishCharts(ctx context.Context, rep *report.Report, dir string) error {
	src, stamped, err := t.prepare(ctx, rep, dir, t.mayPublishCharts)
	if err != nil {
		return err
	}
	charts, err := step(t.Log, "stage", func() ([]stagedChart, string, error) { return t.stageCharts(ctx, src, stamped, Built{}) })
	if err != nil {
		return err
	}
	artifacts, err := step(t.Log, "check", func() ([]artifact, string, error) { return t.checkCharts(ctx, src, stamped, charts) })
	if err != nil {
		return err
	}
	if err := t.Log.Step("sign", func() (string, error) { return t.sign(ctx, artifacts, nil, rep) }); err != nil {
		return err
	}
	if err := t.Log.Step("promote", func() (string, error) { return t.promote(ctx, artifacts) }); err != nil {
		return err
	}
	return t.Log.Step("prove", func() (string, error) { return t.prove(ctx, src, stamped, nil, delivery.Chart, rep) })
}

// prepare does what changes nothing: it looks at the commit, and stamps.
func (t *Train) prepare(ctx context.Context, rep *report.Report, dir string, rights rights) (source, stamped, error) {
	t.afresh()
	src, err := step(t.Log, "preflight", func() (source, string, error) { return t.preflight(ctx, rights) })
	rep.Commit = src.commit
	rep.Graph = decide.Mermaid(decide.Edges(t.File, src.found.References, t.Version))
	rep.Open(src.open)
	if err != nil {
		return src, stamped{}, err
	}
	done, err := step(t.Log, "stamp", func() (stamped, string, error) { return t.stamp(ctx, src, dir) })
	rep.Open(done.open)
	return src, done, err
}

// step runs one step that comes to a value.
func step[T any](log *report.Log, name string, do func() (T, string, error)) (value T, err error) {
	err = log.Step(name, func() (string, error) {
		var did string
		var err error
		value, did, err = do()
		return did, err
	})
	return value, err
}

// reported gives a run its folder and its report.
func (t *Train) reported(run func(rep *report.Report, dir string) error) (*report.Report, error) {
	dir, err := os.MkdirTemp("", "ghhelper-release-*")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	rep := &report.Report{Component: t.File.Self, Version: t.Version.String(), Artifacts: []report.Artifact{}, Findings: []decide.Finding{}, Unchecked: []report.Open{}}
	err = run(rep, filepath.Join(dir, "stamped"))
	rep.Steps = t.Log.Steps
	var failed *report.StepError
	if errors.As(err, &failed) {
		rep.Failed, rep.Error = failed.Step, failed.Err.Error()
	}
	var found *decide.Findings
	if errors.As(err, &found) {
		rep.Findings = found.List
	}
	return rep, err
}

// afresh forgets what the world has answered: before the first step, after the
// build, which takes its time, and before the last look.
func (t *Train) afresh() { t.recent = &resolve.Once{By: t.world()} }

// world resolves what is published, outside this release.
func (t *Train) world() resolve.World {
	w := t.World
	w.Registry, w.Server, w.Refs = t.Registry, t.Server, t.Repo.Refs(t.Server)
	return w
}
