// Package release releases a commit: it builds, stages, checks, publishes and proves, and
// then notifies the downstreams. Each step checks whether it is already done, acts, and
// checks again. A release that stopped at any step is finished by another run.
package release

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/kubestellar/actions/internal/decide"
	"github.com/kubestellar/actions/internal/delivery"
	"github.com/kubestellar/actions/internal/gh"
	"github.com/kubestellar/actions/internal/git"
	"github.com/kubestellar/actions/internal/goreleaser"
	"github.com/kubestellar/actions/internal/lookup"
	"github.com/kubestellar/actions/internal/oci"
	"github.com/kubestellar/actions/internal/ref"
	"github.com/kubestellar/actions/internal/render"
	"github.com/kubestellar/actions/internal/report"
	"github.com/kubestellar/actions/internal/resolve"
)

// Releaser releases one version of a repository's own component.
type Releaser struct {
	Repo    git.Repo
	Commit  string // the commit to release, checked out in Repo
	Tree    fs.FS  // the commit's files
	File    *delivery.File
	Version ref.Version
	// Registry queries with the user's credentials, Public without any.
	Registry, Public *oci.Registry
	// BuilderRegistry has the credentials of goreleaser, which pushes the images. If nil,
	// they are those of Registry.
	BuilderRegistry *oci.Registry
	Forge           *gh.Client
	// Downstreams is GitHub with the token for dispatches, which may be another token
	// than that of Forge.
	Downstreams *gh.Client
	// Server is the address of the Git server, https://github.com.
	Server string
	// Lookup queries files and modules. The release sets its fields for registries and git.
	Lookup lookup.Resolver
	// Goreleaser builds the images and archives.
	Goreleaser goreleaser.Program
	// Signer signs the checked artifacts before they are promoted.
	Signer Signer
	// AcceptStandIns allows references to stand-ins, which prove nothing. Otherwise each
	// stand-in is a finding.
	AcceptStandIns bool
	// AllowPrivate allows packages that are not public. Otherwise each is a finding.
	AllowPrivate bool
	// Untracked are paths of the work tree that may contain files of this run.
	Untracked []string
	Log       *report.Log

	renderings render.Memo // the charts' renderings, which several steps need
	// recent caches answers between steps; see forget.
	recent *resolve.Once
}

// remote returns the declared repository. A clone's origin may be a fork of it.
// gitTag returns the git tag of the version.
func (r *Releaser) gitTag() string { return r.File.Own().GitTag(r.Version) }

func (r *Releaser) remote() git.Remote { return git.Remote(r.Server + "/" + r.File.Own().Repository) }

// Release runs all steps. If one fails, Release returns the error together with the report
// of the steps until then.
func (r *Releaser) Release(ctx context.Context) (*report.Report, error) {
	return r.reported(func(rep *report.Report, dir string) error { return r.release(ctx, rep, dir) })
}

func (r *Releaser) release(ctx context.Context, rep *report.Report, dir string) error {
	rev, stamped, err := r.prepare(ctx, rep, dir, r.mayRelease)
	if err != nil {
		return err
	}
	if err := r.Log.Step("tag", func() (string, error) { return r.tag(ctx, rev) }); err != nil {
		return err
	}
	built, err := step(r.Log, "build", func() (goreleaser.Results, string, error) {
		return r.build(ctx, rev, filepath.Dir(dir))
	})
	if err != nil {
		return err
	}
	r.forget()
	staged, err := step(r.Log, "stage", func() (staged, string, error) { return r.stage(ctx, rev, stamped, built) })
	if err != nil {
		return err
	}
	artifacts, err := step(r.Log, "check", func() ([]promotion, string, error) {
		return r.check(ctx, rev, stamped, built, staged)
	})
	if err != nil {
		return err
	}
	err = r.Log.Step("sign", func() (string, error) { return r.sign(ctx, artifacts, staged.files, rep) })
	if err != nil {
		return err
	}
	if err := r.Log.Step("promote", func() (string, error) { return r.promote(ctx, artifacts) }); err != nil {
		return err
	}
	if err := r.Log.Step("publish", func() (string, error) { return r.publish(ctx, rev) }); err != nil {
		return err
	}
	err = r.Log.Step("prove", func() (string, error) { return r.prove(ctx, rev, stamped, staged.files, "", rep) })
	if err != nil {
		return err
	}
	return r.Log.Step("dispatch", func() (string, error) { return r.dispatch(ctx) })
}

// Publish stamps, packages, publishes and proves only the charts, for a repository whose
// images are already published.
func (r *Releaser) Publish(ctx context.Context) (*report.Report, error) {
	return r.reported(func(rep *report.Report, dir string) error { return r.publishCharts(ctx, rep, dir) })
}

func (r *Releaser) publishCharts(ctx context.Context, rep *report.Report, dir string) error {
	rev, stamped, err := r.prepare(ctx, rep, dir, r.mayPublishCharts)
	if err != nil {
		return err
	}
	charts, err := step(r.Log, "stage", func() ([]stagedChart, string, error) {
		return r.stageCharts(ctx, rev, stamped, goreleaser.Results{})
	})
	if err != nil {
		return err
	}
	artifacts, err := step(r.Log, "check", func() ([]promotion, string, error) {
		return r.checkCharts(ctx, rev, stamped, charts)
	})
	if err != nil {
		return err
	}
	if err := r.Log.Step("sign", func() (string, error) { return r.sign(ctx, artifacts, nil, rep) }); err != nil {
		return err
	}
	if err := r.Log.Step("promote", func() (string, error) { return r.promote(ctx, artifacts) }); err != nil {
		return err
	}
	return r.Log.Step("prove", func() (string, error) {
		return r.prove(ctx, rev, stamped, nil, delivery.Chart, rep)
	})
}

// prepare runs the steps that publish nothing: preflight and stamp.
func (r *Releaser) prepare(
	ctx context.Context, rep *report.Report, dir string, rights rights,
) (revision, stamped, error) {
	r.forget()
	rev, err := step(r.Log, "preflight", func() (revision, string, error) { return r.preflight(ctx, rights) })
	rep.Commit = rev.commit
	rep.Graph = decide.Mermaid(decide.Edges(r.File, rev.references, r.Version))
	rep.AddUnchecked(rev.standIns...)
	if err != nil {
		return rev, stamped{}, err
	}
	done, err := step(r.Log, "stamp", func() (stamped, string, error) { return r.stamp(ctx, rev, dir) })
	rep.AddUnchecked(done.standIns...)
	return rev, done, err
}

// step runs a step that returns a value.
func step[T any](log *report.Log, name string, do func() (T, string, error)) (value T, err error) {
	err = log.Step(name, func() (string, error) {
		var did string
		var err error
		value, did, err = do()
		return did, err
	})
	return value, err
}

// reported calls run with a report and a temporary folder.
func (r *Releaser) reported(run func(rep *report.Report, dir string) error) (*report.Report, error) {
	dir, err := os.MkdirTemp("", "ghhelper-release-*")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	rep := &report.Report{
		Component: r.File.Self,
		Version:   r.Version.String(),
		Artifacts: []report.Artifact{},
		Findings:  []decide.Finding{},
		Unchecked: []decide.Unchecked{},
	}
	err = run(rep, filepath.Join(dir, "stamped"))
	rep.Steps = append([]report.Step{}, r.Log.Steps...)
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

// forget drops the cached answers: before the first step, after the build, which takes
// minutes, and before the final proof.
func (r *Releaser) forget() {
	resolver := r.Lookup
	resolver.Registry, resolver.Server, resolver.Refs = r.Registry, r.Server, r.Repo.Refs(r.Server)
	r.recent = &resolve.Once{Resolver: resolver}
}
