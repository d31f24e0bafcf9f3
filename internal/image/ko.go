package image

import (
	"bytes"
	"context"
	"debug/buildinfo"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/kubestellar/actions/internal/oci"
	"github.com/kubestellar/actions/internal/outcome"
)

// The ko that builds, as tools/goreleaser pins it: another one gives other bytes.
const (
	koModule  = "github.com/google/ko"
	koVersion = "v0.18.2-0.20260407063826-ae9c7272d7de"
)

// commands tells whether those are there that the build runs.
func (j job) commands() error {
	if _, err := exec.LookPath("go"); err != nil {
		return outcome.Usagef("no command go found on PATH: install Go 1.21 or newer, which fetches the toolchain that builds")
	}
	path, err := exec.LookPath("ko")
	if err != nil {
		return outcome.Usagef("no command ko found on PATH: `make .tools/bin/ko` builds the pinned one")
	}
	info, err := buildinfo.ReadFile(path)
	if err != nil {
		return outcome.Usagef("%s does not say which version it is: `make .tools/bin/ko` builds the pinned one: %w", path, err)
	}
	for _, m := range append(info.Deps, &info.Main) {
		if m.Path == koModule && m.Version == koVersion {
			return nil
		}
	}
	return outcome.Usagef("%s is not ko %s, but %s %s, and another ko gives other bytes: `make .tools/bin/ko` builds the pinned one", path, koVersion, info.Main.Path, info.Main.Version)
}

// koConfig is what we write of https://ko.build/configuration/, as JSON, which is
// YAML.
type koConfig struct {
	Builds []koBuild `json:"builds"`
}

type koBuild struct {
	ID      string   `json:"id"`
	Main    string   `json:"main"`
	LDFlags []string `json:"ldflags"`
}

// layoutDir is where ko writes the image, below the source: it takes no path that
// could not be a repository's name.
const layoutDir = "ghhelper-layout"

// ko builds the image. It reaches no registry: it finds the base image in its
// cache and leaves a layout, from which we push.
func (j job) ko(ctx context.Context, dir string, src Source) (v1.ImageIndex, error) {
	source := filepath.Join(dir, sourceDir)
	base, err := oci.WriteBase(filepath.Join(dir, "cache", "img"))
	if err != nil {
		return nil, err
	}
	config, err := json.Marshal(koConfig{[]koBuild{{j.Component, j.artifact.Build.Package, j.artifact.Build.LDFlagsFor(j.Version)}}})
	if err != nil {
		return nil, err
	}
	if err := os.WriteFile(filepath.Join(dir, "ko.yaml"), config, 0o644); err != nil {
		return nil, err
	}
	epoch := strconv.FormatInt(src.Time.Unix(), 10)
	env := append(others(j.Env), "KO_CONFIG_PATH="+filepath.Join(dir, "ko.yaml"), "KO_DEFAULTBASEIMAGE="+base, "KO_DOCKER_REPO="+j.artifact.At,
		"KOCACHE="+filepath.Join(dir, "cache"), "SOURCE_DATE_EPOCH="+epoch, "KO_DATA_DATE_EPOCH="+epoch,
		"GOFLAGS=-mod=readonly -trimpath -buildvcs=false", "GOWORK=off", "CGO_ENABLED=0", "GOTOOLCHAIN="+j.Toolchain+"+auto", "GOEXPERIMENT=",
		"GOAMD64=v1", "GOARM64=v8.0", "GOPPC64=power8")
	if err := run(ctx, source, env, j.Errors, append(j.koArgs(src), j.artifact.Build.Package)); err != nil {
		return nil, err
	}
	return oci.ReadLayout(filepath.Join(source, layoutDir))
}

func (j job) koArgs(src Source) []string {
	args := []string{"build", "--bare", "--push=false", "--sbom=none", "--tags=built", "--oci-layout-path=" + layoutDir, "--platform=" + strings.Join(j.platforms, ",")}
	labels := j.labels(src)
	for _, key := range slices.Sorted(maps.Keys(labels)) {
		said := key + "=" + labels[key]
		args = append(args, "--image-label="+said, "--image-annotation="+said)
	}
	return args
}

// others are settings that are none of ko's, so that it has no user's.
func others(env []string) []string {
	return slices.DeleteFunc(slices.Clone(env), func(setting string) bool {
		return strings.HasPrefix(setting, "KO_") || strings.HasPrefix(setting, "KOCACHE=")
	})
}

func run(ctx context.Context, dir string, env []string, w io.Writer, args []string) error {
	var said bytes.Buffer
	cmd := exec.CommandContext(ctx, "ko", args...)
	cmd.Dir, cmd.Env = dir, env
	cmd.Stdout = io.MultiWriter(&said, w)
	cmd.Stderr = cmd.Stdout
	// ko runs go; an interrupt lets it end it.
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 10 * time.Second
	err := cmd.Run()
	if ctx.Err() != nil {
		return errors.Join(ctx.Err(), err)
	}
	if err != nil {
		const most = 4000
		text := strings.TrimSpace(said.String())
		return outcome.Wrongf("ko %s: %w; its last words:\n%s", strings.Join(args, " "), err, text[max(0, len(text)-most):])
	}
	return nil
}
