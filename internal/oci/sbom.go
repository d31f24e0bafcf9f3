package oci

import (
	"context"
	"fmt"
	"strings"

	"github.com/google/go-containerregistry/pkg/v1/remote"
)

// maxSBOM bounds an SBOM, in bytes.
const maxSBOM = 64 << 20

// SBOM reads what is attached to an image as its SBOM, and tells its digest. It
// is found by the tag that cosign and ko give it:
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
	content, err := layers[0].Compressed() // it is kept as it is
	if err != nil {
		return nil, "", explain("reading", ref, err)
	}
	defer content.Close()
	text, err = readAtMost(content, maxSBOM)
	return text, hash.String(), err
}
