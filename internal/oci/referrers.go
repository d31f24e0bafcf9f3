package oci

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
)

// bundleType is the media type of a Sigstore bundle, without its version:
// https://github.com/sigstore/cosign/blob/main/specs/BUNDLE_SPEC.md
const bundleType = "application/vnd.dev.sigstore.bundle"

// These limit the bytes of a bundle, and the number of referrers of a digest.
const (
	maxBundle    = 16 << 20
	maxReferrers = 100
)

// Bundles returns the Sigstore bundles, as JSON, that refer to a digest in its repository.
// There may be none. An error means that the registry could not be queried, or that a
// referrer could not be read.
// https://github.com/opencontainers/distribution-spec/blob/main/spec.md#listing-referrers
func (r *Registry) Bundles(ctx context.Context, at, digest string) ([][]byte, error) {
	subject, err := name.NewDigest(at+"@"+digest, name.StrictValidation)
	if err != nil {
		return nil, err
	}
	// remote.Referrers ignores the option for a puller.
	index, err := remote.Referrers(subject, remote.WithContext(ctx), remote.WithAuthFromKeychain(r.Keychain),
		remote.WithUserAgent(userAgent), remote.WithTransport(noDetour{r.Transport}),
		remote.WithRetryBackoff(r.backoff()))
	if err != nil {
		return nil, explain("looking for the referrers of", subject, err)
	}
	manifest, err := index.IndexManifest()
	if err != nil {
		return nil, explain("looking for the referrers of", subject, err)
	}
	if len(manifest.Manifests) > maxReferrers {
		return nil, fmt.Errorf("looking for the referrers of %s: saw %d manifests, want at most %d",
			subject, len(manifest.Manifests), maxReferrers)
	}
	var bundles [][]byte
	for _, m := range manifest.Manifests {
		more, err := r.bundlesIn(ctx, subject.Digest(m.Digest.String()))
		if err != nil {
			return nil, err
		}
		bundles = append(bundles, more...)
	}
	return bundles, nil
}

// bundlesIn reads the bundles in a referrer. It goes by the types of the layers, because
// go-containerregistry before 0.21.6 wrote wrong artifact types into the index
// (sigstore/cosign#4641).
func (r *Registry) bundlesIn(ctx context.Context, referrer name.Digest) ([][]byte, error) {
	desc, err := remote.Get(referrer, r.options(ctx)...)
	if err != nil {
		return nil, explain("reading", referrer, err)
	}
	if !desc.MediaType.IsImage() {
		return nil, nil
	}
	image, err := desc.Image()
	if err != nil {
		return nil, explain("reading", referrer, err)
	}
	layers, err := image.Layers()
	if err != nil {
		return nil, explain("reading", referrer, err)
	}
	var bundles [][]byte
	for _, layer := range layers {
		bundle, err := readBundle(layer)
		if err != nil {
			return nil, explain("reading", referrer, err)
		}
		if bundle != nil {
			bundles = append(bundles, bundle)
		}
	}
	return bundles, nil
}

// readBundle returns nil for a layer that is not a bundle.
func readBundle(layer v1.Layer) ([]byte, error) {
	kind, err := layer.MediaType()
	if err != nil || !strings.HasPrefix(string(kind), bundleType) {
		return nil, err
	}
	content, err := layer.Compressed()
	if err != nil {
		return nil, err
	}
	defer content.Close()
	return readAtMost(content, maxBundle)
}

// noDetour turns a redirect of a query for referrers into 404, so that the fallback, a
// tag, is read. ghcr.io redirects the query to github.com, which answers 429
// (artifacthub/hub#4785), and is not the registry.
type noDetour struct{ next http.RoundTripper }

func (t noDetour) RoundTrip(req *http.Request) (*http.Response, error) {
	res, err := t.next.RoundTrip(req)
	if err != nil || res.StatusCode/100 != 3 || !strings.Contains(req.URL.Path, "/referrers/") {
		return res, err
	}
	// The connection can be used again after the body is read.
	_, err = io.Copy(io.Discard, io.LimitReader(res.Body, maxBundle))
	if err = errors.Join(err, res.Body.Close()); err != nil {
		return nil, err
	}
	res.StatusCode, res.Status, res.Body = http.StatusNotFound, "404 Not Found", http.NoBody
	return res, nil
}

// Manifest returns the bytes of the manifest with a digest.
func (r *Registry) Manifest(ctx context.Context, at, digest string) ([]byte, error) {
	ref, err := name.NewDigest(at+"@"+digest, name.StrictValidation)
	if err != nil {
		return nil, err
	}
	desc, err := remote.Get(ref, r.options(ctx)...)
	if err != nil {
		return nil, explain("reading", ref, err)
	}
	return desc.Manifest, nil
}
