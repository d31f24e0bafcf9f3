// Package testkit is the harness that the tests share. Only tests import it.
package testkit

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"

	"github.com/kubestellar/actions/internal/git"
)

// Must ends the test if there is an error.
func Must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// Git runs git and returns its output without the last newline. It ends the test if git fails.
func Git(t testing.TB, repo git.Repo, args ...string) string {
	t.Helper()
	out, err := repo.Run(context.Background(), args...)
	Must(t, err)
	return out
}

// Dated returns the repository with a fixed date for commits, because equal files then give equal hashes.
func Dated(repo git.Repo) git.Repo {
	const when = "2026-01-02T03:04:05Z"
	repo.Env = append(slices.Clip(repo.Env), "GIT_AUTHOR_DATE="+when, "GIT_COMMITTER_DATE="+when)
	return repo
}

// Tool returns the path of a program that make builds before the tests. It ends the test if there is
// none, and skips the test if only unit tests are to run, as in `make check`.
func Tool(t testing.TB, name string) string {
	t.Helper()
	if testing.Short() {
		t.Skip("needs " + name + ": `make test` builds it and runs this")
	}
	path, err := exec.LookPath(name)
	if err != nil {
		t.Fatalf("%s is not on PATH: run the tests by `make test`, which builds it", name)
	}
	return path
}

// GoCaches returns the environment of a build that shares the caches of the test's own build.
var GoCaches = sync.OnceValues(func() ([]string, error) {
	names := []string{"GOCACHE", "GOMODCACHE", "GOPATH"}
	out, err := exec.Command("go", append([]string{"env"}, names...)...).Output()
	if err != nil {
		return nil, err
	}
	for i, value := range strings.Split(strings.TrimSpace(string(out)), "\n") {
		names[i] += "=" + value
	}
	return slices.Clip(names), nil
})

// GoEnv returns the environment of a build that takes nothing from the network. Such short builds collect
// less garbage.
func GoEnv(t testing.TB) []string {
	t.Helper()
	caches, err := GoCaches()
	Must(t, err)
	return append(caches, "PATH="+os.Getenv("PATH"), "GOPROXY=off", "GOFLAGS=", "GOTOOLCHAIN=local", "GOGC=400")
}

// Write writes a file and the folders above it.
func Write(t testing.TB, path, text string) {
	t.Helper()
	Must(t, os.MkdirAll(filepath.Dir(path), 0o755))
	Must(t, os.WriteFile(path, []byte(text), 0o644))
}

// Edit replaces a text in a file. It ends the test if the file does not contain it.
func Edit(t testing.TB, path, old, replacement string) {
	t.Helper()
	data, err := os.ReadFile(path)
	Must(t, err)
	if !bytes.Contains(data, []byte(old)) {
		t.Fatalf("%s does not contain %q", path, old)
	}
	Must(t, os.WriteFile(path, bytes.ReplaceAll(data, []byte(old), []byte(replacement)), 0o644))
}

// Login is a keychain with one password for every registry.
type Login string

// Resolve returns the password.
func (l Login) Resolve(authn.Resource) (authn.Authenticator, error) {
	return &authn.Basic{Username: "test", Password: string(l)}, nil
}

// NoWait returns at once, with the context's error if it has ended.
func NoWait(ctx context.Context, _ time.Duration) error { return ctx.Err() }
