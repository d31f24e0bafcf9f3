package git

import (
	"context"
	"fmt"
	"regexp"
	"strconv"
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
	out, err := r.Run(ctx, "ls-tree", "-r", "-l", "-z", "--full-tree", commit)
	if err != nil {
		return 0, err
	}
	for _, entry := range strings.FieldsFunc(out, func(c rune) bool { return c == 0 }) {
		about, _, _ := strings.Cut(entry, "\t")
		fields := strings.Fields(about) // mode, type, id, size; a submodule's size is a dash
		if len(fields) != 4 || fields[1] != "blob" {
			continue
		}
		n, err := strconv.ParseInt(fields[3], 10, 64)
		if err != nil {
			return 0, fmt.Errorf("git ls-tree: size %q: %w", fields[3], err)
		}
		bytes += n
	}
	return bytes, nil
}
