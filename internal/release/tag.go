package release

import (
	"context"
	"errors"

	"github.com/kubestellar/actions/internal/outcome"
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
	if remote == "" {
		return "created " + tag + " on " + src.commit, t.createTag(ctx, tag, src.commit)
	}
	local, err := t.Repo.LocalTag(ctx, tag)
	if err == nil && local == "" {
		err = t.Repo.FetchTag(ctx, t.remote(), tag)
	}
	return tag + " is on " + src.commit + " already", errors.Join(err, t.confirmTag(ctx, tag, src.commit))
}

func (t *Train) createTag(ctx context.Context, tag, commit string) error {
	local, err := t.Repo.LocalTag(ctx, tag)
	if err != nil {
		return err
	}
	if local == "" {
		if err := t.Repo.CreateTag(ctx, tag, commit, t.File.Self+" "+t.Version.String()); err != nil {
			return err
		}
	}
	// A push may have arrived though its answer was lost: what counts
	// is what is there afterwards.
	return firstUnlessDone(t.Repo.PushTag(ctx, t.remote(), tag), t.confirmTag(ctx, tag, commit))
}

// firstUnlessDone is nil where looking again found the thing done, else both.
func firstUnlessDone(acted, looked error) error {
	if looked == nil {
		return nil
	}
	return errors.Join(acted, looked)
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
