package release

import (
	"context"
	"errors"

	"github.com/kubestellar/actions/internal/outcome"
	"github.com/kubestellar/actions/internal/tag"
)

// tag ensures that the version's tag is on this commit, here and in the declared
// repository. preflight has checked that it is on no other commit.
func (r *Releaser) tag(ctx context.Context, rev revision) (string, error) {
	name := r.gitTag()
	remote, err := r.Repo.RemoteTag(ctx, r.remote(), name)
	if err != nil {
		return "", err
	}
	did := name + " is already on " + rev.commit
	if remote == "" {
		did = "created " + name + " on " + rev.commit
		if _, err := tag.Make(ctx, r.Forge, r.File, r.Version, rev.commit); err != nil {
			return "", err
		}
	}
	local, err := r.Repo.LocalTag(ctx, name)
	if err == nil && local == "" {
		err = r.Repo.FetchTag(ctx, r.remote(), name) // goreleaser reads the local tag
	}
	return did, errors.Join(err, r.confirmTag(ctx, name, rev.commit))
}

// confirmTag checks that the tag is on the commit, here and in the declared repository.
func (r *Releaser) confirmTag(ctx context.Context, name, commit string) error {
	local, localErr := r.Repo.LocalTag(ctx, name)
	remote, remoteErr := r.Repo.RemoteTag(ctx, r.remote(), name)
	if err := errors.Join(localErr, remoteErr); err != nil {
		return err
	}
	if local != commit || remote != commit {
		return outcome.Wrongf("tag %s is on commit %q here and on %q in the declared repository, want %s for both: "+
			"a tag never moves, so take the next version", name, local, remote, commit)
	}
	return nil
}
