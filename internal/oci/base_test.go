package oci

import (
	"os"
	"strings"
	"testing"
)

// The base image is named by digest in .goreleaser.yaml; whoever changes its
// bytes must change it there too.
func TestBaseImageIsTheOneThatWeBuildOn(t *testing.T) {
	t.Parallel()
	index, err := BaseImage()
	if err != nil {
		t.Fatal(err)
	}
	digest, err := index.Digest()
	if err != nil {
		t.Fatal(err)
	}
	config, err := os.ReadFile("../../.goreleaser.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(config), "/base@"+digest.String()) {
		t.Errorf(".goreleaser.yaml does not build on the base image @%s", digest)
	}
}
