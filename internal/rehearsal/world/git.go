package world

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"time"
)

// zeroSHA stands for "no object": the old value of a ref that must not exist yet.
const zeroSHA = "0000000000000000000000000000000000000000"

// gitEnv keeps the machine's and the user's configuration out of the world's own git processes.
func gitEnv(home string) []string {
	return []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + home, "LC_ALL=C", "TZ=UTC",
		"GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=" + os.DevNull, "GIT_TERMINAL_PROMPT=0",
	}
}

// bare is a bare git repository on disk.
type bare struct {
	ctx context.Context // ends git when the world is closed
	dir string
	env []string
}

// gitError is a git command that failed.
type gitError struct {
	args   []string
	stderr string
	err    error
}

func (e *gitError) Error() string {
	return fmt.Sprintf("git %s: %v: %s", strings.Join(e.args, " "), e.err, e.stderr)
}

func (e *gitError) Unwrap() error { return e.err }

// run runs git on the repository and returns what it printed.
func (b *bare) run(stdin string, args ...string) (string, error) {
	cmd := exec.CommandContext(b.ctx, "git", append([]string{"--git-dir=" + b.dir}, args...)...)
	cmd.Env, cmd.Stdin, cmd.WaitDelay = b.env, strings.NewReader(stdin), 5*time.Second
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return "", &gitError{args, strings.TrimSpace(stderr.String()), err}
	}
	return stdout.String(), nil
}

// says runs a git command that answers by its exit status: 0 yes, 1 no, others are errors.
func (b *bare) says(args ...string) (bool, error) {
	_, err := b.run("", args...)
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.ExitCode() == 1 {
		return false, nil
	}
	return err == nil, err
}

// ref is a name in git and the object that it names, which may be a tag object.
type ref struct{ name, sha, kind string }

// refs lists all refs whose full name begins with prefix, such as refs/tags/v1.
func (b *bare) refs(prefix string) ([]ref, error) {
	out, err := b.run("", "for-each-ref", "--format=%(refname) %(objectname) %(objecttype)")
	if err != nil {
		return nil, err
	}
	var found []ref
	for line := range strings.Lines(out) {
		f := strings.Fields(line)
		if strings.HasPrefix(f[0], prefix) {
			found = append(found, ref{f[0], f[1], f[2]})
		}
	}
	return found, nil
}

// ref finds a ref by its full name.
func (b *bare) ref(name string) (ref, bool, error) {
	all, err := b.refs(name)
	if err != nil || len(all) == 0 || all[0].name != name {
		return ref{}, false, err
	}
	return all[0], true, nil
}

// kind is the type of an object, or "" if there is none.
func (b *bare) kind(sha string) (string, error) {
	if !fullSHA.MatchString(sha) {
		return "", nil
	}
	out, err := b.run(sha+"\n", "cat-file", "--batch-check=%(objecttype)")
	if kind := strings.TrimSpace(out); err == nil && !strings.HasSuffix(kind, "missing") {
		return kind, nil
	}
	return "", err
}

var (
	fullSHA  = regexp.MustCompile(`^[0-9a-f]{40}$`)
	shortSHA = regexp.MustCompile(`^[0-9a-f]{7,40}$`)
)

// commitOf finds the commit that a branch, a tag, a partial ref (heads/x) or a SHA names.
// What a user typed never reaches git as a revision expression.
func (b *bare) commitOf(name string) (string, bool, error) {
	candidates := []string{"refs/heads/" + name, "refs/tags/" + name, "refs/" + name}
	if name == "HEAD" || strings.HasPrefix(name, "refs/") {
		candidates = []string{name}
	}
	if shortSHA.MatchString(name) {
		candidates = append([]string{name}, candidates...)
	}
	for _, c := range candidates {
		if ok, err := b.says("check-ref-format", "--allow-onelevel", c); err != nil || !ok {
			return "", false, err
		}
		out, err := b.run("", "rev-parse", "--verify", "--quiet", "--end-of-options", c+"^{commit}")
		if err == nil {
			return strings.TrimSpace(out), true, nil
		}
		if exit := (*exec.ExitError)(nil); !errors.As(err, &exit) || exit.ExitCode() != 1 {
			return "", false, err
		}
	}
	return "", false, nil
}

var errRefExists = errors.New("reference already exists")

// createRef makes a ref, unless it exists: then the error is errRefExists.
func (b *bare) createRef(name, sha string) error {
	_, err := b.run("", "update-ref", name, sha, zeroSHA)
	if err == nil {
		return nil
	}
	if _, exists, lookErr := b.ref(name); lookErr == nil && exists {
		return errRefExists
	}
	return err
}
