package e2e_test

import (
	"archive/tar"
	"bytes"
	"debug/elf"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
)

// buildLocal runs the program of `make ko-build-local`. The given scripts replace commands on PATH.
func buildLocal(t *testing.T, commands map[string]string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	bin := t.TempDir()
	for name, script := range commands {
		if err := os.WriteFile(filepath.Join(bin, name), []byte("#!/usr/bin/env bash\n"+script), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	program := filepath.Join(bin, "ko-build-local")
	if out, err := exec.Command("go", "build", "-o", program, root+"/hack/ko-build-local").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	var out, errOut bytes.Buffer
	cmd := exec.Command(program, args...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = root, &out, &errOut
	cmd.Env = append(os.Environ(), "PATH="+bin+":"+os.Getenv("PATH"), "CGO_ENABLED=0", "KO_DEFAULTBASEIMAGE=registry.invalid/theirs", "KO_CONFIG_PATH=/nowhere")
	err := cmd.Run()
	if exit := new(exec.ExitError); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), out.String(), errOut.String()
}

const noDocker = "echo 'Cannot connect to the Docker daemon' >&2; exit 1\n"

// The real ko, without Docker and without a network.
func TestKoBuildLocalLeavesALayout(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("ko"); err != nil {
		t.Fatal("no command ko found on PATH: run the tests with `make test`, which builds it")
	}
	for arch, machine := range map[string]elf.Machine{"amd64": elf.EM_X86_64, "arm64": elf.EM_AARCH64} {
		t.Run(arch, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			code, out, errOut := buildLocal(t, map[string]string{"docker": noDocker}, "-arch", arch, "-commit", "0123abc", "-out", dir)
			if at := filepath.Join(dir, "ghhelper-linux-"+arch); code != 0 || out != at+"\n" {
				t.Fatalf("saw exit code %d and %q, want the path %s\n%s", code, out, at, errOut)
			}
			image := onlyImage(t, strings.TrimSpace(out))
			config, err := image.ConfigFile()
			if err != nil {
				t.Fatal(err)
			}
			if config.OS != "linux" || config.Architecture != arch || config.Config.User != "65532:65532" ||
				strings.Join(config.Config.Entrypoint, " ") != "/ko-app/ghhelper" {
				t.Errorf("saw %s/%s, user %q, entrypoint %q", config.OS, config.Architecture, config.Config.User, config.Config.Entrypoint)
			}
			files := filesOf(t, image)
			binary, err := elf.NewFile(bytes.NewReader(files["/ko-app/ghhelper"]))
			if err != nil || binary.Machine != machine {
				t.Errorf("/ko-app/ghhelper: saw %v, %v, want a program for %s", binary, err, machine)
			}
			if !bytes.Contains(files["/ko-app/ghhelper"], []byte("0123abc")) {
				t.Error("/ko-app/ghhelper does not know its commit")
			}
			if !strings.Contains(string(files["etc/passwd"]), "nonroot") {
				t.Error("saw no user nonroot in /etc/passwd, want our base image below")
			}
		})
	}
}

func onlyImage(t *testing.T, dir string) v1.Image {
	t.Helper()
	index, err := layout.ImageIndexFromPath(dir)
	if err != nil {
		t.Fatal(err)
	}
	manifest, err := index.IndexManifest()
	if err != nil || len(manifest.Manifests) != 1 {
		t.Fatalf("saw %+v, %v, want one image", manifest, err)
	}
	image, err := index.Image(manifest.Manifests[0].Digest)
	if err != nil {
		t.Fatal(err)
	}
	return image
}

func filesOf(t *testing.T, image v1.Image) map[string][]byte {
	t.Helper()
	content := mutate.Extract(image)
	defer content.Close()
	files := map[string][]byte{}
	for r := tar.NewReader(content); ; {
		header, err := r.Next()
		if errors.Is(err, io.EOF) {
			return files
		}
		if err != nil {
			t.Fatal(err)
		}
		if files[header.Name], err = io.ReadAll(r); err != nil {
			t.Fatal(err)
		}
	}
}

func TestKoBuildLocalLeavesImagesWithDocker(t *testing.T) {
	t.Parallel()
	ko := `echo "$KO_DOCKER_REPO ${KO_CONFIG_PATH-unset} $KO_DEFAULTBASEIMAGE" "$@" >&2`
	docker := `[[ $1 == info || "$*" == "image inspect ko.local/ghhelper:local" ]]`
	code, out, errOut := buildLocal(t, map[string]string{"docker": docker, "ko": ko}, "-arch", "arm64")
	if code != 0 || out != "ko.local/ghhelper:local\n" {
		t.Errorf("saw exit code %d and %q", code, out)
	}
	want(t, "ko", errOut, "ko.local unset 127.0.0.1:")
	want(t, "ko", errOut, " build --platform linux/arm64 --sbom none --base-import-paths --tags local ./cmd/ghhelper\n")
	code, out, errOut = buildLocal(t, map[string]string{"docker": `[[ $1 == info ]]`, "ko": ko}, "-arch", "arm64")
	if code == 0 || out != "" {
		t.Errorf("docker has no such image: saw exit code %d and %q", code, out)
	}
	want(t, "stderr", errOut, "docker has no image ko.local/ghhelper:local")
}

func TestKoBuildLocalFails(t *testing.T) {
	t.Parallel()
	for says, test := range map[string]struct{ arch, ko string }{
		`saw the architecture "riscv64", want amd64, arm64 or ppc64le`: {"riscv64", ""},
		"ko build --platform linux/amd64":                              {"amd64", "exit 3\n"},
	} {
		code, out, errOut := buildLocal(t, map[string]string{"docker": noDocker, "ko": test.ko}, "-arch", test.arch, "-out", t.TempDir())
		if code != 1 || out != "" {
			t.Errorf("saw exit code %d and %q, want 1 and nothing", code, out)
		}
		want(t, "stderr", errOut, says)
	}
}
