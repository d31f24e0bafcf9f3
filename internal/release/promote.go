package release

import (
	"context"
	"errors"
	"time"

	"github.com/kubestellar/actions/internal/gh"
	"github.com/kubestellar/actions/internal/outcome"
	"github.com/kubestellar/actions/internal/report"
)

// promote gives each image and chart its final tag, by digest.
func (r *Releaser) promote(ctx context.Context, artifacts []promotion) (string, error) {
	for _, a := range artifacts {
		if err := r.Registry.Promote(ctx, a.at, a.digest, a.tag); err != nil {
			return "", err
		}
	}
	return report.Count(len(artifacts), "artifact") + " by digest, in dependency order", nil
}

// publish makes the draft release public, last of all.
func (r *Releaser) publish(ctx context.Context, rev revision) (string, error) {
	release, err := r.currentRelease(ctx)
	if err != nil {
		return "", err
	}
	if !release.Draft {
		return release.URL + " is public already; " + r.held(release), nil
	}
	acted := r.Forge.Publish(ctx, r.File.Own().Repository, release.ID, r.Version)
	after, looked := r.awaitPublic(ctx, acted)
	if looked == nil && after == nil {
		looked = outcome.Wrongf("release %s was published, but is not public", r.Version.Tag())
	}
	if looked != nil {
		return "", errors.Join(acted, looked)
	}
	return after.URL + "; " + r.held(after), r.confirmTag(ctx, r.Version.Tag(), rev.commit)
}

// awaitPublic looks for the public release until GitHub, whose answers lag by some
// seconds, shows what it says that it has done.
func (r *Releaser) awaitPublic(ctx context.Context, acted error) (*gh.Release, error) {
	const tries = 5
	for i := 1; ; i++ {
		release, err := r.publishedRelease(ctx)
		if release != nil || err != nil || acted != nil || i == tries {
			return release, err
		}
		if err := wait(ctx, time.Duration(i)*time.Second); err != nil {
			return nil, err
		}
	}
}

// held says whether GitHub keeps a public release as it is, which is a setting
// of the repository, and holds for what is published once it is on.
// https://docs.github.com/en/code-security/supply-chain-security/understanding-your-software-supply-chain/immutable-releases
func (r *Releaser) held(release *gh.Release) string {
	switch {
	case release.Immutable:
		return "GitHub holds it immutable"
	case r.Server != "https://github.com":
		return "not immutable"
	}
	return "not immutable: for the next, turn on Settings > General > Releases > Enable release immutability"
}
