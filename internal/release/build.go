package release

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/kubestellar/actions/internal/delivery"
	"github.com/kubestellar/actions/internal/goreleaser"
	"github.com/kubestellar/actions/internal/oci"
	"github.com/kubestellar/actions/internal/outcome"
	"github.com/kubestellar/actions/internal/ref"
	"github.com/kubestellar/actions/internal/report"
)

// stageTag returns the tag for artifacts of this version and commit until they are promoted.
func (r *Releaser) stageTag(rev revision) string { return "staging-" + r.stageName(rev) }

func (r *Releaser) stageName(rev revision) string {
	const enough = 12
	return r.Version.String() + "-" + rev.commit[:enough]
}

// BaseImages returns the base images (location@digest) that a build needs. It omits
// ghhelper's own base image, which the build pushes.
func (r *Releaser) BaseImages() ([]string, error) {
	config, err := goreleaser.Load(r.Tree, r.File.Own().Folder)
	if err != nil || config == nil {
		return nil, err
	}
	var others []string
	for _, base := range config.BaseImages() {
		_, digest, _ := strings.Cut(base, "@")
		ours, err := ourBase(digest)
		if err != nil {
			return nil, err
		}
		if ours == nil {
			others = append(others, base)
		}
	}
	return others, nil
}

// Build only builds the commit, into a staging tag and a draft.
func (r *Releaser) Build(ctx context.Context) (goreleaser.Results, error) {
	rev, err := r.inspect(ctx)
	if err != nil {
		return goreleaser.Results{}, err
	}
	dir, err := os.MkdirTemp("", "ghhelper-build-*")
	if err != nil {
		return goreleaser.Results{}, err
	}
	defer os.RemoveAll(dir)
	built, _, err := r.build(ctx, rev, dir)
	return built, err
}

// build creates the draft, pushes the base image, and runs goreleaser. dir is a folder for a clone.
func (r *Releaser) build(ctx context.Context, rev revision, dir string) (goreleaser.Results, string, error) {
	release, err := r.ensureRelease(ctx, rev)
	if err != nil {
		return goreleaser.Results{}, "", err
	}
	config, err := goreleaser.Load(r.Tree, r.File.Own().Folder)
	if err != nil || config == nil {
		return goreleaser.Results{}, "no " + goreleaser.FileName + ", nothing to build", err
	}
	for _, base := range config.BaseImages() {
		if err := r.ensureBase(ctx, base); err != nil {
			return goreleaser.Results{}, "", err
		}
	}
	fmt.Fprintln(r.Log.Out, "  goreleaser builds; with cold caches this takes minutes")
	program, stage, err := r.builder(ctx, rev, filepath.Join(dir, "clone"))
	if err != nil {
		return goreleaser.Results{}, "", err
	}
	upload := stage.NoUpload && release.Draft
	stage.NoUpload = stage.NoUpload || !release.Draft
	built, err := program.Stage(ctx, config, stage)
	if err == nil {
		err = r.checkDeclared(slices.Collect(maps.Keys(built.Images)))
	}
	if err == nil && upload {
		err = r.attachAll(ctx, release, built)
	}
	return built, fmt.Sprintf("goreleaser built %s and %s",
		report.Count(len(built.Images), "image"), report.Count(len(built.Files), "file")), err
}

// builder returns goreleaser, and what it builds. If the component's git tags have a prefix, which only goreleaser's
// paid edition takes, or are among those of other components, goreleaser runs in a clone whose tags are only those of
// the component, without the prefix. It then cannot upload to the release of the real tag.
func (r *Releaser) builder(
	ctx context.Context, rev revision, clone string,
) (goreleaser.Program, goreleaser.Stage, error) {
	own, program := r.File.Own(), r.Goreleaser
	prefix, _ := own.TagPrefix()
	stage := goreleaser.Stage{
		GitTag: strings.TrimPrefix(r.gitTag(), prefix), Name: r.stageName(rev), NoUpload: prefix != "",
	}
	if prefix != "" || r.File.IsShared(r.File.Self) {
		program.Dir = clone
		tags := own.GitTag(ref.Version{}) + "*"
		refs := "refs/tags/" + tags + ":refs/tags/" + strings.TrimPrefix(tags, prefix)
		if err := r.Repo.Clone(ctx, clone, rev.commit, r.remote(), refs); err != nil {
			return program, stage, err
		}
	}
	program.Dir = filepath.Join(program.Dir, filepath.FromSlash(own.Folder))
	return program, stage, nil
}

// checkBase checks that a base image is named by digest and exists. ghhelper's own base
// image may be absent if it can be pushed.
func (r *Releaser) checkBase(ctx context.Context, base string) error {
	at, digest, pinned := strings.Cut(base, "@")
	if !pinned {
		return outcome.Usagef("%s: base_image %q is not named by digest: write it as %s@sha256:…",
			goreleaser.FileName, base, at)
	}
	_, err := r.Registry.Digest(ctx, at, digest)
	ours, ourErr := ourBase(digest)
	if ourErr == nil && ours != nil && errors.Is(err, outcome.ErrAbsent) {
		return r.Registry.CheckPush(ctx, at)
	}
	if err = errors.Join(err, ourErr); err != nil {
		return fmt.Errorf("%s: base_image: %w", goreleaser.FileName, err)
	}
	return nil
}

// ensureBase pushes ghhelper's own base image if the registry lacks it. Images refer to it
// by digest; its tag only protects it from garbage collection. The tag must not have the
// form sha256-…, which registries use for an image's referrers:
// https://github.com/opencontainers/distribution-spec/blob/main/spec.md#referrers-tag-schema
func (r *Releaser) ensureBase(ctx context.Context, base string) error {
	at, digest, _ := strings.Cut(base, "@")
	ours, err := ourBase(digest)
	if err != nil || ours == nil {
		return err
	}
	_, err = r.Registry.PushIndex(ctx, at, "base-"+strings.TrimPrefix(digest, "sha256:"), ours)
	return err
}

// ourBase returns ghhelper's own base image if it has this digest, or nil.
func ourBase(digest string) (v1.ImageIndex, error) {
	ours, err := oci.BaseImage()
	if err != nil {
		return nil, err
	}
	hash, err := ours.Digest()
	if err != nil || hash.String() != digest {
		return nil, err
	}
	return ours, nil
}

// checkDeclared checks that goreleaser builds the images that delivery.yaml declares, and
// no others.
func (r *Releaser) checkDeclared(built []string) error {
	own := r.File.Own()
	var errs []error
	declared := map[string]bool{}
	for _, name := range own.OfKind(delivery.Image) {
		at := own.Artifacts[name].At
		declared[at] = true
		if !slices.Contains(built, at) {
			errs = append(errs, outcome.Usagef(
				"%s declares the image %s, but goreleaser does not build it: "+
					"kos in %s must have it among its repositories, with the tag staging-{{.Env.STAGE}}",
				delivery.FileName, at, goreleaser.FileName))
		}
	}
	for _, at := range built {
		if !declared[at] {
			errs = append(errs, outcome.Usagef(
				"goreleaser builds the image %s, which %s does not declare among the artifacts of %s",
				at, delivery.FileName, r.File.Self))
		}
	}
	return errors.Join(errs...)
}
