// Package image builds container images of other projects' tools from their released
// source, and publishes each once. delivery.yaml declares the images.
package image

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"golang.org/x/mod/module"

	"github.com/kubestellar/actions/internal/delivery"
	"github.com/kubestellar/actions/internal/git"
	"github.com/kubestellar/actions/internal/oci"
	"github.com/kubestellar/actions/internal/outcome"
	"github.com/kubestellar/actions/internal/ref"
)

// Builder builds the image of one component.
type Builder struct {
	File      *delivery.File
	Component string
	// Version is the version to build. Zero is the newest release.
	Version ref.Version
	// Platforms are the platforms to build for; empty means all. An image that lacks a
	// platform is never pushed.
	Platforms []string
	// Repo has git's environment, Env is that of go and ko.
	Repo git.Repo
	Env  []string
	// Toolchain is the minimum Go toolchain, such as go1.26.8. If go.mod requires a newer
	// one, that one builds.
	Toolchain string
	// Server is the address of the Git server, https://github.com.
	Server   string
	Registry *oci.Registry
	// Push publishes the image. Otherwise nothing is pushed.
	Push bool
	// Layout is a new folder for the image as an OCI layout, "" for none.
	Layout string
	Output io.Writer // receives the output of ko and go; nil discards it
}

// Image is a built image.
type Image struct {
	Component string             `json:"component"`
	Version   string             `json:"version"`
	Name      string             `json:"image"` // location:tag
	Digest    string             `json:"digest"`
	State     State              `json:"state"`
	Layout    string             `json:"layout,omitempty"`
	Source    Source             `json:"source"`
	Toolchain string             `json:"toolchain"` // the minimum
	Platforms []Platform         `json:"platforms"`
	Bundles   []delivery.Bundled `json:"bundles"`
	// Next is the command that bumps our references, "" until the image is published.
	Next string `json:"next,omitempty"`
}

// State is how far an image got.
type State string

// The states.
const (
	Built       State = "built"
	Pushed      State = "pushed"
	AlreadyDone State = "already done"
)

// Platform is the image for one platform.
type Platform struct {
	Name   string `json:"platform"`
	Digest string `json:"digest"`
}

// job is a build whose parameters have been checked.
type job struct {
	Builder
	artifact   delivery.Artifact
	repository string
	platforms  []string
}

// Build builds the image and, if Push is set, publishes it.
func (b Builder) Build(ctx context.Context) (*Image, error) {
	j, err := b.job()
	if err != nil {
		return nil, err
	}
	if err := j.mayBuild(ctx); err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "ghhelper-image-*")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	if j.Version, err = j.version(ctx); err != nil {
		return nil, err
	}
	src, err := j.source(ctx, dir)
	if err != nil {
		return nil, err
	}
	index, err := j.ko(ctx, dir, src)
	if err != nil {
		return nil, err
	}
	return j.deliver(ctx, src, index)
}

// job checks the builder's parameters.
func (b Builder) job() (job, error) {
	c, err := b.File.Component(b.Component)
	if err != nil {
		return job{}, outcome.As(outcome.Usage, err)
	}
	artifact, ok := c.Built()
	if !ok {
		return job{}, outcome.Usagef("component %s has no image with a build in %s: the components with a build are %s",
			b.Component, delivery.FileName, strings.Join(built(b.File), ", "))
	}
	all := artifact.BuildPlatforms()
	j := job{b, artifact, c.Repository, all}
	if len(b.Platforms) > 0 {
		j.platforms = slices.DeleteFunc(slices.Clone(all), func(p string) bool {
			return !slices.Contains(b.Platforms, p)
		})
	}
	for _, p := range b.Platforms {
		if !slices.Contains(all, p) {
			return job{}, outcome.Usagef("%s is not built for platform %q: its platforms are %s",
				artifact.At, p, strings.Join(all, ", "))
		}
	}
	if b.Push && len(j.platforms) < len(all) {
		return job{}, outcome.Usagef("an image for only %s is never pushed, because its tag could not be used again: "+
			"omit the platforms, or do not push", strings.Join(j.platforms, ", "))
	}
	return j, j.fits(b.Version)
}

// built returns the components with an image that this repository builds.
func built(f *delivery.File) []string {
	return slices.DeleteFunc(f.Names(), func(name string) bool {
		_, ok := f.Components[name].Built()
		return !ok
	})
}

// fits checks that a version belongs to the declared module, whose path ends in its major
// version from v2 on.
// https://go.dev/ref/mod#major-version-suffixes
func (j job) fits(v ref.Version) error {
	if v.IsZero() || j.artifact.Build.Module == "" {
		return nil
	}
	_, major, _ := module.SplitPathVersion(j.artifact.Build.Module)
	if err := module.CheckPathMajor(v.WithV(), major); err != nil {
		return outcome.Usagef("version %s of %s does not belong to the module %s that %s declares: %w",
			v, j.Component, j.artifact.Build.Module, delivery.FileName, err)
	}
	return nil
}

// mayBuild checks everything that would make the build fail after several minutes.
func (j job) mayBuild(ctx context.Context) error {
	if err := j.commands(); err != nil {
		return err
	}
	if _, err := os.Lstat(j.Layout); j.Layout != "" && err == nil {
		return outcome.Usagef("the folder %s for the OCI layout already exists: name a new one", j.Layout)
	}
	if !j.Push {
		return nil
	}
	return j.Registry.CheckPush(ctx, j.artifact.At)
}

// deliver checks the built image, writes its layout, and publishes it.
func (j job) deliver(ctx context.Context, src Source, index v1.ImageIndex) (*Image, error) {
	d, err := oci.DescribeIndex(index)
	if err != nil {
		return nil, err
	}
	if err := j.check(d, src); err != nil {
		return nil, err
	}
	img := &Image{
		Component: j.Component,
		Version:   j.Version.String(),
		Name:      j.artifact.Where(j.Version),
		Digest:    d.Digest,
		State:     Built,
		Source:    src,
		Toolchain: j.Toolchain,
		Bundles:   j.artifact.Build.Bundles.Of(j.Version),
	}
	for _, p := range d.Each {
		img.Platforms = append(img.Platforms, Platform{p.Name, p.Digest})
	}
	if j.Layout != "" {
		if img.Layout, err = filepath.Abs(j.Layout); err != nil {
			return nil, err
		}
		if err := oci.WriteLayout(img.Layout, index); err != nil {
			return nil, err
		}
	}
	if j.Push {
		if img.State, err = j.publish(ctx, src, index, d.Digest); err != nil {
			return nil, err
		}
		img.Next = "ghhelper bump " + j.Component + " " + img.Version
	}
	return img, nil
}

// labels returns the labels of the image.
func (j job) labels(src Source) map[string]string {
	return map[string]string{
		oci.KeySource:   "https://github.com/" + j.repository,
		oci.KeyRevision: src.Commit,
		oci.KeyVersion:  j.Version.String(),
		oci.KeyCreated:  src.Time.UTC().Format(time.RFC3339),
	}
}

// check checks the platforms and labels of an image that ko built.
func (j job) check(d oci.Description, src Source) error {
	if !slices.Equal(slices.Sorted(slices.Values(d.Platforms)), slices.Sorted(slices.Values(j.platforms))) {
		return outcome.Wrongf("%s is for %s, want %s",
			d.Digest, strings.Join(d.Platforms, ", "), strings.Join(j.platforms, ", "))
	}
	for _, p := range d.Each {
		if p.Configured != p.Name {
			return outcome.Wrongf("%s: the entry for %s is an image for %s", d.Digest, p.Name, p.Configured)
		}
		for key, want := range j.labels(src) {
			if got := p.Labels[key]; got != want {
				return outcome.Wrongf("%s: label %s of %s is %q, want %q", d.Digest, key, p.Name, got, want)
			}
		}
	}
	return nil
}

// publish pushes the image under a staging tag, checks it in the registry, and then gives
// it its final tag. If that tag already has this digest, publish does nothing.
func (j job) publish(ctx context.Context, src Source, index v1.ImageIndex, digest string) (State, error) {
	at, tag := j.artifact.At, j.artifact.TagFor(j.Version)
	done, err := j.Registry.Published(ctx, at, tag, digest)
	if err != nil {
		return "", err
	}
	if done {
		return AlreadyDone, nil
	}
	const enough = 12
	staging, _, err := j.Registry.PushStagedIndex(ctx, at, "staging-"+j.Version.String()+"-"+src.Commit[:enough], index)
	if err != nil {
		return "", err
	}
	d, err := j.Registry.Describe(ctx, at, staging)
	if err != nil {
		return "", err
	}
	if err := j.check(d, src); err != nil {
		return "", err
	}
	return Pushed, j.Registry.Promote(ctx, at, digest, tag)
}
