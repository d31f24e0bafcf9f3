// Package image builds images of other people's tools from the source that they
// have released, and publishes each once. delivery.yaml says what they are made of.
package image

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/mod/module"

	v1 "github.com/google/go-containerregistry/pkg/v1"

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
	// Version is what is built; zero is the newest release.
	Version ref.Version
	// Platforms limit what is built. An image that lacks any is never pushed.
	// None is all.
	Platforms []string
	// Repo has the environment that git runs in, and Env is that of go and ko.
	Repo git.Repo
	Env  []string
	// Toolchain is the least that builds, such as go1.26.8; a source whose go.mod
	// wants a newer one gets the one that it names.
	Toolchain string
	// Server is where repositories are served, https://github.com.
	Server   string
	Registry *oci.Registry
	// Push publishes the image; else nothing is pushed at all.
	Push bool
	// Layout is a new folder for the image as an OCI layout, "" for none.
	Layout string
	Errors io.Writer // what ko and go say of themselves
}

// Image is one that was built.
type Image struct {
	Component string             `json:"component"`
	Version   string             `json:"version"`
	Name      string             `json:"image"` // location:tag
	Digest    string             `json:"digest"`
	State     State              `json:"state"`
	Layout    string             `json:"layout,omitempty"`
	Source    Source             `json:"source"`
	Toolchain string             `json:"toolchain"` // the least that builds
	Platforms []Platform         `json:"platforms"`
	Bundles   []delivery.Bundled `json:"bundles"`
	// Next is the command that moves our references; "" until it is published.
	Next string `json:"next,omitempty"`
}

// State is what became of an image.
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

// job is a build whose question has been understood.
type job struct {
	Builder
	artifact   delivery.Artifact
	repository string
	platforms  []string
}

// Build builds the image and, if that is wanted, publishes it.
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

// job is what the builder is asked to do, if that can be done at all.
func (b Builder) job() (job, error) {
	c, err := b.File.Component(b.Component)
	if err != nil {
		return job{}, outcome.As(outcome.Usage, err)
	}
	artifact, ok := c.Built()
	if !ok {
		return job{}, outcome.Usagef("component %s has no image with a build in %s, so it is not built here: those that are have %s", b.Component, delivery.FileName, strings.Join(built(b.File), ", "))
	}
	all := artifact.BuildPlatforms()
	j := job{b, artifact, c.Repository, all}
	if len(b.Platforms) > 0 {
		j.platforms = slices.DeleteFunc(slices.Clone(all), func(p string) bool { return !slices.Contains(b.Platforms, p) })
	}
	for _, p := range b.Platforms {
		if !slices.Contains(all, p) {
			return job{}, outcome.Usagef("platform %q is none that %s is for: those are %s", p, artifact.At, strings.Join(all, ", "))
		}
	}
	if b.Push && len(j.platforms) < len(all) {
		return job{}, outcome.Usagef("an image for %s alone is never pushed, since its tag would be taken for good: leave the platforms out, or do not push", strings.Join(j.platforms, ", "))
	}
	return j, j.fits(b.Version)
}

// built are the components whose image is built here.
func built(f *delivery.File) []string {
	return slices.DeleteFunc(f.Names(), func(name string) bool {
		_, ok := f.Components[name].Built()
		return !ok
	})
}

// fits: a module's path ends in its major version, from 2 on.
// https://go.dev/ref/mod#major-version-suffixes
func (j job) fits(v ref.Version) error {
	if v.IsZero() || j.artifact.Build.Module == "" {
		return nil
	}
	_, major, _ := module.SplitPathVersion(j.artifact.Build.Module)
	if err := module.CheckPathMajor(v.Tag(), major); err != nil {
		return outcome.Usagef("version %s of %s is not of the module %s that %s declares: %w", v, j.Component, j.artifact.Build.Module, delivery.FileName, err)
	}
	return nil
}

// mayBuild looks for all that makes a build of some minutes come to nothing.
func (j job) mayBuild(ctx context.Context) error {
	if err := j.commands(); err != nil {
		return err
	}
	if _, err := os.Lstat(j.Layout); j.Layout != "" && err == nil {
		return outcome.Usagef("the folder %s for the OCI layout is there already: name one that is not", j.Layout)
	}
	if !j.Push {
		return nil
	}
	return j.Registry.CheckPush(ctx, j.artifact.At)
}

// deliver looks at what was built, and does with it what is wanted.
func (j job) deliver(ctx context.Context, src Source, index v1.ImageIndex) (*Image, error) {
	d, err := oci.DescribeIndex(index)
	if err != nil {
		return nil, err
	}
	if err := j.check(d, src); err != nil {
		return nil, err
	}
	img := &Image{
		Component: j.Component, Version: j.Version.String(), Name: j.artifact.Where(j.Version), Digest: d.Digest, State: Built,
		Source: src, Toolchain: j.Toolchain, Bundles: j.artifact.Build.Bundles.Of(j.Version),
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

// labels are what the image says of itself.
func (j job) labels(src Source) map[string]string {
	return map[string]string{
		oci.KeySource:   "https://github.com/" + j.repository,
		oci.KeyRevision: src.Commit,
		oci.KeyVersion:  j.Version.String(),
		oci.KeyCreated:  src.Time.UTC().Format(time.RFC3339),
	}
}

// check holds an image to what it must be: ko's word for it is not enough.
func (j job) check(d oci.Description, src Source) error {
	if !slices.Equal(slices.Sorted(slices.Values(d.Platforms)), slices.Sorted(slices.Values(j.platforms))) {
		return outcome.Wrongf("%s is for %s, want %s", d.Digest, strings.Join(d.Platforms, ", "), strings.Join(j.platforms, ", "))
	}
	for _, p := range d.Each {
		if p.Says != p.Name {
			return outcome.Wrongf("%s: what stands for %s is an image for %s", d.Digest, p.Name, p.Says)
		}
		for key, want := range j.labels(src) {
			if got := p.Labels[key]; got != want {
				return outcome.Wrongf("%s: label %s of %s is %q, want %q", d.Digest, key, p.Name, got, want)
			}
		}
	}
	return nil
}

// publish pushes the image under a staging name, looks at what is there, and
// only then gives it its tag. It looks first whether that is done.
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
