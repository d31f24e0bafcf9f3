package oci

import (
	"crypto/x509"
	"encoding/pem"
	"os"
	"slices"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"golang.org/x/crypto/x509roots/fallback/bundle"
)

// .goreleaser.yaml names the base image by digest. A change of its bytes must change the
// digest there.
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

// The images contain all roots of the module, except those with a constraint, which the
// file cannot express. The bytes do not depend on the order in the module.
func TestBaseImageHoldsTheRootCertificates(t *testing.T) {
	t.Parallel()
	index, err := BaseImage()
	if err != nil {
		t.Fatal(err)
	}
	want := 0
	reserved := map[string]bool{}
	for root := range bundle.Roots() {
		reserved[string(root.Certificate)] = root.Constraint != nil
		if root.Constraint == nil {
			want++
		}
	}
	const atLeast = 100
	platforms := 0
	err = eachImage(index, func(image v1.Image) error {
		platforms++
		certificates := rootsOf(t, image)
		if len(certificates) != want || want < atLeast {
			t.Errorf("saw %d certificates, want %d, which should be more than %d", len(certificates), want, atLeast)
		}
		for _, c := range certificates {
			if reserved[string(c.Raw)] || !c.IsCA {
				t.Errorf("%s: saw an authority %t, with a reservation %t", c.Subject, c.IsCA, reserved[string(c.Raw)])
			}
		}
		return nil
	})
	if err != nil || platforms != len(basePlatforms) {
		t.Errorf("saw %d platforms, %v, want %d", platforms, err, len(basePlatforms))
	}
}

// rootsOf returns the certificates in an image. Their file must be sorted.
func rootsOf(t *testing.T, image v1.Image) (certificates []*x509.Certificate) {
	t.Helper()
	layers, err := image.Layers()
	if err != nil {
		t.Fatal(err)
	}
	err = layerFiles(layers[0], func(name string, data []byte) error {
		if name != "etc/ssl/certs/ca-certificates.crt" {
			return nil
		}
		const end = "-----END CERTIFICATE-----\n"
		if parts := strings.SplitAfter(string(data), end); !slices.IsSorted(parts[:len(parts)-1]) {
			t.Error("the file is not sorted")
		}
		for block, rest := pem.Decode(data); block != nil; block, rest = pem.Decode(rest) {
			c, err := x509.ParseCertificate(block.Bytes)
			if err != nil {
				return err
			}
			certificates = append(certificates, c)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return certificates
}
