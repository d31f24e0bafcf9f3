// Command against-distribution releases and proves a small example twice and compares
// the results: once with the registry of a rehearsal, and once with the registry of
// github.com/distribution/distribution and authentication. It is run by hand:
//
//	go run ./hack/against-distribution REGISTRY
//
// REGISTRY is the program of github.com/distribution/distribution/v3/cmd/registry.
package main

import (
	"cmp"
	"context"
	"embed"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/v1/empty"

	"github.com/kubestellar/actions/internal/git"
	"github.com/kubestellar/actions/internal/oci"
	"github.com/kubestellar/actions/internal/rehearsal/forge"
	"github.com/kubestellar/actions/internal/rehearsal/network"
)

const (
	host  = "registry.example.com" // the example's name for both registries
	owned = "example/tiny"
	image = host + "/" + owned
	user  = "releaser"
)

//go:embed all:testdata
var example embed.FS

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: go run ./hack/against-distribution REGISTRY")
		os.Exit(2)
	}
	if err := run(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "against-distribution:", err)
		os.Exit(1)
	}
}

func run(program string) error {
	dir, err := os.MkdirTemp("", "against-distribution-*")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	want, err := ours(filepath.Join(dir, "ours"))
	if err != nil {
		return fmt.Errorf("with the rehearsal's registry: %w", err)
	}
	got, err := theirs(filepath.Join(dir, "theirs"), program)
	if err != nil {
		return fmt.Errorf("with distribution's registry: %w", err)
	}
	if answer.ReplaceAllString(got, "") != answer.ReplaceAllString(want, "") {
		return fmt.Errorf("the proofs differ: with the rehearsal's registry:\n%s\nwith distribution's:\n%s", want, got)
	}
	fmt.Printf("%s\nThe proofs are the same with both registries, except the registries' own error messages.\n", got)
	return nil
}

// answer matches the registry's error message for a request without credentials.
var answer = regexp.MustCompile(`(?m): GET https://.*$`)

// ours releases to the rehearsal's registry, which requires credentials, and returns
// the proof.
func ours(dir string) (proof string, err error) {
	w, err := network.Start(filepath.Join(dir, "network"), network.Options{Registries: []string{host}})
	if err != nil {
		return "", err
	}
	defer w.Close()
	registry, err := w.Registry(host)
	if err != nil {
		return "", err
	}
	for _, repository := range []string{owned, owned + "-chart"} {
		registry.SetPrivate(repository, true)
	}
	return prepare(dir, w, w.Token(), nil).released()
}

// theirs releases to distribution's registry and returns the proof. Then it checks
// that wrong bytes and wrong credentials are refused.
func theirs(dir, program string) (proof string, err error) {
	w, err := network.Start(filepath.Join(dir, "network"), network.Options{})
	if err != nil {
		return "", err
	}
	defer w.Close()
	server, err := start(program, dir)
	if err != nil {
		return "", err
	}
	defer server.stop()
	if err := w.Tunnel(host, server.addr); err != nil {
		return "", err
	}
	s := prepare(dir, w, password, server.certificate)
	if proof, err = s.released(); err != nil {
		return "", err
	}
	return proof, errors.Join(s.refusesOtherBytes(), s.refusesOtherPassword())
}

// stage is a clone of the example and the environment of commands in it.
type stage struct {
	dir  string
	w    *network.Network
	here git.Repo
	more []byte // the registry's certificate
	err  error
}

func prepare(dir string, w *network.Network, secret string, certificate []byte) *stage {
	s := &stage{dir: dir, w: w, more: certificate, here: git.Repo{Dir: filepath.Join(dir, "clone")}}
	s.here.Env = append(w.Env(),
		"PATH="+os.Getenv("PATH"),
		"GOPROXY=off", "GOFLAGS=", "GOTOOLCHAIN=local", "CGO_ENABLED=0",
		"DOCKER_CONFIG="+filepath.Join(dir, "docker"),
		"SSL_CERT_FILE="+filepath.Join(dir, "trusted.pem"),
	)
	for _, name := range []string{"GOCACHE", "GOMODCACHE", "GOPATH"} {
		out, err := exec.Command("go", "env", name).Output()
		s.err = cmp.Or(s.err, err)
		s.here.Env = append(s.here.Env, name+"="+strings.TrimSpace(string(out)))
	}
	s.err = errors.Join(s.err, w.Forge.CreateRepository(owned, forge.Repository{}), s.trust(), s.login(secret))
	if s.err == nil {
		s.err = s.seed()
	}
	return s
}

// trust writes the network's CA and the registry's certificate into one file.
func (s *stage) trust() error {
	authority, err := os.ReadFile(filepath.Join(s.dir, "network", "ca.pem"))
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(s.dir, "trusted.pem"), slices.Concat(authority, s.more), 0o644)
}

// login writes docker's configuration. It includes the token for ghcr.io, from which
// ko pulls the base image.
func (s *stage) login(secret string) error {
	entry := func(secret string) string { return base64.StdEncoding.EncodeToString([]byte(user + ":" + secret)) }
	const auths = `{"auths": {%q: {"auth": %q}, "ghcr.io": {"auth": %q}}}`
	config := fmt.Sprintf(auths, host, entry(secret), entry(s.w.Token()))
	if err := os.MkdirAll(filepath.Join(s.dir, "docker"), 0o755); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(s.dir, "docker", "config.json"), []byte(config), 0o600)
}

// seed pushes the example as main and its tag, with reproducible commits.
func (s *stage) seed() error {
	files, err := fs.Sub(example, "testdata")
	if err != nil {
		return err
	}
	if err := os.CopyFS(s.here.Dir, files); err != nil {
		return err
	}
	if err := os.Rename(filepath.Join(s.here.Dir, "go.mod.txt"), filepath.Join(s.here.Dir, "go.mod")); err != nil {
		return err
	}
	for _, args := range [][]string{
		{"init", "--quiet", "--initial-branch=main"},
		{"remote", "add", "origin", "https://github.com/" + owned},
		{"add", "."},
		{"commit", "--quiet", "--message", "Begin"},
		{"tag", "--annotate", "--message", "First", "v0.1.0"},
		{"push", "--quiet", "origin", "main", "v0.1.0"},
	} {
		if err := s.git(args...); err != nil {
			return err
		}
	}
	return nil
}

func (s *stage) git(args ...string) error {
	const when = "2026-01-02T03:04:05Z"
	repo := s.here
	repo.Env = append(slices.Clone(repo.Env), "GIT_AUTHOR_DATE="+when, "GIT_COMMITTER_DATE="+when)
	_, err := repo.Run(context.Background(), args...)
	return err
}

// ghhelper runs the ghhelper on PATH and returns its output and exit code, -1 if it
// did not start.
func (s *stage) ghhelper(args ...string) (output string, exit int) {
	cmd := exec.Command("ghhelper", args...)
	cmd.Dir, cmd.Env = s.here.Dir, s.here.Env
	out, err := cmd.CombinedOutput()
	if err != nil && cmd.ProcessState == nil {
		return err.Error(), -1
	}
	return string(out), cmd.ProcessState.ExitCode()
}

// released releases the example and returns its proof. The two checks that need access
// without credentials cannot succeed.
func (s *stage) released() (proof string, err error) {
	if s.err != nil {
		return "", s.err
	}
	output, exit := s.ghhelper("release", "0.1.0", "--allow-private")
	if exit != 0 && exit != 3 || !strings.Contains(output, "✓ dispatch") {
		return "", fmt.Errorf("ghhelper release: exit code %d\n%s", exit, output)
	}
	proof, exit = s.ghhelper("prove", "tiny", "0.1.0")
	if exit != 3 || !strings.Contains(proof, " 0 refuted, 2 could not be checked") {
		return "", fmt.Errorf("ghhelper prove: exit code %d\n%s", exit, proof)
	}
	return proof, nil
}

type fixed struct{ authn.Authenticator }

func (f fixed) Resolve(authn.Resource) (authn.Authenticator, error) { return f.Authenticator, nil }

// refusesOtherBytes pushes another image under the next release's tag and checks that
// the release fails.
func (s *stage) refusesOtherBytes() error {
	transport, err := trusting(s.w, s.more)
	if err != nil {
		return err
	}
	keychain := fixed{&authn.Basic{Username: user, Password: password}}
	registry := &oci.Registry{Keychain: keychain, Transport: transport}
	if _, err := registry.PushImage(context.Background(), image, "0.2.0", empty.Image); err != nil {
		return err
	}
	return s.fails(1, "is published already with other bytes", "release", "0.2.0", "--allow-private")
}

func (s *stage) refusesOtherPassword() error {
	if err := s.login("wrong"); err != nil {
		return err
	}
	return cmp.Or(
		s.fails(3, "no right to push to "+image, "release", "0.3.0", "--allow-private"),
		s.fails(3, "the credentials do not reach it (docker login "+host, "prove", "tiny", "0.1.0"))
}

// fails runs a command that must fail with this exit code and message.
func (s *stage) fails(code int, message string, args ...string) error {
	output, exit := s.ghhelper(args...)
	command := strings.Join(args, " ")
	if exit != code || !strings.Contains(output, message) {
		return fmt.Errorf("ghhelper %s: exit code %d, want %d and %q:\n%s", command, exit, code, message, output)
	}
	for line := range strings.Lines(output) {
		if strings.Contains(line, message) {
			fmt.Printf("ghhelper %s: exit code %d: %s\n", command, exit, strings.TrimSpace(line))
		}
	}
	return nil
}
