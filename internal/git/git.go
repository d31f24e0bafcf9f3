// Package git runs the git command; it is the only place that does.
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

// Repo is a local repository, with the environment that git runs in.
type Repo struct {
	Dir string
	Env []string // "KEY=value", the whole environment

	own   bool   // the environment names an index of our own
	input []byte // for git's standard input
}

// Input is the repository with something on git's standard input.
func (r Repo) Input(data []byte) Repo {
	r.input = data
	return r
}

// Error is a git command that failed, with all that git said, but for secrets.
type Error struct {
	Args   []string
	Status int // git's exit status, or -1 if it could not be run
	Stderr string
	Err    error
}

// failure is the Error of a command that ended.
func failure(args []string, state *os.ProcessState, stderr string, err error) *Error {
	shown := slices.Clone(args)
	for i := range shown {
		shown[i] = hide(shown[i])
	}
	return &Error{shown, state.ExitCode(), hide(stderr), err}
}

// secrets are what a URL has before its host, which is a token in what CI systems
// write into .git/config, and the header that is made of it. git prints the URL in
// most of its errors, and the header in traces that hide nothing. The first ends
// at the last @, since not everybody escapes those of a password.
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

// ErrNoGit says that there is no git command to run.
var ErrNoGit = outcome.Usagef("no git command found on PATH: install git 2.30 or newer")

// Run runs git in the repository and returns what it printed, without the
// newline at the end.
func (r Repo) Run(ctx context.Context, args ...string) (string, error) {
	out, err := r.Raw(ctx, args...)
	if err != nil {
		return "", err
	}
	return strings.TrimRight(out, "\n"), nil
}

// Raw is Run with all that git printed, also where it failed.
func (r Repo) Raw(ctx context.Context, args ...string) (string, error) {
	path, err := exec.LookPath("git")
	if err != nil {
		return "", ErrNoGit
	}
	var stdout, stderr strings.Builder
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Dir, cmd.Env, cmd.Stdin, cmd.Stdout, cmd.Stderr = r.Dir, r.environment(), bytes.NewReader(r.input), &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return stdout.String(), failure(args, cmd.ProcessState, stderr.String(), err)
	}
	return stdout.String(), nil
}

// located are the variables that tell git to look elsewhere than in Dir; git
// itself sets them for its hooks.
var located = []string{"GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY", "GIT_COMMON_DIR", "GIT_PREFIX", "GIT_NAMESPACE"}

func (r Repo) environment() []string {
	if r.own {
		return r.Env
	}
	return slices.DeleteFunc(slices.Clone(r.Env), func(entry string) bool {
		name, _, _ := strings.Cut(entry, "=")
		return slices.Contains(located, name)
	})
}

// Head is the commit that is checked out.
func (r Repo) Head(ctx context.Context) (string, error) {
	return r.Run(ctx, "rev-parse", "--verify", "HEAD^{commit}")
}

// Top is the root folder of the work tree.
func (r Repo) Top(ctx context.Context) (string, error) {
	return r.Run(ctx, "rev-parse", "--show-toplevel")
}

// Dirty lists what differs from HEAD in the work tree, untracked files
// included, in git's short form. What lies below except is not looked at.
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

// CommitTime is the committer's time of a commit.
func (r Repo) CommitTime(ctx context.Context, commit string) (time.Time, error) {
	out, err := r.Run(ctx, "show", "--no-show-signature", "--no-patch", "--format=%cI", commit)
	if err != nil {
		return time.Time{}, err
	}
	return time.Parse(time.RFC3339, out)
}

// Versions lists the versions of the tags "v…" that the repository has;
// tags that are no semver are no versions.
func (r Repo) Versions(ctx context.Context) ([]ref.Version, error) {
	out, err := r.Run(ctx, "tag", "--list", "v*")
	if err != nil {
		return nil, err
	}
	var versions []ref.Version
	for _, tag := range strings.Fields(out) {
		if v, err := ref.ParseVersion(tag); err == nil {
			versions = append(versions, v)
		}
	}
	return versions, nil
}

// Shallow tells whether history is missing here, as in a clone of one commit.
func (r Repo) Shallow(ctx context.Context) (bool, error) {
	shallow, err := r.Run(ctx, "rev-parse", "--is-shallow-repository")
	return shallow == "true", err
}

// Describe names what is checked out by the nearest tag of a version below it, as
// v1.2.3-4-gabcdef0, with -dirty where files differ; without such a tag, by the
// commit alone.
func (r Repo) Describe(ctx context.Context) (string, error) {
	return r.Run(ctx, "describe", "--tags", "--match=v[0-9]*", "--always", "--dirty")
}

// Files lists what belongs to the folder for git: what it tracks there, and
// what is new and not ignored, sorted, with submodules and links among them.
func (r Repo) Files(ctx context.Context) ([]string, error) {
	out, err := r.Run(ctx, "ls-files", "-z", "--cached", "--others", "--exclude-standard")
	if err != nil {
		return nil, fmt.Errorf("listing the files that belong to the tree: %w", err)
	}
	names := strings.FieldsFunc(out, func(c rune) bool { return c == 0 })
	slices.Sort(names)
	return slices.Compact(names), nil
}

// Commit is the commit that a name means here: a tag, a branch, an id.
func (r Repo) Commit(ctx context.Context, name string) (string, error) {
	return r.Run(ctx, "rev-parse", "--verify", "--end-of-options", name+"^{commit}")
}
