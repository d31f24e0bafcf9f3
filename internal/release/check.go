package release

import (
	"context"
	"errors"
	"slices"

	"github.com/kubestellar/actions/internal/delivery"
	"github.com/kubestellar/actions/internal/gh"
	"github.com/kubestellar/actions/internal/goreleaser"
	"github.com/kubestellar/actions/internal/outcome"
)

// artifact is an image or chart that has been staged and checked, with the
// final name that it may have.
type promotion struct{ at, tag, digest string }

// check looks whether any final name holds other bytes, whether the draft has
// what was built, and then proves the release as anybody will, by what is
// staged. It changes nothing. What it gives is in the order in which it may
// become visible: what is run before what runs it.
func (r *Releaser) check(ctx context.Context, rev revision, done stamped, built goreleaser.Results, s staged) ([]promotion, string, error) {
	artifacts := slices.Concat(r.images(built), r.charts(s.charts))
	release, err := r.currentRelease(ctx)
	if err == nil {
		err = r.checkAssets(ctx, release, s.files)
	}
	if err = errors.Join(r.unclaimed(ctx, artifacts), err); err != nil {
		return nil, "", err
	}
	said, err := r.proveStaged(ctx, rev, done, s.files, release, artifacts, "")
	return artifacts, said, err
}

// checkCharts is check for a release of charts alone.
func (r *Releaser) checkCharts(ctx context.Context, rev revision, done stamped, charts []stagedChart) ([]promotion, string, error) {
	artifacts := r.charts(charts)
	if err := r.unclaimed(ctx, artifacts); err != nil {
		return nil, "", err
	}
	said, err := r.proveStaged(ctx, rev, done, nil, nil, artifacts, delivery.Chart)
	return artifacts, said, err
}

// images are those that were built; declaredImages has looked whether any is
// missing.
func (r *Releaser) images(built goreleaser.Results) []promotion {
	var all []promotion
	for _, name := range r.File.Own().OfKind(delivery.Image) {
		if a := r.File.Own().Artifacts[name]; built.Images[a.At] != "" {
			all = append(all, promotion{a.At, a.TagFor(r.Version), built.Images[a.At]})
		}
	}
	return all
}

func (r *Releaser) charts(staged []stagedChart) []promotion {
	var all []promotion
	for _, c := range staged {
		all = append(all, promotion{c.at, c.tag, c.digest})
	}
	return all
}

// unclaimed: each final name is free, or holds these bytes.
func (r *Releaser) unclaimed(ctx context.Context, artifacts []promotion) error {
	var errs []error
	for _, a := range artifacts {
		_, err := r.Registry.Published(ctx, a.at, a.tag, a.digest)
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// checkAssets: the release has each file, with the bytes that were built.
func (r *Releaser) checkAssets(ctx context.Context, release *gh.Release, files []goreleaser.File) error {
	var errs []error
	for _, file := range files {
		asset, ok := release.Asset(file.Name)
		if !ok {
			errs = append(errs, outcome.Wrongf("release %s lacks the asset %s", release.URL, file.Name))
			continue
		}
		_, err := r.sameAsset(ctx, asset, file)
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}
