package git

import (
	"context"
	"fmt"
	"regexp"
	"strings"

	"github.com/kubestellar/actions/internal/ref"
)

// Survey is what a remote tells of itself in one question.
type Survey struct {
	Head     string        // the commit of its default branch, "" while it has none
	Versions []ref.Version // of its tags "v…"; tags that are no semver are no versions
}

var objectID = regexp.MustCompile(`^(?:[0-9a-f]{40}|[0-9a-f]{64})$`)

// Survey asks a remote for its default branch and its releases.
func (r Repo) Survey(ctx context.Context, remote Remote) (Survey, error) {
	const tags = "refs/tags/"
	ids, err := r.listed(ctx, remote, "HEAD", tags+"v*")
	if err != nil {
		return Survey{}, err
	}
	s := Survey{Head: ids["HEAD"]}
	if s.Head != "" && !objectID.MatchString(s.Head) {
		return Survey{}, fmt.Errorf("git ls-remote %s: HEAD is %.80q, want a commit's id", remote, s.Head)
	}
	for name := range ids {
		tag, isTag := strings.CutPrefix(name, tags)
		if v, err := ref.ParseVersion(tag); isTag && strings.HasPrefix(tag, "v") && err == nil {
			s.Versions = append(s.Versions, v)
		}
	}
	return s, nil
}

// FetchedCommit is a repository in an empty folder that holds one commit of a
// remote, without its history.
func (r Repo) FetchedCommit(ctx context.Context, dir string, remote Remote, commit string) (Repo, error) {
	there := Repo{Dir: dir, Env: r.Env}
	if _, err := there.Run(ctx, "init", "--quiet", "--bare", "--template="); err != nil {
		return there, err
	}
	_, err := there.Run(ctx, "-c", "maintenance.auto=false", "-c", "gc.auto=0", "fetch", "--quiet", "--no-tags", "--no-recurse-submodules", "--depth=1", "--", string(remote), commit)
	return there, err
}

// Size is the number of bytes that the files of a commit have, all together.
func (r Repo) Size(ctx context.Context, commit string) (bytes int64, err error) {
	all, err := r.blobs(ctx, commit)
	for _, b := range all {
		bytes += b.size
	}
	return bytes, err
}
