package release

import (
	"errors"

	"github.com/kubestellar/actions/internal/git"
	"github.com/kubestellar/actions/internal/outcome"
)

// tag sees to it that the version's tag is on this commit, here and at origin.
// A tag is created once; preflight has seen that none is elsewhere.
func (r *ride) tag() (string, error) {
	tag := r.Version.Tag()
	remote, err := r.Repo.RemoteTag(r.ctx, git.Origin, tag)
	if err != nil {
		return "", err
	}
	if remote == "" {
		return "created " + tag + " on " + r.commit, r.createTag(tag)
	}
	local, err := r.Repo.LocalTag(r.ctx, tag)
	if err == nil && local == "" {
		err = r.Repo.FetchTag(r.ctx, git.Origin, tag)
	}
	return tag + " is on " + r.commit + " already", errors.Join(err, r.confirmTag(tag))
}

func (r *ride) createTag(tag string) error {
	local, err := r.Repo.LocalTag(r.ctx, tag)
	if err != nil {
		return err
	}
	if local == "" {
		if err := r.Repo.CreateTag(r.ctx, tag, r.commit, r.File.Self+" "+r.Version.String()); err != nil {
			return err
		}
	}
	// A push may have reached origin though its answer was lost: what counts
	// is what origin says afterwards.
	return firstUnlessDone(r.Repo.PushTag(r.ctx, git.Origin, tag), r.confirmTag(tag))
}

// firstUnlessDone is nil where looking again found the thing done, else both.
func firstUnlessDone(acted, looked error) error {
	if looked == nil {
		return nil
	}
	return errors.Join(acted, looked)
}

// confirmTag looks at the tag, here and at origin.
func (r *ride) confirmTag(tag string) error {
	local, localErr := r.Repo.LocalTag(r.ctx, tag)
	remote, remoteErr := r.Repo.RemoteTag(r.ctx, git.Origin, tag)
	if err := errors.Join(localErr, remoteErr); err != nil {
		return err
	}
	if local != r.commit || remote != r.commit {
		return outcome.Wrongf("tag %s is on commit %q here and on %q at origin, want %s for both: a tag never moves, so take the next version", tag, local, remote, r.commit)
	}
	return nil
}
