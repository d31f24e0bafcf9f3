package oci

import (
	"fmt"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
)

// WriteBase writes the base image to an OCI layout, and the image for each platform as
// well. It returns the name of the base image. With KOCACHE set to the folder of the
// layout, ko queries no registry.
func WriteBase(dir string) (name string, err error) {
	base, err := BaseImage()
	if err != nil {
		return "", err
	}
	hash, err := base.Digest()
	if err != nil {
		return "", err
	}
	path, err := layout.Write(dir, empty.Index)
	if err != nil {
		return "", fmt.Errorf("writing the base image: %w", err)
	}
	if err := path.AppendIndex(base); err != nil {
		return "", fmt.Errorf("writing the base image: %w", err)
	}
	if err := eachImage(base, func(image v1.Image) error { return path.AppendImage(image) }); err != nil {
		return "", fmt.Errorf("writing the base image: %w", err)
	}
	return BaseName + "@" + hash.String(), nil
}

func eachImage(index v1.ImageIndex, do func(v1.Image) error) error {
	manifest, err := index.IndexManifest()
	if err != nil {
		return err
	}
	for _, m := range manifest.Manifests {
		image, err := index.Image(m.Digest)
		if err != nil {
			return err
		}
		if err := do(image); err != nil {
			return err
		}
	}
	return nil
}

// ReadLayout reads the one image of an OCI layout. It adds an index to an image for a
// single platform.
func ReadLayout(dir string) (v1.ImageIndex, error) {
	top, err := layout.ImageIndexFromPath(dir)
	if err != nil {
		return nil, fmt.Errorf("reading the OCI layout %s: %w", dir, err)
	}
	manifest, err := top.IndexManifest()
	if err != nil {
		return nil, fmt.Errorf("reading the OCI layout %s: %w", dir, err)
	}
	if len(manifest.Manifests) != 1 {
		return nil, fmt.Errorf("reading the OCI layout %s: saw %d images in it, want one", dir, len(manifest.Manifests))
	}
	only := manifest.Manifests[0]
	if only.MediaType.IsIndex() {
		return top.ImageIndex(only.Digest)
	}
	image, err := top.Image(only.Digest)
	if err != nil {
		return nil, err
	}
	config, err := imageConfig(image)
	if err != nil {
		return nil, err
	}
	return mutate.AppendManifests(mutate.IndexMediaType(empty.Index, indexType), mutate.IndexAddendum{
		Add:        image,
		Descriptor: v1.Descriptor{Platform: &v1.Platform{OS: config.OS, Architecture: config.Architecture}},
	}), nil
}

// WriteLayout writes an image for several platforms to an OCI layout.
func WriteLayout(dir string, index v1.ImageIndex) error {
	path, err := layout.Write(dir, empty.Index)
	if err == nil {
		err = path.AppendIndex(index)
	}
	if err != nil {
		return fmt.Errorf("writing the OCI layout %s: %w", dir, err)
	}
	return nil
}

// DescribeIndex describes an image that is not in a registry.
func DescribeIndex(index v1.ImageIndex) (Description, error) {
	hash, err := index.Digest()
	if err != nil {
		return Description{}, err
	}
	d := Description{Digest: hash.String(), Labels: map[string]string{}}
	return d, d.readIndex(index)
}
