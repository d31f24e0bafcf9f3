package goreleaser

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/kubestellar/actions/internal/decide"
	"github.com/kubestellar/actions/internal/git"
	"github.com/kubestellar/actions/internal/outcome"
	"github.com/kubestellar/actions/internal/ref"
	"github.com/kubestellar/actions/internal/report"
)

// preflight checks everything that can be checked before goreleaser publishes, and
// reports all findings.
func (s Standalone) preflight(ctx context.Context, c *Config, images []image) error {
	findings, err := s.checkGit(ctx)
	errs := []error{err}
	for _, image := range images {
		taken, err := s.checkFree(ctx, image)
		findings = append(findings, taken...)
		errs = append(errs, err, s.Registry.CheckPush(ctx, image.at))
	}
	if c.Release.Disable != "true" {
		public, err := s.checkNotPublic(ctx)
		findings = append(findings, public...)
		errs = append(errs, err, s.Forge.CheckWrite(ctx, s.Own.Repository))
	}
	return errors.Join(decide.Found(findings), errors.Join(errs...))
}

// checkNotPublic checks that the tag has no public release. goreleaser may replace the
// assets of one.
func (s Standalone) checkNotPublic(ctx context.Context) ([]decide.Finding, error) {
	releases, err := s.Forge.Releases(ctx, s.Own.Repository, s.gitTag(s.Version))
	var findings []decide.Finding
	for _, r := range releases {
		if !r.Draft {
			findings = append(findings, decide.Finding{
				Rule: "published",
				Saw:  "release " + r.URL + ", which is public",
				Want: "none, or a draft",
				Help: "take the next version",
			})
		}
	}
	return findings, err
}

// checkGit checks that the tree is clean, that the clone is complete, and that the tag is
// on this commit, both here and in the repository.
func (s Standalone) checkGit(ctx context.Context) ([]decide.Finding, error) {
	name := s.gitTag(s.Version)
	dirty, dirtyErr := s.Repo.Dirty(ctx)
	findings := decide.CleanTree(dirty)
	shallow, shallowErr := s.Repo.Shallow(ctx)
	here, hereErr := s.Repo.LocalTag(ctx, name)
	there, thereErr := s.Repo.RemoteTag(ctx, git.Remote(s.Server+"/"+s.Own.Repository), name)
	if err := errors.Join(dirtyErr, shallowErr, hereErr, thereErr); err != nil {
		return findings, err
	}
	if shallow {
		findings = append(findings, decide.Finding{
			Rule: "whole-clone",
			Saw:  "a shallow clone",
			Want: "the whole history, which the change log needs",
			Help: "run git fetch --unshallow; in a workflow, give actions/checkout fetch-depth: 0",
		})
	}
	if there == "" {
		findings = append(findings, decide.Finding{
			Rule: "tagged",
			Saw:  "no tag " + name + " at " + s.Own.Repository,
			Want: "one on " + s.Commit,
			Help: "push it first: goreleaser releases a tag",
		})
	}
	if here == "" {
		findings = append(findings, decide.Finding{
			Rule: "tagged",
			Saw:  "no tag " + name + " here",
			Want: "one on " + s.Commit,
			Help: "run git fetch --tags; in a workflow, give actions/checkout fetch-depth: 0",
		})
	}
	tags := map[string]string{"here": here, "at " + s.Own.Repository: there}
	return append(findings, decide.TagStays(name, s.Commit, tags)...), nil
}

// checkFree checks that nothing is published under the names of an image. goreleaser
// would overwrite it, and only afterwards know whether the bytes are the same.
func (s Standalone) checkFree(ctx context.Context, image image) ([]decide.Finding, error) {
	var findings []decide.Finding
	var errs []error
	for _, tag := range image.tags {
		digest, err := s.Registry.Digest(ctx, image.at, tag)
		switch {
		case errors.Is(err, outcome.ErrAbsent):
		case err != nil:
			errs = append(errs, err)
		default:
			findings = append(findings, decide.Finding{
				Rule: "published",
				Saw:  fmt.Sprintf("image %s:%s, already published as %s", image.at, tag, digest),
				Want: "no such image, since goreleaser would overwrite it",
				Help: "take the next version; if an earlier run stopped half way and the image is not in use, " +
					"delete it in the registry and run this again",
			})
		}
	}
	return findings, errors.Join(errs...)
}

// confirm checks the published images: each has all of its tags, and the right labels.
func (s Standalone) confirm(ctx context.Context, images []image, built Results) error {
	var errs []error
	for _, image := range images {
		digest := built.Images[image.at]
		if digest == "" {
			errs = append(errs, outcome.Wrongf(
				"goreleaser's results lack the image %s, which %s has it push", image.at, FileName))
			continue
		}
		errs = append(errs, s.confirmTags(ctx, image, digest), s.confirmLabels(ctx, image.at, digest))
	}
	return errors.Join(errs...)
}

// confirmTags checks that each tag, which was free before, points to the image that
// goreleaser pushed.
func (s Standalone) confirmTags(ctx context.Context, image image, digest string) error {
	var errs []error
	for _, tag := range image.tags {
		got, err := s.Registry.Digest(ctx, image.at, tag)
		if err == nil && got != digest {
			err = outcome.Wrongf(
				"%s:%s was free, goreleaser pushed %s there, and now it is %s: "+
					"another program pushed at the same time; let only one runner at a time release a version",
				image.at, tag, digest, got)
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// confirmLabels checks that the image of each platform has the required labels, and that
// its annotations do not contradict them.
func (s Standalone) confirmLabels(ctx context.Context, at, digest string) error {
	d, err := s.Registry.Describe(ctx, at, digest)
	if err != nil {
		return err
	}
	if len(d.Each) == 0 {
		return outcome.Wrongf("%s@%s has no platform, so it is not an image", at, digest)
	}
	var errs []error
	for _, l := range s.labels(s.Version) {
		for _, p := range d.Each {
			errs = append(errs, l.confirm(at, digest, "label "+l.key+" of "+p.Name, p.Labels[l.key]))
		}
		if annotation, ok := d.Annotations[l.key]; ok {
			errs = append(errs, l.confirm(at, digest, "annotation "+l.key, annotation))
		}
	}
	return errors.Join(errs...)
}

func (l label) confirm(at, digest, name, got string) error {
	if slices.Contains(l.valid, got) {
		return nil
	}
	return outcome.Wrongf(
		"%s@%s is published, and its %s is %q, want %q: take the next version, and in kos of %s %s",
		at, digest, name, report.Plain(ref.Shorten(got)), l.valid[0], FileName, l.help())
}
