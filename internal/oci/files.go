package oci

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
)

// These limit the bytes that are read from an image: of a file, because it is kept in
// memory, and of a layer, because it may be compressed to much less.
const (
	maxFile  = 512 << 20
	maxLayer = 8 << 30
)

// Files calls look with the regular files in each layer of an image for one platform. An
// error of look ends it.
func (r *Registry) Files(ctx context.Context, at, digest string, look func(name string, data []byte) error) error {
	ref, err := parse(at, digest)
	if err != nil {
		return err
	}
	image, err := remote.Image(ref, r.options(ctx)...)
	if err != nil {
		return explain("fetching", ref, err)
	}
	layers, err := image.Layers()
	if err != nil {
		return explain("fetching", ref, err)
	}
	for _, layer := range layers {
		if err := layerFiles(layer, look); err != nil {
			return fmt.Errorf("reading the files of %s: %w", ref, err)
		}
	}
	return nil
}

func layerFiles(layer v1.Layer, look func(name string, data []byte) error) error {
	content, err := layer.Uncompressed()
	if err != nil {
		return err
	}
	defer content.Close()
	bounded := &io.LimitedReader{R: content, N: maxLayer}
	files := tar.NewReader(bounded)
	for {
		header, err := files.Next()
		if bounded.N == 0 {
			return fmt.Errorf("a layer is larger than %d bytes", int64(maxLayer))
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if header.Typeflag != tar.TypeReg {
			continue
		}
		data, err := readAtMost(files, maxFile)
		if err != nil {
			return fmt.Errorf("%s: %w", header.Name, err)
		}
		if err := look(header.Name, data); err != nil {
			return err
		}
	}
}
