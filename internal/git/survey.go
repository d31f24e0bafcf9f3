package git

import (
	"context"
	"fmt"
	"regexp"
	"strings"

	"github.com/kubestellar/actions/internal/ref"
)

// Survey is the answer of a remote to one request.
type Survey struct {
	Head string   // the commit of the default branch, or empty for an empty repository
	Tags []string // names
}

// Versions returns the versions of a component's tags.
func (s Survey) Versions(of Tagged) []ref.Version { return of.versions(s.Tags) }

var objectID = regexp.MustCompile(`^(?:[0-9a-f]{40}|[0-9a-f]{64})$`)

// Survey queries the default branch and the releases of a remote.
func (r Repo) Survey(ctx context.Context, remote Remote) (Survey, error) {
	const tags = "refs/tags/"
	ids, err := r.listed(ctx, remote, "HEAD", tags+"*")
	if err != nil {
		return Survey{}, err
	}
	s := Survey{Head: ids["HEAD"]}
	if s.Head != "" && !objectID.MatchString(s.Head) {
		return Survey{}, fmt.Errorf("git ls-remote %s: HEAD is %.80q, want a commit's id", remote, s.Head)
	}
	for name := range ids {
		if tag, ok := strings.CutPrefix(name, tags); ok && !strings.HasSuffix(tag, "^{}") {
			s.Tags = append(s.Tags, tag)
		}
	}
	return s, nil
}

// FetchedCommit fetches a commit of a remote, without its history, into a new
// repository in an empty folder.
func (r Repo) FetchedCommit(ctx context.Context, dir string, remote Remote, commit string) (Repo, error) {
	there := Repo{Dir: dir, Env: r.Env}
	if _, err := there.Run(ctx, "init", "--quiet", "--bare", "--template="); err != nil {
		return there, err
	}
	_, err := there.Run(ctx, "-c", "maintenance.auto=false", "-c", "gc.auto=0", "fetch", "--quiet", "--no-tags",
		"--no-recurse-submodules", "--depth=1", "--", string(remote), commit)
	return there, err
}

// Size returns the total size of the files of a commit, in bytes.
func (r Repo) Size(ctx context.Context, commit string) (bytes int64, err error) {
	all, err := r.blobs(ctx, commit)
	for _, b := range all {
		bytes += b.size
	}
	return bytes, err
}
