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

// promotion is a staged image or chart, with its final tag.
type promotion struct{ at, tag, digest string }

// check checks that no final name has other bytes, and that the draft contains the built
// files. Then it proves the release from the staged artifacts. It changes nothing. The
// promotions are in the order in which they may become visible: images before the charts
// that run them.
func (r *Releaser) check(
	ctx context.Context, rev revision, done stamped, built goreleaser.Results, s staged,
) ([]promotion, string, error) {
	artifacts := slices.Concat(r.images(built), r.charts(s.charts))
	release, err := r.currentRelease(ctx)
	if err == nil {
		err = r.checkAssets(ctx, release, s.files)
	}
	if err = errors.Join(r.checkFree(ctx, artifacts), err); err != nil {
		return nil, "", err
	}
	did, err := r.proveStaged(ctx, rev, done, s.files, release, artifacts, "")
	return artifacts, did, err
}

// checkCharts is check for a release that consists of charts.
func (r *Releaser) checkCharts(
	ctx context.Context, rev revision, done stamped, charts []stagedChart,
) ([]promotion, string, error) {
	artifacts := r.charts(charts)
	if err := r.checkFree(ctx, artifacts); err != nil {
		return nil, "", err
	}
	did, err := r.proveStaged(ctx, rev, done, nil, nil, artifacts, delivery.Chart)
	return artifacts, did, err
}

// images returns the built images. checkDeclared has checked that none is missing.
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

// checkFree checks that each final name is free, or already has these bytes.
func (r *Releaser) checkFree(ctx context.Context, artifacts []promotion) error {
	var errs []error
	for _, a := range artifacts {
		_, err := r.Registry.Published(ctx, a.at, a.tag, a.digest)
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// checkAssets checks that the release has each file, with the built bytes.
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
