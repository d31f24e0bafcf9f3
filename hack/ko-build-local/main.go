// Command ko-build-local builds a single-platform Linux image of each of this
// repository's commands with ko, on the base image of releases. It loads the images
// into Docker or, if Docker is not running, writes them as OCI layouts, and prints
// their locations. `make ko-build-local` runs it. It needs no network if the modules
// are in the cache.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/registry"

	"github.com/kubestellar/actions/internal/oci"
)

func main() {
	arch := flag.String("arch", "", "the architecture of the images, in Go's names")
	commit := flag.String("commit", "", "the commit that the commands report as their version")
	out := flag.String("out", "dist/images", "the folder for OCI layouts")
	flag.Parse()
	if err := run(*arch, *commit, *out); err != nil {
		fmt.Fprintln(os.Stderr, "ko-build-local:", err)
		os.Exit(1)
	}
}

func run(arch, commit, out string) error {
	if arch != "amd64" && arch != "arm64" && arch != "ppc64le" {
		return fmt.Errorf("saw the architecture %q, want amd64, arm64 or ppc64le, those of our base image", arch)
	}
	mains, err := filepath.Glob("cmd/*/main.go")
	if err != nil || len(mains) == 0 {
		return errors.Join(err, errors.New("found no cmd/*/main.go: run this at the root of the repository"))
	}
	base, stop, err := serveBase()
	if err != nil {
		return fmt.Errorf("serving the base image: %w", err)
	}
	defer stop()
	b := builder{arch: arch, out: out, docker: dockerAnswers(), env: environment(base, commit)}
	for _, main := range mains {
		where, err := b.build(filepath.Base(filepath.Dir(main)))
		if err != nil {
			return err
		}
		fmt.Println(where)
	}
	return nil
}

// serveBase serves our base image on loopback, because ko only reads base images from
// registries. It returns the image's reference.
func serveBase() (name string, stop func(), err error) {
	image, err := oci.BaseImage()
	if err != nil {
		return "", nil, err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, err
	}
	server := &http.Server{Handler: registry.New(registry.Logger(log.New(io.Discard, "", 0)))}
	go server.Serve(listener) // returns after Close
	at := listener.Addr().String() + "/base"
	here := &oci.Registry{Keychain: authn.NewMultiKeychain(), Transport: http.DefaultTransport}
	digest, err := here.PushIndex(context.Background(), at, "base", image)
	if err != nil {
		server.Close()
		return "", nil, err
	}
	return at + "@" + digest, func() { server.Close() }, nil
}

// dockerAnswers reports whether a Docker daemon is running.
func dockerAnswers() bool { return exec.Command("docker", "info").Run() == nil }

// environment returns the environment for ko, without the user's settings for ko.
func environment(base, commit string) []string {
	var env []string
	for _, setting := range os.Environ() {
		if !strings.HasPrefix(setting, "KO_") && !strings.HasPrefix(setting, "KOCACHE=") {
			env = append(env, setting)
		}
	}
	flags := strings.TrimSpace(os.Getenv("GOFLAGS") + " -ldflags=-X=main.commit=" + commit)
	return append(env, "KO_DEFAULTBASEIMAGE="+base, "GOFLAGS="+flags)
}

type builder struct {
	arch, out string
	docker    bool
	env       []string
}

// build builds the image of one command and returns its location.
func (b builder) build(name string) (where string, err error) {
	args := []string{
		"build", "--platform", "linux/" + b.arch, "--sbom", "none", "--base-import-paths", "--tags", "local",
	}
	if b.docker {
		if err := b.ko("KO_DOCKER_REPO=ko.local", append(args, "./cmd/"+name)...); err != nil {
			return "", err
		}
		image := "ko.local/" + name + ":local"
		if out, err := exec.Command("docker", "image", "inspect", image).CombinedOutput(); err != nil {
			return "", fmt.Errorf("docker has no image %s after ko built it: %w: %s", image, err, out)
		}
		return image, nil
	}
	return b.layout(name, append(args, "--push=false"))
}

// layout has ko write an OCI layout and moves it to its final folder. ko only accepts
// paths that are also valid names of repositories, so it writes below dist first.
func (b builder) layout(name string, args []string) (where string, err error) {
	if err := os.MkdirAll("dist", 0o755); err != nil {
		return "", err
	}
	work, err := os.MkdirTemp("dist", "ko-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(work)
	made := filepath.Join(work, name)
	args = append(args, "--oci-layout-path", made, "./cmd/"+name)
	if err := b.ko("KO_DOCKER_REPO=none.invalid", args...); err != nil {
		return "", err
	}
	where, err = filepath.Abs(filepath.Join(b.out, name+"-linux-"+b.arch))
	if err != nil {
		return "", err
	}
	return where, errors.Join(os.RemoveAll(where), os.CopyFS(where, os.DirFS(made)))
}

// ko runs the command ko, with its whole output on standard error.
func (b builder) ko(repository string, args ...string) error {
	cmd := exec.Command("ko", args...)
	cmd.Env, cmd.Stdout, cmd.Stderr = append(b.env, repository), os.Stderr, os.Stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("ko %s: %w", strings.Join(args, " "), err)
	}
	return nil
}
