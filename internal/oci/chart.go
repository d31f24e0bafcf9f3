package oci

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/partial"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/kubestellar/actions/internal/outcome"
)

// Media types of Helm charts in registries: https://helm.sh/docs/topics/registries
const (
	chartConfig  types.MediaType = "application/vnd.cncf.helm.config.v1+json"
	chartContent types.MediaType = "application/vnd.cncf.helm.chart.content.v1.tar+gzip"
)

// maxChart is the size in bytes up to which a chart is read. helm has the same limit.
const maxChart = 100 << 20

// ChartImage returns a chart's package as an artifact for a registry: the archive is its
// layer, and the metadata is its configuration, as JSON.
func ChartImage(archive []byte, metadata any, annotations map[string]string) (v1.Image, error) {
	config, err := json.Marshal(metadata)
	if err != nil {
		return nil, fmt.Errorf("writing the chart's metadata as JSON: %w", err)
	}
	image, err := mutate.Append(mutate.MediaType(empty.Image, types.OCIManifestSchema1),
		mutate.Addendum{Layer: static.NewLayer(archive, chartContent), MediaType: chartContent})
	if err != nil {
		return nil, err
	}
	image = mutate.ConfigMediaType(image, chartConfig)
	annotated, ok := mutate.Annotations(image, annotations).(v1.Image)
	if !ok {
		return nil, fmt.Errorf("annotating the chart's manifest: the result is not an image")
	}
	return withConfig(annotated, config)
}

// withConfig replaces the configuration of an image.
func withConfig(image v1.Image, config []byte) (v1.Image, error) {
	manifest, err := image.Manifest()
	if err != nil {
		return nil, err
	}
	manifest = manifest.DeepCopy()
	hash, size, err := v1.SHA256(bytes.NewReader(config))
	if err != nil {
		return nil, err
	}
	manifest.Config.Digest, manifest.Config.Size = hash, size
	raw, err := json.Marshal(manifest)
	if err != nil {
		return nil, err
	}
	return partial.CompressedToImage(&rawImage{image, raw, config})
}

// rawImage is an image with a manifest and a configuration of given bytes.
type rawImage struct {
	layers           v1.Image
	manifest, config []byte
}

func (i *rawImage) RawManifest() ([]byte, error)        { return i.manifest, nil }
func (i *rawImage) RawConfigFile() ([]byte, error)      { return i.config, nil }
func (i *rawImage) MediaType() (types.MediaType, error) { return i.layers.MediaType() }
func (i *rawImage) LayerByDigest(h v1.Hash) (partial.CompressedLayer, error) {
	return i.layers.LayerByDigest(h)
}

// Chart fetches a chart's package by tag or digest.
func (r *Registry) Chart(ctx context.Context, at, identifier string) (archive []byte, d Description, err error) {
	ref, err := parse(at, identifier)
	if err != nil {
		return nil, d, err
	}
	desc, err := remote.Get(ref, r.options(ctx)...)
	if err != nil {
		return nil, d, explain("looking for", ref, err)
	}
	if desc.MediaType.IsIndex() {
		return nil, d, outcome.Wrongf("reading %s: it is an image for several platforms, want a Helm chart", ref)
	}
	if d, err = describe(desc); err != nil {
		return nil, d, explain("reading", ref, err)
	}
	image, err := desc.Image()
	if err != nil {
		return nil, d, explain("reading", ref, err)
	}
	if archive, err = chartLayer(image); err != nil {
		return nil, d, explain("fetching", ref, err)
	}
	return archive, d, nil
}

func chartLayer(image v1.Image) ([]byte, error) {
	layers, err := image.Layers()
	if err != nil {
		return nil, err
	}
	for _, layer := range layers {
		if t, err := layer.MediaType(); err != nil || t != chartContent {
			continue
		}
		content, err := layer.Compressed()
		if err != nil {
			return nil, err
		}
		defer content.Close()
		return readAtMost(content, maxChart)
	}
	return nil, outcome.Wrongf("there is no layer of type %s, want a Helm chart", chartContent)
}

func readAtMost(r io.Reader, most int64) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(r, most+1))
	if err == nil && int64(len(data)) > most {
		err = fmt.Errorf("larger than %d bytes", most)
	}
	return data, err
}

// ChartArchive fetches a chart's package by tag, without a description.
func (r *Registry) ChartArchive(ctx context.Context, at, tag string) ([]byte, error) {
	archive, _, err := r.Chart(ctx, at, tag)
	return archive, err
}
