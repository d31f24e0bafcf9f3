// Package git runs the git command. No other package runs it.
package git

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/kubestellar/actions/internal/outcome"
	"github.com/kubestellar/actions/internal/ref"
)

// Repo is a local repository and the environment of its git commands.
type Repo struct {
	Dir string
	Env []string // "KEY=value", the whole environment

	own   bool   // Env names a temporary index
	input []byte // of git commands
}

// Input returns the repository with git's standard input set.
func (r Repo) Input(data []byte) Repo {
	r.input = data
	return r
}

// Error is the failure of a git command, with git's messages. Secrets are removed.
type Error struct {
	Args   []string
	Status int // git's exit status, or -1 if it could not be run
	Stderr string
	Err    error
}

// failure returns the Error of a command that ended.
func failure(args []string, state *os.ProcessState, stderr string, err error) *Error {
	shown := slices.Clone(args)
	for i := range shown {
		shown[i] = hide(shown[i])
	}
	return &Error{shown, state.ExitCode(), hide(stderr), err}
}

// secrets matches the credentials in a URL, and the header made from them. CI systems
// write URLs with tokens into .git/config. git prints the URL in most errors, and the
// header in traces. Credentials end at the last @, because a password may contain an
// unescaped one.
var secrets = regexp.MustCompile(`://[^\s'"]*@|(?i:authorization: ?)[^\r\n]*`)

func hide(text string) string {
	return secrets.ReplaceAllStringFunc(text, func(found string) string {
		if strings.HasPrefix(found, "://") {
			return "://***@"
		}
		name, _, _ := strings.Cut(found, ":")
		return name + ": ***"
	})
}

func (e *Error) Error() string {
	said := strings.TrimSpace(e.Stderr)
	if said == "" {
		said = e.Err.Error()
	}
	return fmt.Sprintf("git %s: %s", strings.Join(e.Args, " "), said)
}

func (e *Error) Unwrap() error { return e.Err }

// ErrNoGit means that there is no git command.
var ErrNoGit = outcome.Usagef("no git command found on PATH: install git 2.30 or newer")

// Run runs git in the repository and returns its output without the last newline.
func (r Repo) Run(ctx context.Context, args ...string) (string, error) {
	out, err := r.Raw(ctx, args...)
	if err != nil {
		return "", err
	}
	return strings.TrimRight(out, "\n"), nil
}

// Raw runs git and returns its whole output, even if it failed.
func (r Repo) Raw(ctx context.Context, args ...string) (string, error) {
	path, err := exec.LookPath("git")
	if err != nil {
		return "", ErrNoGit
	}
	var stdout, stderr strings.Builder
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Dir, cmd.Env = r.Dir, r.environment()
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(r.input), &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return stdout.String(), failure(args, cmd.ProcessState, stderr.String(), err)
	}
	return stdout.String(), nil
}

// located are the variables that make git use another repository than the one in Dir.
// git sets them for its hooks.
var located = []string{
	"GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY", "GIT_COMMON_DIR", "GIT_PREFIX",
	"GIT_NAMESPACE",
}

func (r Repo) environment() []string {
	if r.own {
		return r.Env
	}
	return slices.DeleteFunc(slices.Clone(r.Env), func(entry string) bool {
		name, _, _ := strings.Cut(entry, "=")
		return slices.Contains(located, name)
	})
}

// Head returns the commit that is checked out.
func (r Repo) Head(ctx context.Context) (string, error) {
	return r.Run(ctx, "rev-parse", "--verify", "HEAD^{commit}")
}

// Top returns the root folder of the work tree.
func (r Repo) Top(ctx context.Context) (string, error) {
	return r.Run(ctx, "rev-parse", "--show-toplevel")
}

// Dirty lists the differences between the work tree and HEAD in git's short form,
// with untracked files. It skips the paths in except.
func (r Repo) Dirty(ctx context.Context, except ...string) ([]string, error) {
	args := []string{"status", "--porcelain", "--untracked-files=all", "--", "."}
	for _, path := range except {
		args = append(args, ":(exclude,literal)"+path)
	}
	out, err := r.Run(ctx, args...)
	if err != nil || out == "" {
		return nil, err
	}
	return strings.Split(out, "\n"), nil
}

// CommitTime returns the committer's time of a commit.
func (r Repo) CommitTime(ctx context.Context, commit string) (time.Time, error) {
	out, err := r.Run(ctx, "show", "--no-show-signature", "--no-patch", "--format=%cI", commit)
	if err != nil {
		return time.Time{}, err
	}
	return time.Parse(time.RFC3339, out)
}

// Tagged returns the version of a tag, and reports whether the tag is one of a component's.
type Tagged func(tag string) (ref.Version, bool)

// Versions returns the versions of the repository's tags.
func (r Repo) Versions(ctx context.Context, of Tagged) ([]ref.Version, error) {
	return r.versions(ctx, of)
}

// VersionsIn returns the versions of the tags in the history of a commit. If the clone
// has no such tag, it returns those of all tags, because the history may be missing.
func (r Repo) VersionsIn(ctx context.Context, commit string, of Tagged) ([]ref.Version, error) {
	if merged, err := r.versions(ctx, of, "--merged", commit); err == nil && len(merged) > 0 {
		return merged, nil
	}
	return r.versions(ctx, of)
}

func (r Repo) versions(ctx context.Context, of Tagged, args ...string) ([]ref.Version, error) {
	out, err := r.Run(ctx, append([]string{"tag", "--list"}, args...)...)
	return of.versions(strings.Fields(out)), err
}

// versions returns the versions of the component's tags among others.
func (of Tagged) versions(tags []string) []ref.Version {
	var all []ref.Version
	for _, tag := range tags {
		if v, ok := of(tag); ok {
			all = append(all, v)
		}
	}
	return all
}

// Shallow reports whether a part of the history is missing, as in a clone of one commit.
func (r Repo) Shallow(ctx context.Context) (bool, error) {
	shallow, err := r.Run(ctx, "rev-parse", "--is-shallow-repository")
	return shallow == "true", err
}

// Describe names the commit that is checked out by the nearest tag in its history that
// begins with a prefix and a digit, such as v1.2.3-4-gabcdef0, or by its id if there is no
// such tag. It appends -dirty if files differ.
func (r Repo) Describe(ctx context.Context, prefix string) (string, error) {
	return r.Run(ctx, "describe", "--tags", "--match="+prefix+"[0-9]*", "--always", "--dirty")
}

// Files lists the files in the folder that git tracks or does not ignore, sorted. They
// include submodules and links.
func (r Repo) Files(ctx context.Context) ([]string, error) {
	out, err := r.Run(ctx, "ls-files", "-z", "--cached", "--others", "--exclude-standard")
	if err != nil {
		return nil, fmt.Errorf("listing the files of the work tree: %w", err)
	}
	names := strings.FieldsFunc(out, func(c rune) bool { return c == 0 })
	slices.Sort(names)
	return slices.Compact(names), nil
}

// Commit returns the commit of a tag, a branch or an id.
func (r Repo) Commit(ctx context.Context, name string) (string, error) {
	return r.Run(ctx, "rev-parse", "--verify", "--end-of-options", name+"^{commit}")
}
