package oci

import (
	"context"
	"fmt"
	"strings"

	"github.com/google/go-containerregistry/pkg/v1/remote"
)

// maxSBOM is the size in bytes up to which an SBOM is read.
const maxSBOM = 64 << 20

// SBOM returns the SBOM of an image and its digest. It has a tag by the convention of
// cosign and ko:
// https://github.com/sigstore/cosign/blob/main/specs/SBOM_SPEC.md
func (r *Registry) SBOM(ctx context.Context, at, image string) (text []byte, digest string, err error) {
	tag := strings.Replace(image, ":", "-", 1) + ".sbom"
	ref, err := parse(at, tag)
	if err != nil {
		return nil, "", err
	}
	attached, err := remote.Image(ref, r.options(ctx)...)
	if err != nil {
		return nil, "", explain("looking for", ref, err)
	}
	hash, err := attached.Digest()
	if err != nil {
		return nil, "", explain("reading", ref, err)
	}
	layers, err := attached.Layers()
	if err != nil || len(layers) != 1 {
		return nil, "", fmt.Errorf("reading %s: saw %d layers, want the SBOM alone: %w", ref, len(layers), err)
	}
	content, err := layers[0].Compressed() // which is not compressed
	if err != nil {
		return nil, "", explain("reading", ref, err)
	}
	defer content.Close()
	text, err = readAtMost(content, maxSBOM)
	return text, hash.String(), err
}
