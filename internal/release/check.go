package release

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/kubestellar/actions/internal/delivery"
	"github.com/kubestellar/actions/internal/gh"
	"github.com/kubestellar/actions/internal/oci"
	"github.com/kubestellar/actions/internal/outcome"
	"github.com/kubestellar/actions/internal/report"
	"github.com/kubestellar/actions/internal/resolve"
)

// artifact is an image or chart that has been staged and checked, with the
// final name that it may have.
type artifact struct {
	at, tag, digest string
	how             string // it was checked
	targets         []resolve.Target
}

// check reads back all that was staged and compares it with what was built,
// and looks whether any final name holds other bytes. It changes nothing. What
// it gives is in the order in which it may become visible: what is run before
// what runs it.
func (t *Train) check(ctx context.Context, src source, built Built, s staged) ([]artifact, string, error) {
	images, imagesErr := t.checkImages(ctx, src, built)
	charts, _, chartsErr := t.checkCharts(ctx, src, s.charts)
	release, releaseErr := t.currentRelease(ctx)
	if releaseErr == nil {
		releaseErr = t.checkAssets(ctx, release, s.files)
	}
	said := fmt.Sprintf("%s, %s, %s read back", report.Count(len(images), "image"), report.Count(len(charts), "chart"), report.Count(len(s.files), "asset"))
	return slices.Concat(images, charts), said, errors.Join(imagesErr, chartsErr, releaseErr)
}

func (t *Train) checkImages(ctx context.Context, src source, built Built) ([]artifact, error) {
	var images []artifact
	var errs []error
	for _, name := range t.File.Own().OfKind(delivery.Image) {
		a := t.File.Own().Artifacts[name]
		digest, ok := built.Images[a.At]
		if !ok {
			continue // nothing was built; declaredImages has looked
		}
		errs = append(errs, t.checkImage(ctx, src, a, digest))
		images = append(images, artifact{at: a.At, tag: a.TagFor(t.Version), digest: digest, how: "read back: platforms; revision, version and source labels"})
	}
	return images, errors.Join(errs...)
}

// checkImage: the staged image says of itself what it must, for every declared
// platform, and its final name is free or holds the same bytes.
func (t *Train) checkImage(ctx context.Context, src source, a delivery.Artifact, digest string) error {
	d, err := t.Registry.Describe(ctx, a.At, digest)
	if err != nil {
		return err
	}
	var errs []error
	for key, want := range map[string]string{oci.KeyRevision: src.commit, oci.KeyVersion: t.Version.String(), oci.KeySource: t.sourceURL()} {
		if got := d.Labels[key]; got != want {
			errs = append(errs, outcome.Wrongf("image %s@%s: label %s is %q, want %q: set it in %s", a.At, digest, key, got, want, configFile))
		}
	}
	for _, platform := range a.Platforms {
		if !slices.Contains(d.Platforms, platform) {
			errs = append(errs, outcome.Wrongf("image %s@%s: platform %s is missing, it has %s", a.At, digest, platform, strings.Join(d.Platforms, ", ")))
		}
	}
	_, err = t.Registry.Published(ctx, a.At, a.TagFor(t.Version), digest)
	return errors.Join(append(errs, err)...)
}

func (t *Train) checkCharts(ctx context.Context, src source, charts []stagedChart) ([]artifact, string, error) {
	var checked []artifact
	var errs []error
	for _, c := range charts {
		errs = append(errs, t.checkChart(ctx, src, c))
		how := "read back; " + report.Count(len(c.targets), "reference") + " of its rendering resolved"
		checked = append(checked, artifact{c.at, c.tag, c.digest, how, c.targets})
	}
	return checked, report.Count(len(checked), "chart") + " read back", errors.Join(errs...)
}

func (t *Train) checkChart(ctx context.Context, src source, c stagedChart) error {
	archive, d, err := t.Registry.Chart(ctx, c.at, c.digest)
	if err != nil {
		return err
	}
	if !bytes.Equal(archive, c.Archive) {
		return outcome.Wrongf("chart %s@%s: the registry gives back other bytes than were pushed", c.at, c.digest)
	}
	if got := d.Labels[oci.KeyRevision]; got != src.commit {
		return outcome.Wrongf("chart %s@%s: annotation %s is %q, want %q", c.at, c.digest, oci.KeyRevision, got, src.commit)
	}
	_, err = t.Registry.Published(ctx, c.at, c.tag, c.digest)
	return err
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
