package release

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/kubestellar/actions/internal/delivery"
	"github.com/kubestellar/actions/internal/gh"
	"github.com/kubestellar/actions/internal/oci"
	"github.com/kubestellar/actions/internal/outcome"
)

// check reads back all that was staged and compares it with what was built,
// and looks whether any final name holds other bytes. It changes nothing.
func (r *ride) check() (string, error) {
	images, imagesErr := r.checkImages()
	charts, chartsErr := r.checkCharts()
	release, releaseErr := r.currentRelease()
	if releaseErr == nil {
		releaseErr = r.checkAssets(release)
	}
	return fmt.Sprintf("%s, %s, %s read back", images, charts, count(len(r.built.Files), "asset")), errors.Join(imagesErr, chartsErr, releaseErr)
}

func (r *ride) checkImages() (string, error) {
	var errs []error
	for _, name := range r.File.Own().OfKind(delivery.Image) {
		a := r.File.Own().Artifacts[name]
		errs = append(errs, r.checkImage(a, r.built.Images[a.At]))
	}
	return count(len(errs), "image"), errors.Join(errs...)
}

// checkImage: the staged image says of itself what it must, for every declared
// platform, and its final name is free or holds the same bytes.
func (r *ride) checkImage(a delivery.Artifact, digest string) error {
	d, err := r.Registry.Describe(r.ctx, a.At, digest)
	if err != nil {
		return err
	}
	var errs []error
	for key, want := range map[string]string{oci.KeyRevision: r.commit, oci.KeyVersion: r.Version.String(), oci.KeySource: r.source()} {
		if got := d.Labels[key]; got != want {
			errs = append(errs, outcome.Wrongf("image %s@%s: label %s is %q, want %q: set it in %s", a.At, digest, key, got, want, configFile))
		}
	}
	for _, platform := range a.Platforms {
		if !slices.Contains(d.Platforms, platform) {
			errs = append(errs, outcome.Wrongf("image %s@%s: platform %s is missing, it has %s", a.At, digest, platform, strings.Join(d.Platforms, ", ")))
		}
	}
	_, err = r.Registry.Published(r.ctx, a.At, a.TagFor(r.Version), digest)
	return errors.Join(append(errs, err)...)
}

func (r *ride) checkCharts() (string, error) {
	var errs []error
	for _, c := range r.charts {
		errs = append(errs, r.checkChart(c))
	}
	return count(len(r.charts), "chart"), errors.Join(errs...)
}

func (r *ride) checkChart(c stagedChart) error {
	archive, d, err := r.Registry.Chart(r.ctx, c.at, c.digest)
	if err != nil {
		return err
	}
	if !bytes.Equal(archive, c.Archive) {
		return outcome.Wrongf("chart %s@%s: the registry gives back other bytes than were pushed", c.at, c.digest)
	}
	if got := d.Labels[oci.KeyRevision]; got != r.commit {
		return outcome.Wrongf("chart %s@%s: annotation %s is %q, want %q", c.at, c.digest, oci.KeyRevision, got, r.commit)
	}
	_, err = r.Registry.Published(r.ctx, c.at, c.tag, c.digest)
	return err
}

// checkAssets: the release has each file, with the bytes that were built.
func (r *ride) checkAssets(release *gh.Release) error {
	var errs []error
	for _, file := range r.built.Files {
		asset, ok := release.Asset(file.Name)
		if !ok {
			errs = append(errs, outcome.Wrongf("release %s lacks the asset %s", release.URL, file.Name))
			continue
		}
		digest, err := r.Forge.AssetDigest(r.ctx, r.File.Own().Repository, asset)
		if err == nil && digest != file.Digest {
			err = &oci.Conflict{Name: "release asset " + file.Name, Seen: digest, Want: file.Digest}
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}
