package oci

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"golang.org/x/sync/errgroup"

	"github.com/kubestellar/actions/internal/outcome"
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

// KeyStandIn marks a stand-in for an artifact in a rehearsal. It proves nothing about the
// real artifact.
const KeyStandIn = "io.kubestellar.actions.stand-in"

// Description describes an artifact in a registry.
type Description struct {
	Digest string
	// Labels are the labels of the image, if all its platforms share them, and the
	// annotations of the manifest.
	Labels map[string]string
	// Annotations are the annotations of the manifest.
	Annotations map[string]string
	// Platforms are the platforms of an image, as "os/architecture" or, for arm, "os/arm/variant". A chart has none.
	Platforms []string
	// Each describes the image for each platform, in the order of Platforms.
	Each []Platform
}

// Platform is an image for one platform.
type Platform struct {
	Name   string // "os/architecture", from the index
	Digest string
	// Configured is the platform in the configuration of the image.
	Configured string
	Labels     map[string]string
}

// Describe queries an artifact by tag or digest.
func (r *Registry) Describe(ctx context.Context, at, identifier string) (Description, error) {
	ref, err := parse(at, identifier)
	if err != nil {
		return Description{}, err
	}
	desc, err := remote.Get(ref, r.options(ctx)...)
	if err != nil {
		return Description{}, explain("looking for", ref, err)
	}
	d, err := describe(desc)
	if err != nil {
		return Description{}, explain("reading", ref, err)
	}
	return d, nil
}

func describe(desc *remote.Descriptor) (Description, error) {
	d := Description{Digest: desc.Digest.String(), Labels: map[string]string{}}
	if desc.MediaType.IsIndex() {
		return d, d.addIndex(desc)
	}
	return d, d.addImage(desc)
}

// Glance describes an artifact with one request: its digest, and as labels the
// annotations of its manifest.
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
		return Description{}, fmt.Errorf("reading %s: its manifest is not JSON: %w", ref, err)
	}
	return Description{Digest: desc.Digest.String(), Labels: manifest.Annotations}, nil
}

func (d *Description) addIndex(desc *remote.Descriptor) error {
	index, err := desc.ImageIndex()
	if err != nil {
		return err
	}
	return d.readIndex(index)
}

func (d *Description) readIndex(index v1.ImageIndex) error {
	manifest, err := index.IndexManifest()
	if err != nil {
		return err
	}
	for _, m := range manifest.Manifests {
		// Some builders add attestations, with an unknown platform.
		if m.Platform != nil && m.Platform.OS != "unknown" && m.Platform.OS != "" {
			name := platformName(m.Platform.OS, m.Platform.Architecture, m.Platform.Variant)
			d.Platforms = append(d.Platforms, name)
			d.Each = append(d.Each, Platform{Name: name, Digest: m.Digest.String()})
		}
	}
	var group errgroup.Group
	const atOnce = 8 // an index may list any number
	group.SetLimit(atOnce)
	for i := range d.Each {
		group.Go(func() error { return d.Each[i].read(index) })
	}
	if err := group.Wait(); err != nil {
		return err
	}
	var shared map[string]string
	for _, platform := range d.Each {
		shared = intersect(shared, platform.Labels)
	}
	d.Annotations = manifest.Annotations
	maps.Copy(d.Labels, manifest.Annotations)
	maps.Copy(d.Labels, shared)
	return nil
}

// read reads the configuration of the image for the platform.
func (p *Platform) read(index v1.ImageIndex) error {
	hash, err := v1.NewHash(p.Digest)
	if err != nil {
		return err
	}
	image, err := index.Image(hash)
	if err != nil {
		return err
	}
	config, err := imageConfig(image)
	p.Configured, p.Labels = platformName(config.OS, config.Architecture, config.Variant), config.Config.Labels
	if config.Variant == "" && strings.HasPrefix(p.Name, p.Configured+"/") {
		p.Configured = p.Name // builders often leave out the variant
	}
	return err
}

// platformName returns os/architecture, with the variant for arm only: the others have one that is usual.
func platformName(os, arch, variant string) string {
	if arch == "arm" && variant != "" {
		arch += "/" + variant
	}
	return os + "/" + arch
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
	d.Annotations = manifest.Annotations
	maps.Copy(d.Labels, manifest.Annotations)
	if !manifest.Config.MediaType.IsConfig() {
		return nil // a chart's config is its metadata, not an image's
	}
	config, err := imageConfig(image)
	if err != nil {
		return err
	}
	maps.Copy(d.Labels, config.Config.Labels)
	name := platformName(config.OS, config.Architecture, config.Variant)
	d.Platforms = []string{name}
	d.Each = []Platform{{name, d.Digest, name, config.Config.Labels}}
	return nil
}

func imageConfig(image v1.Image) (config v1.ConfigFile, err error) {
	raw, err := image.RawConfigFile()
	if err != nil {
		return config, err
	}
	if err := json.Unmarshal(raw, &config); err != nil {
		return config, fmt.Errorf("reading the image's configuration: %w", err)
	}
	return config, nil
}

// intersect returns the entries that both maps share. A nil map has all entries.
func intersect(a, b map[string]string) map[string]string {
	if a == nil {
		return maps.Clone(b)
	}
	maps.DeleteFunc(a, func(k, v string) bool { return b[k] != v })
	return a
}

// StandIn returns the reason why the artifact is a stand-in, or "".
func (d Description) StandIn() string { return d.Labels[KeyStandIn] }

// Tags lists the tags of a repository. A repository that does not exist has none.
func (r *Registry) Tags(ctx context.Context, at string) ([]string, error) {
	repository, err := name.NewRepository(at, name.StrictValidation)
	if err != nil {
		return nil, err
	}
	tags, err := remote.List(repository, r.options(ctx)...)
	if err == nil {
		return tags, nil
	}
	err = explain("listing the tags of", repository.Tag("any"), err)
	if errors.Is(err, outcome.ErrAbsent) {
		return nil, nil
	}
	return nil, err
}
