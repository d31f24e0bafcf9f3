// Command against-distribution releases and proves one small example twice: in a
// rehearsal's world, whose registry is ours, and against distribution's registry
// with authentication, and compares what comes out. It is run by hand:
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
	host  = "registry.example.com" // by which the example names its registry, whichever answers
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
		return fmt.Errorf("with the world's registry: %w", err)
	}
	got, err := theirs(filepath.Join(dir, "theirs"), program)
	if err != nil {
		return fmt.Errorf("with distribution's registry: %w", err)
	}
	if answer.ReplaceAllString(got, "") != answer.ReplaceAllString(want, "") {
		return fmt.Errorf("the proofs differ; of the world's registry:\n%s\nof distribution's:\n%s", want, got)
	}
	fmt.Printf("%s\nThe same with both registries, but for the words in which each says no.\n", got)
	return nil
}

// answer is what a registry says to whom it shows nothing.
var answer = regexp.MustCompile(`(?m): GET https://.*$`)

// ours releases in a world whose registry answers by that name, to nobody without
// credentials, and gives the proof.
func ours(dir string) (proof string, err error) {
	w, err := network.Start(filepath.Join(dir, "world"), network.Options{Registries: []string{host}})
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

// theirs does the same with distribution's registry, and then what must fail.
func theirs(dir, program string) (proof string, err error) {
	w, err := network.Start(filepath.Join(dir, "world"), network.Options{})
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

// stage is a clone of the example, and the environment that commands run in.
type stage struct {
	dir  string
	w    *network.Network
	here git.Repo
	more []byte // a certificate to trust
	err  error
}

func prepare(dir string, w *network.Network, secret string, certificate []byte) *stage {
	s := &stage{dir: dir, w: w, more: certificate, here: git.Repo{Dir: filepath.Join(dir, "clone")}}
	s.here.Env = append(w.Env(), "PATH="+os.Getenv("PATH"), "GOPROXY=off", "GOFLAGS=", "GOTOOLCHAIN=local", "CGO_ENABLED=0",
		"DOCKER_CONFIG="+filepath.Join(dir, "docker"), "SSL_CERT_FILE="+filepath.Join(dir, "trusted.pem"))
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

// trust puts the world's authority and the certificate into one file.
func (s *stage) trust() error {
	authority, err := os.ReadFile(filepath.Join(s.dir, "world", "ca.pem"))
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(s.dir, "trusted.pem"), slices.Concat(authority, s.more), 0o644)
}

// login writes docker's configuration, with the world's token for what the
// builder takes from ghcr.io.
func (s *stage) login(secret string) error {
	entry := func(secret string) string { return base64.StdEncoding.EncodeToString([]byte(user + ":" + secret)) }
	config := fmt.Sprintf(`{"auths": {%q: {"auth": %q}, "ghcr.io": {"auth": %q}}}`, host, entry(secret), entry(s.w.Token()))
	if err := os.MkdirAll(filepath.Join(s.dir, "docker"), 0o755); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(s.dir, "docker", "config.json"), []byte(config), 0o600)
}

// seed pushes the example as main, and its tag; always the same objects.
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
		{"init", "--quiet", "--initial-branch=main"}, {"remote", "add", "origin", "https://github.com/" + owned}, {"add", "."},
		{"commit", "--quiet", "--message", "Begin"}, {"tag", "--annotate", "--message", "First", "v0.1.0"}, {"push", "--quiet", "origin", "main", "v0.1.0"},
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

// ghhelper runs the command that is on PATH; its exit code is -1 if it did not run.
func (s *stage) ghhelper(args ...string) (said string, exit int) {
	cmd := exec.Command("ghhelper", args...)
	cmd.Dir, cmd.Env = s.here.Dir, s.here.Env
	out, err := cmd.CombinedOutput()
	if err != nil && cmd.ProcessState == nil {
		return err.Error(), -1
	}
	return string(out), cmd.ProcessState.ExitCode()
}

// released releases and proves. Nobody sees it without credentials, which is all
// that cannot be checked.
func (s *stage) released() (proof string, err error) {
	if s.err != nil {
		return "", s.err
	}
	if said, exit := s.ghhelper("release", "0.1.0", "--allow-private"); exit != 0 && exit != 3 || !strings.Contains(said, "✓ dispatch") {
		return "", fmt.Errorf("ghhelper release: exit code %d\n%s", exit, said)
	}
	proof, exit := s.ghhelper("prove", "tiny", "0.1.0")
	if exit != 3 || !strings.Contains(proof, " 0 refuted, 2 could not be checked") {
		return "", fmt.Errorf("ghhelper prove: exit code %d\n%s", exit, proof)
	}
	return proof, nil
}

type fixed struct{ authn.Authenticator }

func (f fixed) Resolve(authn.Resource) (authn.Authenticator, error) { return f.Authenticator, nil }

// refusesOtherBytes puts something else where the next release would go.
func (s *stage) refusesOtherBytes() error {
	transport, err := trusting(s.w, s.more)
	if err != nil {
		return err
	}
	registry := &oci.Registry{Keychain: fixed{&authn.Basic{Username: user, Password: password}}, Transport: transport}
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

// fails runs a command that must end with this exit code and say so.
func (s *stage) fails(code int, says string, args ...string) error {
	said, exit := s.ghhelper(args...)
	if exit != code || !strings.Contains(said, says) {
		return fmt.Errorf("ghhelper %s: exit code %d, want %d and %q:\n%s", strings.Join(args, " "), exit, code, says, said)
	}
	for line := range strings.Lines(said) {
		if strings.Contains(line, says) {
			fmt.Printf("ghhelper %s: exit code %d: %s\n", strings.Join(args, " "), exit, strings.TrimSpace(line))
		}
	}
	return nil
}
