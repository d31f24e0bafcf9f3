package oci

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
)

// Annotation keys of the OCI image specification, also used as image labels:
// https://github.com/opencontainers/image-spec/blob/main/annotations.md
const (
	KeySource      = "org.opencontainers.image.source"
	KeyRevision    = "org.opencontainers.image.revision"
	KeyVersion     = "org.opencontainers.image.version"
	KeyCreated     = "org.opencontainers.image.created"
	KeyLicenses    = "org.opencontainers.image.licenses"
	KeyTitle       = "org.opencontainers.image.title"
	KeyDescription = "org.opencontainers.image.description"
)

// KeyStandIn marks what was made to stand in for an artifact of that name in
// a rehearsal. What carries it proves nothing about the real artifact.
const KeyStandIn = "io.kubestellar.actions.stand-in"

// Description is what a registry says of one artifact.
type Description struct {
	Digest string
	// Labels are the image's labels and the manifest's annotations in one;
	// of several platforms, those that all share.
	Labels map[string]string
	// Platforms that an image has, as "os/architecture"; none for a chart.
	Platforms []string
}

// Describe asks a registry for an artifact by tag or digest.
func (r *Registry) Describe(ctx context.Context, at, identifier string) (Description, error) {
	ref, err := parse(at, identifier)
	if err != nil {
		return Description{}, err
	}
	desc, err := remote.Get(ref, r.options(ctx)...)
	if err != nil {
		return Description{}, explain("looking for", ref, err)
	}
	d := Description{Digest: desc.Digest.String(), Labels: map[string]string{}}
	if desc.MediaType.IsIndex() {
		err = d.addIndex(desc)
	} else {
		err = d.addImage(desc)
	}
	if err != nil {
		return Description{}, explain("reading", ref, err)
	}
	return d, nil
}

// Glance is Describe in one request: it tells the digest, and of the labels
// those that the manifest itself carries.
func (r *Registry) Glance(ctx context.Context, at, identifier string) (Description, error) {
	ref, err := parse(at, identifier)
	if err != nil {
		return Description{}, err
	}
	desc, err := remote.Get(ref, r.options(ctx)...)
	if err != nil {
		return Description{}, explain("looking for", ref, err)
	}
	var manifest struct {
		Annotations map[string]string `json:"annotations"`
	}
	if err := json.Unmarshal(desc.Manifest, &manifest); err != nil {
		return Description{}, fmt.Errorf("reading %s: its manifest is no JSON: %w", ref, err)
	}
	return Description{Digest: desc.Digest.String(), Labels: manifest.Annotations}, nil
}

func (d *Description) addIndex(desc *remote.Descriptor) error {
	index, err := desc.ImageIndex()
	if err != nil {
		return err
	}
	manifest, err := index.IndexManifest()
	if err != nil {
		return err
	}
	var shared map[string]string
	for _, m := range manifest.Manifests {
		if m.Platform == nil || m.Platform.OS == "unknown" || m.Platform.OS == "" {
			continue // attestations of some builders stand beside the platforms
		}
		image, err := index.Image(m.Digest)
		if err != nil {
			return err
		}
		labels, err := imageLabels(image)
		if err != nil {
			return err
		}
		d.Platforms = append(d.Platforms, m.Platform.OS+"/"+m.Platform.Architecture)
		shared = intersect(shared, labels)
	}
	maps.Copy(d.Labels, manifest.Annotations)
	maps.Copy(d.Labels, shared)
	return nil
}

func (d *Description) addImage(desc *remote.Descriptor) error {
	image, err := desc.Image()
	if err != nil {
		return err
	}
	manifest, err := image.Manifest()
	if err != nil {
		return err
	}
	maps.Copy(d.Labels, manifest.Annotations)
	if !manifest.Config.MediaType.IsConfig() {
		return nil // a chart's config is its metadata, not an image's
	}
	labels, err := imageLabels(image)
	if err != nil {
		return err
	}
	config, err := image.ConfigFile()
	if err != nil {
		return err
	}
	maps.Copy(d.Labels, labels)
	d.Platforms = []string{config.OS + "/" + config.Architecture}
	return nil
}

func imageLabels(image v1.Image) (map[string]string, error) {
	raw, err := image.RawConfigFile()
	if err != nil {
		return nil, err
	}
	var config v1.ConfigFile
	if err := json.Unmarshal(raw, &config); err != nil {
		return nil, fmt.Errorf("reading the image's configuration: %w", err)
	}
	return config.Config.Labels, nil
}

// intersect keeps what both say alike; a nil map says everything.
func intersect(a, b map[string]string) map[string]string {
	if a == nil {
		return maps.Clone(b)
	}
	maps.DeleteFunc(a, func(k, v string) bool { return b[k] != v })
	return a
}

// StandIn is the reason why the artifact is not the real one, or "".
func (d Description) StandIn() string { return d.Labels[KeyStandIn] }
