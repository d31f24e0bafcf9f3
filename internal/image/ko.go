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

// The pinned version of ko, as in tools/goreleaser. Another version produces other bytes.
const (
	koModule  = "github.com/google/ko"
	koVersion = "v0.18.2-0.20260407063826-ae9c7272d7de"
)

// commands checks the commands that the build runs.
func (j job) commands() error {
	const help = "`make .tools/bin/ko` builds the pinned version"
	if _, err := exec.LookPath("go"); err != nil {
		return outcome.Usagef("no command go found on PATH: install Go 1.21 or newer, which fetches the toolchain")
	}
	path, err := exec.LookPath("ko")
	if err != nil {
		return outcome.Usagef("no command ko found on PATH: %s", help)
	}
	info, err := buildinfo.ReadFile(path)
	if err != nil {
		return outcome.Usagef("%s contains no version: %s: %w", path, help, err)
	}
	for _, m := range append(info.Deps, &info.Main) {
		if m.Path == koModule && m.Version == koVersion {
			return nil
		}
	}
	return outcome.Usagef("%s is %s %s, want ko %s, because another version produces other bytes: %s",
		path, info.Main.Path, info.Main.Version, koVersion, help)
}

// koConfig is ko's configuration file, https://ko.build/configuration/. ghhelper writes it
// as JSON, which is valid YAML.
type koConfig struct {
	Builds []koBuild `json:"builds"`
}

type koBuild struct {
	ID      string   `json:"id"`
	Main    string   `json:"main"`
	LDFlags []string `json:"ldflags"`
}

// layoutDir is the folder for the image, below the source. ko accepts only paths that are
// also valid repository names.
const layoutDir = "ghhelper-layout"

// ko builds the image without a registry. It reads the base image from its cache, and
// writes an OCI layout.
func (j job) ko(ctx context.Context, dir string, src Source) (v1.ImageIndex, error) {
	source := filepath.Join(dir, sourceDir)
	base, err := oci.WriteBase(filepath.Join(dir, "cache", "img"))
	if err != nil {
		return nil, err
	}
	build := j.artifact.Build
	config, err := json.Marshal(koConfig{[]koBuild{{j.Component, build.Package, build.LDFlagsFor(j.Version)}}})
	if err != nil {
		return nil, err
	}
	if err := os.WriteFile(filepath.Join(dir, "ko.yaml"), config, 0o644); err != nil {
		return nil, err
	}
	epoch := strconv.FormatInt(src.Time.Unix(), 10)
	env := append(withoutKo(j.Env),
		"KO_CONFIG_PATH="+filepath.Join(dir, "ko.yaml"),
		"KO_DEFAULTBASEIMAGE="+base,
		"KO_DOCKER_REPO="+j.artifact.At,
		"KOCACHE="+filepath.Join(dir, "cache"),
		"SOURCE_DATE_EPOCH="+epoch,
		"KO_DATA_DATE_EPOCH="+epoch,
		"GOFLAGS=-mod=readonly -trimpath -buildvcs=false",
		"GOWORK=off",
		"CGO_ENABLED=0",
		"GOTOOLCHAIN="+j.Toolchain+"+auto",
		"GOEXPERIMENT=",
		"GOAMD64=v1",
		"GOARM64=v8.0",
		"GOPPC64=power8",
	)
	if err := j.run(ctx, source, env, append(j.koArgs(src), build.Package)); err != nil {
		return nil, err
	}
	return oci.ReadLayout(filepath.Join(source, layoutDir))
}

func (j job) koArgs(src Source) []string {
	args := []string{
		"build", "--bare", "--push=false", "--sbom=none", "--tags=built",
		"--oci-layout-path=" + layoutDir,
		"--platform=" + strings.Join(j.platforms, ","),
	}
	labels := j.labels(src)
	for _, key := range slices.Sorted(maps.Keys(labels)) {
		label := key + "=" + labels[key]
		args = append(args, "--image-label="+label, "--image-annotation="+label)
	}
	return args
}

// withoutKo returns an environment without the user's settings for ko.
func withoutKo(env []string) []string {
	return slices.DeleteFunc(slices.Clone(env), func(setting string) bool {
		return strings.HasPrefix(setting, "KO_") || strings.HasPrefix(setting, "KOCACHE=")
	})
}

func (j job) run(ctx context.Context, dir string, env, args []string) error {
	var output bytes.Buffer
	cmd := exec.CommandContext(ctx, "ko", args...)
	cmd.Dir, cmd.Env, cmd.Stdout = dir, env, &output
	if j.Output != nil {
		cmd.Stdout = io.MultiWriter(&output, j.Output)
	}
	cmd.Stderr = cmd.Stdout
	// ko runs go. After an interrupt it ends go.
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 10 * time.Second
	err := cmd.Run()
	if ctx.Err() != nil {
		return errors.Join(ctx.Err(), err)
	}
	if err != nil {
		const most = 4000
		text := strings.TrimSpace(output.String())
		return outcome.Wrongf("ko %s: %w; the end of its output:\n%s",
			strings.Join(args, " "), err, text[max(0, len(text)-most):])
	}
	return nil
}
