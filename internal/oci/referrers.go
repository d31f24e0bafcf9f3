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

// bundleType begins the media type of a Sigstore bundle, whose version follows:
// https://github.com/sigstore/cosign/blob/main/specs/BUNDLE_SPEC.md
const bundleType = "application/vnd.dev.sigstore.bundle"

// Bounds of what is read of others: bytes of one bundle, and referrers of one
// digest.
const (
	maxBundle    = 16 << 20
	maxReferrers = 100
)

// Bundles are the Sigstore bundles that refer to a digest in its repository, as
// JSON. That there are none is an empty list; an error means that it could not
// be asked, or that what refers to the digest could not be read.
// https://github.com/opencontainers/distribution-spec/blob/main/spec.md#listing-referrers
func (r *Registry) Bundles(ctx context.Context, at, digest string) ([][]byte, error) {
	subject, err := name.NewDigest(at+"@"+digest, name.StrictValidation)
	if err != nil {
		return nil, err
	}
	// remote.Referrers heeds no puller that it is given.
	index, err := remote.Referrers(subject, remote.WithContext(ctx), remote.WithAuthFromKeychain(r.Keychain), remote.WithUserAgent(userAgent),
		remote.WithTransport(noDetour{r.Transport}), remote.WithRetryBackoff(r.backoff()))
	if err != nil {
		return nil, explain("looking for what refers to", subject, err)
	}
	manifest, err := index.IndexManifest()
	if err != nil {
		return nil, explain("looking for what refers to", subject, err)
	}
	if len(manifest.Manifests) > maxReferrers {
		return nil, fmt.Errorf("looking for what refers to %s: saw %d manifests, which is more than the %d that are read", subject, len(manifest.Manifests), maxReferrers)
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

// bundlesIn reads a referrer. What it is, its layers tell: the artifact type
// that an index gives for it is wrong where go-containerregistry before 0.21.6
// wrote the index (sigstore/cosign#4641).
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

// readBundle is nil for a layer that is no bundle.
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

// noDetour takes a redirect of a question about referrers for that the registry
// answers no such question, upon which its fallback, a tag, is looked for.
// ghcr.io redirects it to github.com, which answers 429 (artifacthub/hub#4785);
// nothing that is found there would be the registry's word.
type noDetour struct{ next http.RoundTripper }

func (t noDetour) RoundTrip(req *http.Request) (*http.Response, error) {
	res, err := t.next.RoundTrip(req)
	if err != nil || res.StatusCode/100 != 3 || !strings.Contains(req.URL.Path, "/referrers/") {
		return res, err
	}
	// The body is read to its end, so that the connection can be used again.
	_, err = io.Copy(io.Discard, io.LimitReader(res.Body, maxBundle))
	if err = errors.Join(err, res.Body.Close()); err != nil {
		return nil, err
	}
	res.StatusCode, res.Status, res.Body = http.StatusNotFound, "404 Not Found", http.NoBody
	return res, nil
}

// Manifest is the manifest with a digest, byte for byte: its SHA-256 is the
// digest.
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
