package release

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/kubestellar/actions/internal/gh"
	"github.com/kubestellar/actions/internal/goreleaser"
	"github.com/kubestellar/actions/internal/oci"
	"github.com/kubestellar/actions/internal/outcome"
)

// ensureRelease returns this version's release, or its draft. It creates the draft if
// there is none. goreleaser could create it, but it repeats a request whose answer was
// lost, and then creates two.
func (r *Releaser) ensureRelease(ctx context.Context, rev revision) (*gh.Release, error) {
	repository := r.File.Own().Repository
	releases, err := r.Forge.Releases(ctx, repository, r.gitTag())
	if err != nil {
		return nil, err
	}
	var createErr error
	if len(releases) == 0 {
		var id int64
		id, createErr = r.Forge.CreateDraft(ctx, repository, r.gitTag(), rev.commit)
		if createErr == nil {
			createErr = r.keepOldestDraft(ctx, id)
		}
	}
	release, err := r.awaitRelease(ctx)
	if err != nil {
		return nil, errors.Join(createErr, err)
	}
	return release, nil
}

// keepOldestDraft deletes our new draft if another runner created one before it. GitHub
// allows several drafts for one tag. The oldest counts, so each runner can decide alone,
// and deletes only its own. The runner with the oldest draft waits for the others.
func (r *Releaser) keepOldestDraft(ctx context.Context, id int64) error {
	repository := r.File.Own().Repository
	const tries = 5
	for i := 1; i <= tries; i++ {
		releases, err := r.Forge.Releases(ctx, repository, r.gitTag())
		if err != nil || len(releases) < 2 {
			return err
		}
		if slices.ContainsFunc(releases, func(other *gh.Release) bool { return !other.Draft || other.ID < id }) {
			return r.Forge.DeleteDraft(ctx, repository, id)
		}
		if err := wait(ctx, time.Duration(i)*time.Second/2); err != nil {
			return err
		}
	}
	return nil // currentRelease reports two drafts
}

// wait waits for a duration, or until the context ends.
func wait(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}

// awaitRelease waits until GitHub's list, which may lag by some seconds, contains the
// release. goreleaser finds the draft in the same list.
func (r *Releaser) awaitRelease(ctx context.Context) (*gh.Release, error) {
	const tries = 5
	for i := 1; ; i++ {
		release, err := r.currentRelease(ctx)
		if err == nil || !errors.Is(err, errNoRelease) || i == tries {
			return release, err
		}
		if err := wait(ctx, time.Duration(i)*time.Second); err != nil {
			return nil, err
		}
	}
}

// publishedRelease returns the public GitHub release of this version, or nil.
func (r *Releaser) publishedRelease(ctx context.Context) (*gh.Release, error) {
	releases, err := r.Forge.Releases(ctx, r.File.Own().Repository, r.gitTag())
	for _, release := range releases {
		if !release.Draft {
			return release, err
		}
	}
	return nil, err
}

// attach uploads a file to a release. In a draft it replaces an asset of that name with
// other bytes, which an earlier run left.
func (r *Releaser) attach(ctx context.Context, release *gh.Release, file goreleaser.File) error {
	repository := r.File.Own().Repository
	if asset, ok := release.Asset(file.Name); ok {
		same, err := r.sameAsset(ctx, asset, file)
		if same || err != nil && !release.Draft {
			return err
		}
		if err := r.Forge.DeleteAsset(ctx, repository, asset.ID); err != nil {
			return err
		}
	}
	if !release.Draft {
		return fmt.Errorf(
			"release %s is published without the asset %s: a published release never changes; take the next version",
			release.URL, file.Name)
	}
	return r.Forge.Upload(ctx, repository, release.ID, file.Name, file.Path)
}

// attachAll uploads everything that goreleaser built for a release to its draft.
func (r *Releaser) attachAll(ctx context.Context, draft *gh.Release, built goreleaser.Results) error {
	for _, file := range slices.Concat(built.Files, built.Others) {
		if err := r.attach(ctx, draft, file); err != nil {
			return err
		}
	}
	return r.Forge.SetNotes(ctx, r.File.Own().Repository, draft.ID, built.Notes)
}

// sameAsset reports whether an asset has the file's bytes. Other bytes are a conflict, and
// an incomplete upload is an error. Only in a draft may such an asset be replaced.
func (r *Releaser) sameAsset(ctx context.Context, asset gh.Asset, file goreleaser.File) (bool, error) {
	if !asset.Complete() {
		return false, outcome.Wrongf("the upload of release asset %s is incomplete", file.Name)
	}
	digest, err := r.Forge.AssetDigest(ctx, r.File.Own().Repository, asset)
	if err == nil && digest != file.Digest {
		err = &oci.Conflict{Name: "release asset " + file.Name, Seen: digest, Want: file.Digest}
	}
	return err == nil, err
}

// errNoRelease is the error if GitHub lists no release of the version.
var errNoRelease = errors.New("run the release again")

// currentRelease returns this version's release: the published one, or its draft. Two
// drafts are an error, because either could be the right one.
func (r *Releaser) currentRelease(ctx context.Context) (*gh.Release, error) {
	releases, err := r.Forge.Releases(ctx, r.File.Own().Repository, r.gitTag())
	switch {
	case err != nil:
		return nil, err
	case len(releases) == 0:
		return nil, fmt.Errorf("there is no release and no draft for %s in %s, although one was created before: %w",
			r.gitTag(), r.File.Own().Repository, errNoRelease)
	case len(releases) > 1 && releases[0].Draft:
		return nil, fmt.Errorf("there are %d drafts for %s in %s: delete all but one",
			len(releases), r.gitTag(), r.File.Own().Repository)
	}
	return releases[0], nil
}
