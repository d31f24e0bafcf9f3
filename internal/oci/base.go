package oci

import (
	"archive/tar"
	"bytes"
	"encoding/pem"
	"fmt"
	"slices"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"golang.org/x/crypto/x509roots/fallback/bundle"
)

// BaseName is the location of the base image.
const BaseName = "ghcr.io/kubestellar/actions/base"

// indexType is the media type of the project's images for several platforms.
const indexType = types.OCIImageIndex

// basePlatforms are the architectures of the base image, for linux.
var basePlatforms = []string{"amd64", "arm64", "ppc64le"}

// baseFile is a file or folder of the base image.
type baseFile struct {
	name, text string
	mode       int64
	owner      int
}

// baseFiles returns the content of the base image.
func baseFiles() []baseFile {
	return []baseFile{
		{"etc/", "", 0o755, 0},
		{"etc/group", "root:x:0:\nnonroot:x:65532:\n", 0o644, 0},
		{"etc/passwd", "root:x:0:0:root:/:/sbin/nologin\n" +
			"nonroot:x:65532:65532:nonroot:/home/nonroot:/sbin/nologin\n", 0o644, 0},
		{"etc/ssl/", "", 0o755, 0},
		{"etc/ssl/certs/", "", 0o755, 0},
		{rootsFile, roots(), 0o644, 0},
		{"home/", "", 0o755, 0},
		{"home/nonroot/", "", 0o700, 65532},
		{"tmp/", "", 0o1777, 0},
	}
}

// rootsFile is the path at which Go programs, and programs with OpenSSL, search for root
// certificates.
const rootsFile = "etc/ssl/certs/ca-certificates.crt"

// roots returns the root certificates that Mozilla trusts for web sites, from a module of
// the Go project. It leaves out a root that is only trusted for certificates from before a
// day, because PEM cannot express that.
func roots() string {
	var all []string
	for root := range bundle.Roots() {
		if root.Constraint == nil {
			all = append(all, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: root.Certificate})))
		}
	}
	slices.Sort(all) // independent of the module's order
	return strings.Join(all, "")
}

// BaseImage returns the base of the project's images. It is made from fixed bytes. Its
// layer is uncompressed, because compressed bytes depend on the compressor's version.
func BaseImage() (v1.ImageIndex, error) {
	content, err := baseLayer()
	if err != nil {
		return nil, err
	}
	index := mutate.IndexMediaType(empty.Index, indexType)
	for _, arch := range basePlatforms {
		image, err := basePlatform(content, arch)
		if err != nil {
			return nil, fmt.Errorf("making the base image for linux/%s: %w", arch, err)
		}
		index = mutate.AppendManifests(index, mutate.IndexAddendum{
			Add:        image,
			Descriptor: v1.Descriptor{Platform: &v1.Platform{OS: "linux", Architecture: arch}},
		})
	}
	return index, nil
}

func baseLayer() ([]byte, error) {
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	for _, f := range baseFiles() {
		header := &tar.Header{
			Name:    f.name,
			Mode:    f.mode,
			Size:    int64(len(f.text)),
			Uid:     f.owner,
			Gid:     f.owner,
			ModTime: time.Unix(0, 0),
		}
		if err := w.WriteHeader(header); err != nil {
			return nil, err
		}
		if _, err := w.Write([]byte(f.text)); err != nil {
			return nil, err
		}
	}
	return out.Bytes(), w.Close()
}

func basePlatform(content []byte, arch string) (v1.Image, error) {
	image := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON)
	image, err := mutate.Append(image, mutate.Addendum{
		Layer:     static.NewLayer(content, types.OCIUncompressedLayer),
		MediaType: types.OCIUncompressedLayer,
	})
	if err != nil {
		return nil, err
	}
	config, err := image.ConfigFile()
	if err != nil {
		return nil, err
	}
	config = config.DeepCopy()
	config.OS, config.Architecture = "linux", arch
	config.History, config.Container = nil, ""
	config.Config = v1.Config{
		User:       "65532:65532",
		WorkingDir: "/home/nonroot",
		Env:        []string{"PATH=/ko-app:/usr/bin:/bin", "HOME=/home/nonroot"},
	}
	return mutate.ConfigFile(image, config)
}
