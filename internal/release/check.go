package release

import (
	"context"
	"errors"
	"slices"

	"github.com/kubestellar/actions/internal/delivery"
	"github.com/kubestellar/actions/internal/gh"
	"github.com/kubestellar/actions/internal/outcome"
)

// artifact is an image or chart that has been staged and checked, with the
// final name that it may have.
type artifact struct{ at, tag, digest string }

// check looks whether any final name holds other bytes, whether the draft has
// what was built, and then proves the release as anybody will, by what is
// staged. It changes nothing. What it gives is in the order in which it may
// become visible: what is run before what runs it.
func (t *Train) check(ctx context.Context, src source, done stamped, built Built, s staged) ([]artifact, string, error) {
	artifacts := slices.Concat(t.images(built), t.charts(s.charts))
	release, err := t.currentRelease(ctx)
	if err == nil {
		err = t.checkAssets(ctx, release, s.files)
	}
	if err = errors.Join(t.unclaimed(ctx, artifacts), err); err != nil {
		return nil, "", err
	}
	said, err := t.proveStaged(ctx, src, done, s.files, release, artifacts, "")
	return artifacts, said, err
}

// checkCharts is check for a release of charts alone.
func (t *Train) checkCharts(ctx context.Context, src source, done stamped, charts []stagedChart) ([]artifact, string, error) {
	artifacts := t.charts(charts)
	if err := t.unclaimed(ctx, artifacts); err != nil {
		return nil, "", err
	}
	said, err := t.proveStaged(ctx, src, done, nil, nil, artifacts, delivery.Chart)
	return artifacts, said, err
}

// images are those that were built; declaredImages has looked whether any is
// missing.
func (t *Train) images(built Built) []artifact {
	var all []artifact
	for _, name := range t.File.Own().OfKind(delivery.Image) {
		if a := t.File.Own().Artifacts[name]; built.Images[a.At] != "" {
			all = append(all, artifact{a.At, a.TagFor(t.Version), built.Images[a.At]})
		}
	}
	return all
}

func (t *Train) charts(staged []stagedChart) []artifact {
	var all []artifact
	for _, c := range staged {
		all = append(all, artifact{c.at, c.tag, c.digest})
	}
	return all
}

// unclaimed: each final name is free, or holds these bytes.
func (t *Train) unclaimed(ctx context.Context, artifacts []artifact) error {
	var errs []error
	for _, a := range artifacts {
		_, err := t.Registry.Published(ctx, a.at, a.tag, a.digest)
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// checkAssets: the release has each file, with the bytes that were built.
func (t *Train) checkAssets(ctx context.Context, release *gh.Release, files []BuiltFile) error {
	var errs []error
	for _, file := range files {
		asset, ok := release.Asset(file.Name)
		if !ok {
			errs = append(errs, outcome.Wrongf("release %s lacks the asset %s", release.URL, file.Name))
			continue
		}
		_, err := t.sameAsset(ctx, asset, file)
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}
