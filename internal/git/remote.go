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

// Remote is where a repository is fetched from and pushed to: a URL, or the
// name of a configured remote.
type Remote string

// Origin is the remote that a clone has.
const Origin Remote = "origin"

// RemoteTag is the commit that a tag names at the remote, with annotated tags
// followed to their commit. Without such a tag it is "".
func (r Repo) RemoteTag(ctx context.Context, remote Remote, tag string) (commit string, err error) {
	return r.remoteRef(ctx, remote, "refs/tags/"+tag)
}

// Tag is a tag at a remote. Of an annotated tag, Object is the tag's own object;
// of a lightweight one it is the commit.
type Tag struct{ Object, Commit string }

// Annotated tells whether the tag has an object of its own.
func (t Tag) Annotated() bool { return t.Object != t.Commit }

// FindTag looks for a tag at the remote. Without it, both fields are "".
func (r Repo) FindTag(ctx context.Context, remote Remote, tag string) (Tag, error) {
	full := "refs/tags/" + tag
	ids, err := r.listed(ctx, remote, full, full+"^{}")
	return Tag{ids[full], cmp.Or(ids[full+"^{}"], ids[full])}, err
}

// Fetched is a repository in an empty folder that holds what a remote's ref
// names, without its history.
func (r Repo) Fetched(ctx context.Context, dir string, remote Remote, full string) (Repo, error) {
	there := Repo{Dir: dir, Env: r.Env}
	if _, err := there.Run(ctx, "init", "--quiet", "--bare"); err != nil {
		return there, err
	}
	_, err := there.Run(ctx, "fetch", "--quiet", "--no-tags", "--depth=1", "--", string(remote), full+":"+full)
	return there, err
}

// Has tells whether a commit is in the repository, with all its files.
func (r Repo) Has(ctx context.Context, commit string) bool {
	_, err := r.Run(ctx, "cat-file", "-e", commit+"^{tree}")
	return err == nil
}

// RemoteRef is RemoteTag for the name of a tag or, if there is none, a branch.
func (r Repo) RemoteRef(ctx context.Context, remote Remote, name string) (commit string, err error) {
	return r.remoteRef(ctx, remote, "refs/tags/"+name, "refs/heads/"+name)
}

// Refs asks a server's repositories for the commit of a tag or, where branches
// count, of a branch: what lookup.Resolver wants to know.
func (r Repo) Refs(server string) func(ctx context.Context, repository, name string, branches bool) (string, error) {
	return func(ctx context.Context, repository, name string, branches bool) (string, error) {
		ask := r.RemoteTag
		if branches {
			ask = r.RemoteRef
		}
		return ask(ctx, Remote(server+"/"+repository), name)
	}
}

// remoteRef is the commit of the first of some refs that the remote has.
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

// listed are the objects of refs that the remote has, by the refs' full names.
func (r Repo) listed(ctx context.Context, remote Remote, names ...string) (map[string]string, error) {
	// Version 2 of git's protocol lists as much, since ls-remote sends no names of
	// refs, only prefixes by --tags and --heads; but it takes a second request.
	out, err := r.Run(ctx, append([]string{"-c", "protocol.version=0", "ls-remote", "--", string(remote)}, names...)...)
	if err != nil {
		return nil, err
	}
	ids := map[string]string{}
	for line := range strings.Lines(out) {
		id, name, _ := strings.Cut(strings.TrimSpace(line), "\t")
		ids[name] = id // ls-remote matches the ends of names, so others may be listed too
	}
	return ids, nil
}

// FetchTag brings the remote's tag into the local repository. A local tag of
// that name on another object is an error.
func (r Repo) FetchTag(ctx context.Context, remote Remote, tag string) error {
	full := "refs/tags/" + tag
	_, err := r.Run(ctx, "fetch", "--quiet", "--no-tags", string(remote), full+":"+full)
	return err
}

// LocalTag is the commit of a local tag, or "" without one.
func (r Repo) LocalTag(ctx context.Context, tag string) (string, error) {
	commit, err := r.Run(ctx, "rev-parse", "--verify", "--quiet", "refs/tags/"+tag+"^{commit}")
	var failed *Error
	if errors.As(err, &failed) && failed.Status == 1 {
		return "", nil
	}
	return commit, err
}

// ReleasedFrom finds a branch at the remote, main or release-*, that holds
// the commit; "" if none does.
func (r Repo) ReleasedFrom(ctx context.Context, remote Remote, commit string) (string, error) {
	heads, err := r.listed(ctx, remote, "refs/heads/main", "refs/heads/release-*")
	if err != nil {
		return "", fmt.Errorf("listing main and the release branches: %w", err)
	}
	for _, full := range slices.Sorted(maps.Keys(heads)) {
		name, _ := strings.CutPrefix(full, "refs/heads/")
		if heads[full] == commit && (name == "main" || strings.HasPrefix(name, "release-")) {
			return name, nil
		}
	}
	branches, err := r.Releases(ctx, remote, commit)
	if len(branches) == 0 {
		return "", err
	}
	return branches[0], err
}

// Releases finds all branches at the remote, main and release-*, that hold the
// commit, sorted; none if none does.
func (r Repo) Releases(ctx context.Context, remote Remote, commit string) ([]string, error) {
	const kept = "refs/ghhelper/"
	if _, err := r.Run(ctx, "fetch", "--quiet", "--no-tags", "--prune", string(remote),
		"+refs/heads/main:"+kept+"main", "+refs/heads/release-*:"+kept+"release-*"); err != nil {
		return nil, fmt.Errorf("fetching main and the release branches: %w", err)
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
