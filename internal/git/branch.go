package git

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/kubestellar/actions/internal/outcome"
)

// Tips are the last commits of a remote's branches.
type Tips struct {
	Default string // the name of the default branch
	Base    string // its commit
	Head    string // the commit of the requested branch, empty if there is no such branch
}

// Tips returns the last commits of the default branch and of another one, unless its
// name is empty. It sends one request.
func (r Repo) Tips(ctx context.Context, remote Remote, branch string) (Tips, error) {
	args := []string{"ls-remote", "--symref", "--", string(remote), "HEAD"}
	if branch != "" {
		args = append(args, "refs/heads/"+branch)
	}
	out, err := r.Run(ctx, args...)
	if err != nil {
		return Tips{}, err
	}
	var tips Tips
	for line := range strings.Lines(out) {
		what, name, _ := strings.Cut(strings.TrimSpace(line), "\t")
		target, symbolic := strings.CutPrefix(what, "ref: refs/heads/")
		switch {
		case symbolic && name == "HEAD":
			tips.Default = target
		case name == "HEAD":
			tips.Base = what
		case name == "refs/heads/"+branch:
			tips.Head = what
		}
	}
	if tips.Default == "" || tips.Base == "" {
		return tips, fmt.Errorf("git ls-remote %s printed %q, want a default branch with a commit", remote, out)
	}
	return tips, nil
}

// Bring fetches the commits that the repository lacks, with their history. It changes
// no branch, and skips empty ids.
func (r Repo) Bring(ctx context.Context, remote Remote, commits ...string) error {
	commits = slices.DeleteFunc(slices.Clone(commits), func(commit string) bool { return commit == "" })
	missing := slices.ContainsFunc(commits, func(commit string) bool { return !r.Has(ctx, commit) })
	shallow, err := r.Shallow(ctx)
	if err != nil || !missing && !shallow {
		return err
	}
	args := []string{"fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "--recurse-submodules=no"}
	if shallow {
		args = append(args, "--unshallow") // the history may not reach the commit where branches fork
	}
	_, err = r.Run(ctx, slices.Concat(args, []string{"--", string(remote)}, commits)...)
	return err
}

// Commit is a commit with its message.
type Commit struct {
	ID, Tree string
	Parents  []string
	// Author and Committer are each: Name <mail>.
	Author, Committer string
	Message           string
}

// Between lists the commits in head's history that are not in base's, oldest first.
func (r Repo) Between(ctx context.Context, base, head string) ([]Commit, error) {
	const fields, format = 6, "--format=tformat:%H%x00%T%x00%P%x00%an <%ae>%x00%cn <%ce>%x00%B"
	out, err := r.Run(ctx, "log", "-z", "--no-show-signature", "--topo-order", "--reverse", format, base+".."+head)
	if err != nil || out == "" {
		return nil, err
	}
	var commits []Commit
	for c := range slices.Chunk(strings.Split(strings.TrimSuffix(out, "\x00"), "\x00"), fields) {
		if len(c) != fields {
			return nil, fmt.Errorf("git log printed %d fields of a commit, want %d", len(c), fields)
		}
		commits = append(commits, Commit{c[0], c[1], strings.Fields(c[2]), c[3], c[4], strings.TrimRight(c[5], "\n")})
	}
	return commits, nil
}

// ConflictError means that two commits cannot be merged.
type ConflictError struct{ Files []string }

// Code returns outcome.Wrong, because a person must resolve the conflict.
func (e *ConflictError) Code() outcome.Code { return outcome.Wrong }

func (e *ConflictError) Error() string {
	return "both have changed " + strings.Join(e.Files, ", ")
}

// Merge returns the tree of two merged commits. It changes no branch and no file. A
// ConflictError names the files with conflicts.
func (r Repo) Merge(ctx context.Context, ours, theirs string) (tree string, err error) {
	out, err := r.Raw(ctx, "merge-tree", "--write-tree", "--name-only", "--no-messages", "-z", ours, theirs)
	var failed *Error
	if err != nil && (!errors.As(err, &failed) || failed.Status != 1) {
		return "", fmt.Errorf("%w (git 2.38 or newer merges without a work tree)", err)
	}
	parts := strings.Split(strings.TrimSuffix(out, "\x00"), "\x00")
	if failed != nil {
		return "", &ConflictError{parts[1:]}
	}
	return parts[0], nil
}

// Holds reports whether a commit is in the history of another.
func (r Repo) Holds(ctx context.Context, history, commit string) (bool, error) {
	_, err := r.Run(ctx, "merge-base", "--is-ancestor", commit, history)
	var failed *Error
	if errors.As(err, &failed) && failed.Status == 1 {
		return false, nil
	}
	return err == nil, err
}

// Tree returns the tree of a commit.
func (r Repo) Tree(ctx context.Context, commit string) (string, error) {
	return r.Run(ctx, "rev-parse", "--verify", "--end-of-options", commit+"^{tree}")
}

// Entry is a file that differs between two trees. ID is empty if the second tree has no
// such file.
type Entry struct{ Name, Mode, ID string }

// Differ lists the files that differ between two trees.
func (r Repo) Differ(ctx context.Context, from, to string) ([]Entry, error) {
	out, err := r.Run(ctx, "diff-tree", "-r", "-z", "--raw", "--no-renames", "--no-abbrev", from, to)
	if err != nil || out == "" {
		return nil, err
	}
	var entries []Entry
	for pair := range slices.Chunk(strings.Split(strings.TrimSuffix(out, "\x00"), "\x00"), 2) {
		about := strings.Fields(pair[0]) // :mode mode id id status
		if len(pair) != 2 || len(about) != 5 {
			return nil, fmt.Errorf("git diff-tree printed %q, want modes, ids and a name", pair)
		}
		entry := Entry{Name: pair[1], Mode: about[1], ID: about[3]}
		if about[4] == "D" {
			entry.Mode, entry.ID = strings.TrimPrefix(about[0], ":"), ""
		}
		entries = append(entries, entry)
	}
	return entries, nil
}
