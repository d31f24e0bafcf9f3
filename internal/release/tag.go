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
func (r *Releaser) tag(ctx context.Context, rev revision) (string, error) {
	tag := r.Version.Tag()
	remote, err := r.Repo.RemoteTag(ctx, r.remote(), tag)
	if err != nil {
		return "", err
	}
	did := tag + " is on " + rev.commit + " already"
	if remote == "" {
		did = "created " + tag + " on " + rev.commit
		if _, err := tagging.Make(ctx, r.Forge, r.File.Own().Repository, r.File.Self, r.Version, rev.commit); err != nil {
			return "", err
		}
	}
	local, err := r.Repo.LocalTag(ctx, tag)
	if err == nil && local == "" {
		err = r.Repo.FetchTag(ctx, r.remote(), tag) // goreleaser reads it here
	}
	return did, errors.Join(err, r.confirmTag(ctx, tag, rev.commit))
}

// confirmTag looks at the tag, here and there.
func (r *Releaser) confirmTag(ctx context.Context, tag, commit string) error {
	local, localErr := r.Repo.LocalTag(ctx, tag)
	remote, remoteErr := r.Repo.RemoteTag(ctx, r.remote(), tag)
	if err := errors.Join(localErr, remoteErr); err != nil {
		return err
	}
	if local != commit || remote != commit {
		return outcome.Wrongf("tag %s is on commit %q here and on %q in the declared repository, want %s for both: a tag never moves, so take the next version", tag, local, remote, commit)
	}
	return nil
}
