package git

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/kubestellar/actions/internal/outcome"
)

// Tips are where branches of a remote stand.
type Tips struct {
	Default string // the name of the branch that pull requests are for
	Base    string // its commit
	Head    string // the commit of the branch that was asked for, "" without one
}

// Tips asks a remote, in one question, where its default branch and another one
// stand. An empty branch asks for the default branch alone.
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
		return tips, fmt.Errorf("git ls-remote %s names no default branch with a commit: it printed %q", remote, out)
	}
	return tips, nil
}

// Bring fetches commits that are not here, with all their history, and changes
// no branch. "" is none.
func (r Repo) Bring(ctx context.Context, remote Remote, commits ...string) error {
	missing := slices.DeleteFunc(slices.Clone(commits), func(commit string) bool { return commit == "" || r.Has(ctx, commit) })
	shallow, err := r.Shallow(ctx)
	if err != nil || len(missing) == 0 && !shallow {
		return err
	}
	args := []string{"fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "--recurse-submodules=no"}
	if shallow {
		args = append(args, "--unshallow") // where branches part may lie deeper
	}
	_, err = r.Run(ctx, slices.Concat(args, []string{"--", string(remote)}, slices.DeleteFunc(slices.Clone(commits), func(c string) bool { return c == "" }))...)
	return err
}

// Commit is what git holds of one.
type Commit struct {
	ID, Tree string
	Parents  []string
	// Author and Committer are each: Name <mail>.
	Author, Committer string
	Message           string
}

// Between lists the commits that a branch has and another has not, oldest first.
func (r Repo) Between(ctx context.Context, base, head string) ([]Commit, error) {
	const fields = 6
	out, err := r.Run(ctx, "log", "-z", "--no-show-signature", "--topo-order", "--reverse", "--format=tformat:%H%x00%T%x00%P%x00%an <%ae>%x00%cn <%ce>%x00%B", base+".."+head)
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

// ConflictError says that two commits do not go together.
type ConflictError struct{ Files []string }

// Code of a conflict: something is wrong, and only people can settle it.
func (e *ConflictError) Code() outcome.Code { return outcome.Wrong }

func (e *ConflictError) Error() string {
	return "both have changed " + strings.Join(e.Files, ", ")
}

// Merge is the tree of two commits merged, which changes no branch and no file.
// A ConflictError names the files in which they do not go together.
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

// Holds tells whether a commit is in the history of another.
func (r Repo) Holds(ctx context.Context, history, commit string) (bool, error) {
	_, err := r.Run(ctx, "merge-base", "--is-ancestor", commit, history)
	var failed *Error
	if errors.As(err, &failed) && failed.Status == 1 {
		return false, nil
	}
	return err == nil, err
}

// Tree is the tree of a commit.
func (r Repo) Tree(ctx context.Context, commit string) (string, error) {
	return r.Run(ctx, "rev-parse", "--verify", "--end-of-options", commit+"^{tree}")
}

// Entry is a file in which a tree differs from another. ID is "" where it has no
// such file.
type Entry struct{ Name, Mode, ID string }

// Differ lists in what a tree differs from another one.
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
