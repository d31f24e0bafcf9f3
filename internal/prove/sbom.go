package prove

import (
	"bytes"
	"context"
	"fmt"
	"strings"

	"github.com/kubestellar/actions/internal/oci"
	"github.com/kubestellar/actions/internal/outcome"
)

// sbom finds the SBOM of an image and checks that it describes this image.
func (r *run) sbom(ctx context.Context, t thing, d oci.Description) (evidence string, err error) {
	text, digest, err := r.Registry.SBOM(ctx, t.At, d.Digest)
	if err != nil {
		return "", err
	}
	_, hex, _ := strings.Cut(d.Digest, ":")
	if !bytes.Contains(text, []byte(hex)) {
		return "", outcome.Wrongf("%s is attached as its SBOM, and does not name it", digest)
	}
	return fmt.Sprintf("%s, which names it", digest), nil
}
