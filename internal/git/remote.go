package git

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Remote is a repository to fetch from and to push to: a URL, or the name of a
// configured remote.
type Remote string

// Origin is the remote of a clone.
const Origin Remote = "origin"

// RemoteTag returns the commit of a lightweight or annotated tag at the remote, or "" if
// there is no such tag.
func (r Repo) RemoteTag(ctx context.Context, remote Remote, tag string) (commit string, err error) {
	return r.remoteRef(ctx, remote, "refs/tags/"+tag)
}

// Tag is a tag at a remote. Object is the tag object of an annotated tag, and the commit
// of a lightweight one.
type Tag struct{ Object, Commit string }

// Annotated reports whether the tag has an object of its own.
func (t Tag) Annotated() bool { return t.Object != t.Commit }

// FindTag returns a tag at the remote. Both fields are empty if there is no such tag.
func (r Repo) FindTag(ctx context.Context, remote Remote, tag string) (Tag, error) {
	full := "refs/tags/" + tag
	ids, err := r.listed(ctx, remote, full, full+"^{}")
	return Tag{ids[full], cmp.Or(ids[full+"^{}"], ids[full])}, err
}

// Fetched fetches the commit of a remote's ref, without its history, into a new
// repository in an empty folder.
func (r Repo) Fetched(ctx context.Context, dir string, remote Remote, full string) (Repo, error) {
	there := Repo{Dir: dir, Env: r.Env}
	if _, err := there.Run(ctx, "init", "--quiet", "--bare"); err != nil {
		return there, err
	}
	_, err := there.Run(ctx, "fetch", "--quiet", "--no-tags", "--depth=1", "--", string(remote), full+":"+full)
	return there, err
}

// Clone checks out a commit in a new clone in dir, with an origin and only the tags of a refspec.
func (r Repo) Clone(ctx context.Context, dir, commit string, origin Remote, tags string) error {
	_, err := r.Run(ctx, "-c", "protocol.file.allow=always",
		"clone", "--quiet", "--shared", "--no-checkout", "--no-tags", ".", dir)
	for _, args := range [][]string{
		{"-c", "protocol.file.allow=always", "fetch", "--quiet", "--no-tags", "origin", tags},
		{"checkout", "--quiet", "--detach", commit},
		{"remote", "set-url", "origin", string(origin)},
	} {
		if err == nil {
			_, err = Repo{Dir: dir, Env: r.Env}.Run(ctx, args...)
		}
	}
	return err
}

// Has reports whether a commit and its tree are in the repository.
func (r Repo) Has(ctx context.Context, commit string) bool {
	_, err := r.Run(ctx, "cat-file", "-e", commit+"^{tree}")
	return err == nil
}

// RemoteRef returns the commit of a tag or, if there is no such tag, of a branch.
func (r Repo) RemoteRef(ctx context.Context, remote Remote, name string) (commit string, err error) {
	return r.remoteRef(ctx, remote, "refs/tags/"+name, "refs/heads/"+name)
}

// Refs returns a function that queries a server's repositories for the commit of a tag
// or, if branches is set, of a branch that has no tag of its name.
func (r Repo) Refs(server string) func(ctx context.Context, repository, name string, branches bool) (string, error) {
	return func(ctx context.Context, repository, name string, branches bool) (string, error) {
		query := r.RemoteTag
		if branches {
			query = r.RemoteRef
		}
		return query(ctx, Remote(server+"/"+repository), name)
	}
}

// remoteRef returns the commit of the first ref that the remote has.
func (r Repo) remoteRef(ctx context.Context, remote Remote, refs ...string) (string, error) {
	var names []string
	for _, full := range refs {
		names = append(names, full, full+"^{}")
	}
	ids, err := r.listed(ctx, remote, names...)
	if err != nil {
		return "", err
	}
	for _, full := range refs {
		if commit := cmp.Or(ids[full+"^{}"], ids[full]); commit != "" {
			return commit, nil
		}
	}
	return "", nil
}

// listed returns the objects of the remote's refs, by the full names of the refs.
func (r Repo) listed(ctx context.Context, remote Remote, names ...string) (map[string]string, error) {
	// Version 2 of git's protocol takes a second request and lists as much, because
	// ls-remote sends no names of refs, only the prefixes for --tags and --heads.
	out, err := r.Run(ctx, append([]string{"-c", "protocol.version=0", "ls-remote", "--", string(remote)}, names...)...)
	if err != nil {
		return nil, err
	}
	ids := map[string]string{}
	for line := range strings.Lines(out) {
		id, name, _ := strings.Cut(strings.TrimSpace(line), "\t")
		ids[name] = id // may be another ref, because ls-remote matches the ends of names
	}
	return ids, nil
}

// FetchTag fetches the remote's tag into the local repository. It returns an error if
// the local tag is another object.
func (r Repo) FetchTag(ctx context.Context, remote Remote, tag string) error {
	full := "refs/tags/" + tag
	_, err := r.Run(ctx, "fetch", "--quiet", "--no-tags", string(remote), full+":"+full)
	return err
}

// LocalTag returns the commit of a local tag, or "" if there is no such tag.
func (r Repo) LocalTag(ctx context.Context, tag string) (string, error) {
	commit, err := r.Run(ctx, "rev-parse", "--verify", "--quiet", "refs/tags/"+tag+"^{commit}")
	var failed *Error
	if errors.As(err, &failed) && failed.Status == 1 {
		return "", nil
	}
	return commit, err
}

// heads are branches at a remote, by name, with their commits.
type heads struct {
	main  string // the default branch
	lines map[string]string
}

// releasing queries the default branch, and the branches that patterns such as release-* match.
func (r Repo) releasing(ctx context.Context, remote Remote, patterns []string) (heads, error) {
	args := []string{"-c", "protocol.version=0", "ls-remote", "--symref", "--", string(remote), "HEAD"}
	for _, pattern := range patterns {
		args = append(args, branches+pattern)
	}
	out, err := r.Run(ctx, args...)
	if err != nil {
		return heads{}, fmt.Errorf("listing the default branch and the release branches: %w", err)
	}
	found := heads{lines: map[string]string{}}
	for line := range strings.Lines(out) {
		id, name, _ := strings.Cut(strings.TrimSpace(line), "\t")
		branch, isBranch := strings.CutPrefix(name, branches)
		switch target, isLink := strings.CutPrefix(id, "ref: "+branches); {
		case name == "HEAD" && isLink:
			found.main = target
		case name == "HEAD":
			found.lines[found.main] = id
		case isBranch && slices.ContainsFunc(patterns, func(p string) bool { return fits(p, branch) }):
			found.lines[branch] = id
		}
	}
	if found.main == "" {
		return heads{}, fmt.Errorf("%s names no default branch", remote)
	}
	return found, nil
}

const branches = "refs/heads/"

// fits reports whether a pattern with at most one * matches a whole name.
func fits(pattern, name string) bool {
	before, after, open := strings.Cut(pattern, "*")
	return pattern == name || open && len(name) >= len(before)+len(after) &&
		strings.HasPrefix(name, before) && strings.HasSuffix(name, after)
}

// DefaultBranch returns the name of the remote's default branch.
func (r Repo) DefaultBranch(ctx context.Context, remote Remote) (string, error) {
	found, err := r.releasing(ctx, remote, nil)
	return found.main, err
}

// ReleasedFrom returns a branch at the remote, the default one or one that a pattern
// matches, whose history contains the commit, or "" if there is no such branch.
func (r Repo) ReleasedFrom(ctx context.Context, remote Remote, commit string, patterns []string) (string, error) {
	found, err := r.releasing(ctx, remote, patterns)
	if err != nil {
		return "", err
	}
	for _, name := range slices.Sorted(maps.Keys(found.lines)) {
		if found.lines[name] == commit {
			return name, nil
		}
	}
	names, err := r.containing(ctx, remote, commit, found)
	if len(names) == 0 {
		return "", err
	}
	return names[0], err
}

// Releases returns all branches at the remote, the default one and those that a pattern
// matches, whose history contains the commit, sorted.
func (r Repo) Releases(ctx context.Context, remote Remote, commit string, patterns []string) ([]string, error) {
	found, err := r.releasing(ctx, remote, patterns)
	if err != nil {
		return nil, err
	}
	return r.containing(ctx, remote, commit, found)
}

// containing returns those of the branches whose history contains the commit, sorted.
func (r Repo) containing(ctx context.Context, remote Remote, commit string, found heads) ([]string, error) {
	const kept = "refs/ghhelper/"
	args := []string{"fetch", "--quiet", "--no-tags", "--prune", string(remote)}
	for _, name := range slices.Sorted(maps.Keys(found.lines)) {
		args = append(args, "+"+branches+name+":"+kept+name)
	}
	if len(found.lines) == 0 {
		return nil, nil
	}
	if _, err := r.Run(ctx, args...); err != nil {
		return nil, fmt.Errorf("fetching %s and the release branches: %w", found.main, err)
	}
	out, err := r.Run(ctx, "for-each-ref", "--format=%(refname:lstrip=2)", "--contains", commit, kept)
	if err != nil {
		return nil, err
	}
	return strings.Fields(out), r.forget(ctx, kept)
}

// forget removes the references below a prefix.
func (r Repo) forget(ctx context.Context, prefix string) error {
	out, err := r.Run(ctx, "for-each-ref", "--format=%(refname)", prefix)
	errs := []error{err}
	for _, name := range strings.Fields(out) {
		_, err := r.Run(ctx, "update-ref", "-d", name)
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}
