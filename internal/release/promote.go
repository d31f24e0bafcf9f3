package release

import (
	"context"
	"errors"
	"time"

	"github.com/kubestellar/actions/internal/gh"
	"github.com/kubestellar/actions/internal/outcome"
	"github.com/kubestellar/actions/internal/report"
)

// promote gives each image and chart its final tag.
func (r *Releaser) promote(ctx context.Context, artifacts []promotion) (string, error) {
	for _, a := range artifacts {
		if err := r.Registry.Promote(ctx, a.at, a.digest, a.tag); err != nil {
			return "", err
		}
	}
	return report.Count(len(artifacts), "artifact") + " by digest, in dependency order", nil
}

// publish makes the draft release public.
func (r *Releaser) publish(ctx context.Context, rev revision) (string, error) {
	release, err := r.currentRelease(ctx)
	if err != nil {
		return "", err
	}
	if !release.Draft {
		return release.URL + " is already public; " + r.immutability(release), nil
	}
	publishErr := r.Forge.Publish(ctx, r.File.Own().Repository, release.ID, r.Version)
	after, err := r.awaitPublic(ctx, publishErr)
	if err == nil && after == nil {
		err = outcome.Wrongf("release %s was published, but is not public", r.gitTag())
	}
	if err != nil {
		return "", errors.Join(publishErr, err)
	}
	return after.URL + "; " + r.immutability(after), r.confirmTag(ctx, r.gitTag(), rev.commit)
}

// awaitPublic waits until GitHub's list, which lags by some seconds, contains the public
// release. If publishing failed, it looks only once.
func (r *Releaser) awaitPublic(ctx context.Context, publishErr error) (*gh.Release, error) {
	const tries = 5
	for i := 1; ; i++ {
		release, err := r.publishedRelease(ctx)
		if release != nil || err != nil || publishErr != nil || i == tries {
			return release, err
		}
		if err := wait(ctx, time.Duration(i)*time.Second); err != nil {
			return nil, err
		}
	}
}

// immutability describes whether GitHub protects a public release from changes. The
// repository's setting applies to releases that are published after it is turned on.
// docs.github.com/en/code-security/supply-chain-security/understanding-your-software-supply-chain/immutable-releases
func (r *Releaser) immutability(release *gh.Release) string {
	switch {
	case release.Immutable:
		return "GitHub keeps it immutable"
	case r.Server != "https://github.com":
		return "not immutable"
	}
	return "not immutable: for the next release, turn on Settings > General > Releases > Enable release immutability"
}
