package release

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/kubestellar/actions/internal/delivery"
	"github.com/kubestellar/actions/internal/goreleaser"
	"github.com/kubestellar/actions/internal/oci"
	"github.com/kubestellar/actions/internal/outcome"
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
	config, err := goreleaser.Load(r.Tree)
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
	built, _, err := r.build(ctx, rev)
	return built, err
}

// build creates the draft, pushes the base image, and runs goreleaser.
func (r *Releaser) build(ctx context.Context, rev revision) (goreleaser.Results, string, error) {
	release, err := r.ensureRelease(ctx, rev)
	if err != nil {
		return goreleaser.Results{}, "", err
	}
	config, err := goreleaser.Load(r.Tree)
	if err != nil || config == nil {
		return goreleaser.Results{}, "no " + goreleaser.FileName + ", nothing to build", err
	}
	for _, base := range config.BaseImages() {
		if err := r.ensureBase(ctx, base); err != nil {
			return goreleaser.Results{}, "", err
		}
	}
	fmt.Fprintln(r.Log.Out, "  goreleaser builds; with cold caches this takes minutes")
	stage := goreleaser.Stage{GitTag: r.gitTag(), Name: r.stageName(rev), Public: !release.Draft}
	built, err := r.Goreleaser.Stage(ctx, config, stage)
	if err == nil {
		err = r.checkDeclared(slices.Collect(maps.Keys(built.Images)))
	}
	return built, fmt.Sprintf("goreleaser built %s and %s",
		report.Count(len(built.Images), "image"), report.Count(len(built.Files), "file")), err
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
