package release

import (
	"context"
	"errors"

	"github.com/kubestellar/actions/internal/outcome"
	tagging "github.com/kubestellar/actions/internal/tag"
)

// tag sees to it that the version's tag is on this commit, here and in the
// declared repository.
// A tag is created once; preflight has seen that none is elsewhere.
func (t *Train) tag(ctx context.Context, src source) (string, error) {
	tag := t.Version.Tag()
	remote, err := t.Repo.RemoteTag(ctx, t.remote(), tag)
	if err != nil {
		return "", err
	}
	did := tag + " is on " + src.commit + " already"
	if remote == "" {
		did = "created " + tag + " on " + src.commit
		if _, err := tagging.Make(ctx, t.Forge, t.File.Own().Repository, t.File.Self, t.Version, src.commit); err != nil {
			return "", err
		}
	}
	local, err := t.Repo.LocalTag(ctx, tag)
	if err == nil && local == "" {
		err = t.Repo.FetchTag(ctx, t.remote(), tag) // goreleaser reads it here
	}
	return did, errors.Join(err, t.confirmTag(ctx, tag, src.commit))
}

// confirmTag looks at the tag, here and there.
func (t *Train) confirmTag(ctx context.Context, tag, commit string) error {
	local, localErr := t.Repo.LocalTag(ctx, tag)
	remote, remoteErr := t.Repo.RemoteTag(ctx, t.remote(), tag)
	if err := errors.Join(localErr, remoteErr); err != nil {
		return err
	}
	if local != commit || remote != commit {
		return outcome.Wrongf("tag %s is on commit %q here and on %q in the declared repository, want %s for both: a tag never moves, so take the next version", tag, local, remote, commit)
	}
	return nil
}
