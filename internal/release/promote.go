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
func (t *Train) promote(ctx context.Context, artifacts []artifact) (string, error) {
	for _, a := range artifacts {
		if err := t.Registry.Promote(ctx, a.at, a.digest, a.tag); err != nil {
			return "", err
		}
	}
	return report.Count(len(artifacts), "artifact") + " by digest, in dependency order", nil
}

// publish makes the draft release public, last of all.
func (t *Train) publish(ctx context.Context, src source) (string, error) {
	release, err := t.currentRelease(ctx)
	if err != nil {
		return "", err
	}
	if !release.Draft {
		return release.URL + " is public already; " + t.held(release), nil
	}
	acted := t.Forge.Publish(ctx, t.File.Own().Repository, release.ID, t.Version.Prerelease() != "")
	after, looked := t.awaitPublic(ctx, acted)
	if looked == nil && after == nil {
		looked = outcome.Wrongf("release %s was published, but is not public", t.Version.Tag())
	}
	if looked != nil {
		return "", errors.Join(acted, looked)
	}
	return after.URL + "; " + t.held(after), t.confirmTag(ctx, t.Version.Tag(), src.commit)
}

// awaitPublic looks for the public release until GitHub, whose answers lag by some
// seconds, shows what it says that it has done.
func (t *Train) awaitPublic(ctx context.Context, acted error) (*gh.Release, error) {
	const tries = 5
	for i := 1; ; i++ {
		release, err := t.publishedRelease(ctx)
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
func (t *Train) held(release *gh.Release) string {
	switch {
	case release.Immutable:
		return "GitHub holds it immutable"
	case t.Server != "https://github.com":
		return "not immutable"
	}
	return "not immutable: for the next, turn on Settings > General > Releases > Enable release immutability"
}
