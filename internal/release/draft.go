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

// ensureRelease is this version's release, or its draft, which it makes if
// there is neither. goreleaser would make one too, but repeats a request whose
// answer was lost, and so can make two.
func (r *Releaser) ensureRelease(ctx context.Context, rev revision) (*gh.Release, error) {
	repository := r.File.Own().Repository
	releases, err := r.Forge.Releases(ctx, repository, r.Version.Tag())
	if err != nil {
		return nil, err
	}
	var acted error
	if len(releases) == 0 {
		var made int64
		made, acted = r.Forge.CreateDraft(ctx, repository, r.Version.Tag(), rev.commit)
		if acted == nil {
			acted = r.settleDrafts(ctx, made)
		}
	}
	release, looked := r.awaitRelease(ctx)
	if looked != nil {
		return nil, errors.Join(acted, looked)
	}
	return release, nil
}

// settleDrafts takes our new draft away again where another runner has made one
// before it: GitHub makes as many for one tag as it is asked for. The oldest one
// counts, so that each runner knows by itself what to do; and nobody deletes
// what another one has made. Who has the oldest one waits for the others.
func (r *Releaser) settleDrafts(ctx context.Context, made int64) error {
	repository := r.File.Own().Repository
	const tries = 5
	for i := 1; i <= tries; i++ {
		releases, err := r.Forge.Releases(ctx, repository, r.Version.Tag())
		if err != nil || len(releases) < 2 {
			return err
		}
		if slices.ContainsFunc(releases, func(r *gh.Release) bool { return !r.Draft || r.ID < made }) {
			return r.Forge.DeleteDraft(ctx, repository, made)
		}
		if err := wait(ctx, time.Duration(i)*time.Second/2); err != nil {
			return err
		}
	}
	return nil // currentRelease tells of two drafts
}

// wait passes a time, unless the context ends before.
func wait(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}

// awaitRelease looks for the release until GitHub's list, which may lag by
// some seconds, shows it: goreleaser goes by the list too.
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

// publishedRelease is the GitHub release of this version if it is public.
func (r *Releaser) publishedRelease(ctx context.Context) (*gh.Release, error) {
	releases, err := r.Forge.Releases(ctx, r.File.Own().Repository, r.Version.Tag())
	for _, release := range releases {
		if !release.Draft {
			return release, err
		}
	}
	return nil, err
}

// attach gives a release a file; in a draft, an asset of that name with other
// bytes is what an earlier try left.
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
		return fmt.Errorf("release %s is published without the asset %s: a published release is not added to, take the next version", release.URL, file.Name)
	}
	return r.Forge.Upload(ctx, repository, release.ID, file.Name, file.Path)
}

// sameAsset tells whether an asset holds the file's bytes. Other bytes are a
// conflict, which only a draft may settle; an upload that broke off left none.
func (r *Releaser) sameAsset(ctx context.Context, asset gh.Asset, file goreleaser.File) (bool, error) {
	if !asset.Complete() {
		return false, outcome.Wrongf("the upload of release asset %s broke off", file.Name)
	}
	digest, err := r.Forge.AssetDigest(ctx, r.File.Own().Repository, asset)
	if err == nil && digest != file.Digest {
		err = &oci.Conflict{Name: "release asset " + file.Name, Seen: digest, Want: file.Digest}
	}
	return err == nil, err
}

// errNoRelease says that GitHub shows no release of the version.
var errNoRelease = errors.New("run the release again")

// currentRelease is this version's release: the published one, or its draft.
// Two drafts are an error, since nobody could tell which counts.
func (r *Releaser) currentRelease(ctx context.Context) (*gh.Release, error) {
	releases, err := r.Forge.Releases(ctx, r.File.Own().Repository, r.Version.Tag())
	switch {
	case err != nil:
		return nil, err
	case len(releases) == 0:
		return nil, fmt.Errorf("there is no release and no draft for %s in %s, though one was made before: %w", r.Version.Tag(), r.File.Own().Repository, errNoRelease)
	case len(releases) > 1 && releases[0].Draft:
		return nil, fmt.Errorf("there are %d drafts for %s in %s: delete all but one", len(releases), r.Version.Tag(), r.File.Own().Repository)
	}
	return releases[0], nil
}
