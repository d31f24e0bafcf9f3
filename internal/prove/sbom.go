package prove

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/kubestellar/actions/internal/oci"
	"github.com/kubestellar/actions/internal/outcome"
)

// attachesSBOM tells whether the tag's configuration of goreleaser has ko attach
// an SBOM to the images at a location, which it does unless told not to:
// https://goreleaser.com/customization/ko/
func (r *run) attachesSBOM(at string) bool {
	if r.src.Tree == nil {
		return false
	}
	data, err := fs.ReadFile(r.src.Tree, ".goreleaser.yaml")
	if err != nil {
		return false
	}
	var config struct {
		Kos []struct {
			Repositories []string `yaml:"repositories"`
			SBOM         string   `yaml:"sbom"`
		} `yaml:"kos"`
	}
	if err := yaml.Unmarshal(data, &config); err != nil {
		return false // the build says what is wrong with it
	}
	for _, ko := range config.Kos {
		if slices.Contains(ko.Repositories, at) {
			return ko.SBOM != "none"
		}
	}
	return false
}

// sbom looks for the SBOM of an image, and whether it is one of this image.
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
