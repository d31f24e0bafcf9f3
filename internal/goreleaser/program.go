package goreleaser

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"slices"
	"strings"
	"time"

	"golang.org/x/mod/modfile"

	"github.com/kubestellar/actions/internal/outcome"
	"github.com/kubestellar/actions/internal/report"
)

// Program is the goreleaser program and the place where it runs.
type Program struct {
	Command string    // goreleaser, looked up on PATH
	Dir     string    // the work tree
	Env     []string  // its whole environment
	Output  io.Writer // receives its output; nil discards it
}

// Stage names the places that a build for a release may push to.
type Stage struct {
	GitTag   string // the tag of the version
	Name     string // the images' tag is "staging-" and this name
	NoUpload bool   // goreleaser must not create or change a draft
}

// Check checks that the commands are on PATH that a build runs.
func (p Program) Check(c *Config) error {
	commands := []struct{ name, help string }{
		{p.Command, "`make tools` builds it"},
		{"go", "install Go, see go.mod for the version"},
	}
	for _, sbom := range c.SBOMs {
		commands = append(commands, struct{ name, help string }{
			cmp.Or(sbom.Command, "syft"), FileName + " uses it to create SBOMs"})
	}
	var errs []error
	for _, command := range commands {
		if _, err := exec.LookPath(command.name); err != nil {
			errs = append(errs, outcome.Usagef("no command %s found on PATH: %s", command.name, command.help))
		}
	}
	return errors.Join(errs...)
}

// Version returns the version of the program, or "of unknown version".
func (p Program) Version(ctx context.Context) string {
	out, err := exec.CommandContext(ctx, p.Command, "--version").Output()
	if err == nil {
		for line := range strings.Lines(string(out)) {
			if version, ok := strings.CutPrefix(line, "GitVersion:"); ok {
				return strings.TrimSpace(version)
			}
		}
	}
	return "of unknown version"
}

// Stage builds what the configuration describes. Images go to the staging tag, and files
// into the draft release.
func (p Program) Stage(ctx context.Context, c *Config, stage Stage) (Results, error) {
	env := []string{"STAGE=" + stage.Name, "GORELEASER_CURRENT_TAG=" + stage.GitTag}
	if stage.NoUpload {
		env = append(env, "RELEASE_PUBLISHED=true")
	}
	return p.build(ctx, c, env, "--skip=announce")
}

// fixed are the settings of go that change the bytes of a build. A user's own settings
// must not apply.
var fixed = []string{"GOFLAGS=-mod=readonly", "GOWORK=off", "GOAMD64=v1", "GOARM64=v8.0"}

// build runs goreleaser and reads its results. If a variable is set twice, the later
// value counts.
func (p Program) build(ctx context.Context, c *Config, env []string, options ...string) (Results, error) {
	toolchain, err := Toolchain(c.tree, c.folder)
	if err != nil {
		return Results{}, err
	}
	more := []string{"GOTOOLCHAIN=" + toolchain, "GORELEASER_FORCE_TOKEN=github"}
	if err := p.run(ctx, slices.Concat(p.Env, fixed, more, env), options); err != nil {
		return Results{}, err
	}
	return p.results(c)
}

func (p Program) run(ctx context.Context, env, options []string) error {
	var output bytes.Buffer
	args := append([]string{"release", "--clean", "--config", FileName}, options...)
	cmd := exec.CommandContext(ctx, p.Command, args...)
	cmd.Dir, cmd.Env, cmd.Stdout = p.Dir, env, &output
	if p.Output != nil {
		cmd.Stdout = io.MultiWriter(&output, p.Output)
	}
	cmd.Stderr = cmd.Stdout
	// goreleaser runs go and git. After an interrupt it ends them.
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 10 * time.Second
	if err := cmd.Run(); err != nil {
		return &buildError{err, report.LastLines(output.String(), 15)}
	}
	return nil
}

// buildError is the failure of goreleaser, with the end of its output.
type buildError struct {
	err    error
	output string
}

// Code returns outcome.Wrong: a commit that does not build cannot be released.
func (e *buildError) Code() outcome.Code { return outcome.Wrong }

func (e *buildError) Error() string {
	return fmt.Sprintf("goreleaser release: %v; the end of its output:\n%s", e.err, e.output)
}

func (e *buildError) Unwrap() error { return e.err }

// dockerRuns reports whether a Docker daemon answers, which stores a snapshot's images.
func (p Program) dockerRuns(ctx context.Context) bool {
	cmd := exec.CommandContext(ctx, "docker", "info")
	cmd.Env = p.Env
	return cmd.Run() == nil
}

// variables returns the program's environment by name.
func (p Program) variables() map[string]string {
	env := map[string]string{}
	for _, entry := range p.Env {
		name, value, _ := strings.Cut(entry, "=")
		env[name] = value
	}
	return env
}

// ModuleFolder returns the folder of the Go module that a folder belongs to, or the root.
func ModuleFolder(tree fs.FS, folder string) string {
	for dir := path.Clean(folder); dir != "."; dir = path.Dir(dir) {
		if _, err := fs.Stat(tree, path.Join(dir, "go.mod")); err == nil {
			return dir
		}
	}
	return ""
}

// Toolchain returns the Go toolchain that the go.mod of a folder pins. A newer toolchain
// produces other bytes. It returns "local" if there is no go.mod, or no toolchain in it.
func Toolchain(tree fs.FS, folder string) (string, error) {
	data, err := fs.ReadFile(tree, path.Join(ModuleFolder(tree, folder), "go.mod"))
	if errors.Is(err, fs.ErrNotExist) {
		return "local", nil
	}
	if err != nil {
		return "", err
	}
	file, err := modfile.Parse("go.mod", data, nil)
	if err != nil || file.Toolchain == nil {
		return "local", err
	}
	return file.Toolchain.Name, nil
}
