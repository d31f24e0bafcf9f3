package release

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"github.com/kubestellar/actions/internal/report"
	"io"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"go.yaml.in/yaml/v3"
	"golang.org/x/mod/modfile"

	"github.com/kubestellar/actions/internal/delivery"
	"github.com/kubestellar/actions/internal/gh"
	"github.com/kubestellar/actions/internal/oci"
	"github.com/kubestellar/actions/internal/outcome"
)

// configFile is goreleaser's own configuration in the repository.
const configFile = ".goreleaser.yaml"

// Builder runs goreleaser, which builds the images to a staging tag and the
// archives into a draft release.
type Builder struct {
	Command string   // goreleaser, found on PATH
	Dir     string   // the work tree
	Env     []string // the whole environment
}

// config is what we read of goreleaser's configuration.
type config struct {
	Dist            string         `yaml:"dist"`
	Env             []string       `yaml:"env"`
	Kos             []koConfig     `yaml:"kos"`
	Dockers         []dockerConfig `yaml:"dockers"`
	DockersV2       []dockerConfig `yaml:"dockers_v2"`
	DockerManifests []dockerConfig `yaml:"docker_manifests"`
	Release         struct {
		Draft   bool   `yaml:"draft"`
		Disable string `yaml:"disable"`
	} `yaml:"release"`
	// Others are all sections that have no field here.
	Others map[string]any `yaml:",inline"`
	SBOMs  []struct {
		Command string `yaml:"cmd"`
	} `yaml:"sboms"`
}

func (c config) repositories() []string {
	var all []string
	for _, ko := range c.Kos {
		all = append(all, ko.Repositories...)
	}
	return all
}

// bases are the images that ours are built on.
func (c config) bases() []string {
	var all []string
	for _, ko := range c.Kos {
		all = append(all, ko.BaseImage)
	}
	return slices.Compact(all)
}

// config reads the configuration; it is nil where there is none, and so
// nothing to build.
func (b Builder) config(tree fs.FS) (*config, error) {
	data, err := fs.ReadFile(tree, configFile)
	if errors.Is(err, fs.ErrNotExist) {
		if _, err := fs.Stat(tree, ".goreleaser.yml"); err == nil {
			return nil, outcome.Usagef(".goreleaser.yml: call it %s", configFile)
		}
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var c config
	if err := yaml.Unmarshal(data, &c); err != nil {
		return nil, outcome.Usagef("%s: %w", configFile, err)
	}
	return &c, nil
}

// Check tells whether the commands are there that the build runs.
func (b Builder) Check(c config) error {
	commands := []struct{ name, help string }{{b.Command, "`make tools` builds it"}, {"go", "install Go, see go.mod for the version"}}
	for _, sbom := range c.SBOMs {
		commands = append(commands, struct{ name, help string }{cmp.Or(sbom.Command, "syft"), configFile + " has the SBOMs made by it"})
	}
	var errs []error
	for _, command := range commands {
		if _, err := exec.LookPath(command.name); err != nil {
			errs = append(errs, outcome.Usagef("no command %s found on PATH: %s", command.name, command.help))
		}
	}
	return errors.Join(errs...)
}

// Built is what goreleaser made.
type Built struct {
	Images    map[string]string // repository → digest of the image
	Files     []BuiltFile       // archives, checksums, SBOMs: the release's assets
	Checksums []string          // the paths of those files that are checksums
}

// BuiltFile is one file that a release carries as an asset.
type BuiltFile struct{ Name, Path, Digest string }

// stageTag is what this commit's release of this version is pushed under
// before it is promoted; nobody else uses the name.
func (t *Train) stageTag(src source) string { return "staging-" + t.stageName(src) }

func (t *Train) stageName(src source) string {
	const enough = 12
	return t.Version.String() + "-" + src.commit[:enough]
}

// fixed is what a user's own settings must not change in what is built.
var fixed = []string{"GOFLAGS=-mod=readonly", "GOWORK=off", "GOAMD64=v1", "GOARM64=v8.0"}

// HasNothingToBuild tells whether a tree has no configuration to build by.
func HasNothingToBuild(tree fs.FS) bool {
	config, err := Builder{}.config(tree)
	return config == nil && err == nil
}

// Bases are the images (location@digest) that ours are built on, without our
// own base image, which building provides.
func (t *Train) Bases() ([]string, error) {
	config, err := t.Builder.config(t.Tree)
	if err != nil || config == nil {
		return nil, err
	}
	var others []string
	for _, base := range config.bases() {
		_, digest, _ := strings.Cut(base, "@")
		ours, err := ourBase(digest)
		if err != nil {
			return nil, err
		}
		if ours == nil {
			others = append(others, base)
		}
	}
	return others, nil
}

// Build builds the commit, to a staging tag and a draft, and does nothing else.
func (t *Train) Build(ctx context.Context) (Built, error) {
	src, err := t.look(ctx)
	if err != nil {
		return Built{}, err
	}
	built, _, err := t.build(ctx, src)
	return built, err
}

// build provides the draft and the base image, and has goreleaser build.
func (t *Train) build(ctx context.Context, src source) (Built, string, error) {
	release, err := t.ensureRelease(ctx, src)
	if err != nil {
		return Built{}, "", err
	}
	config, err := t.Builder.config(t.Tree)
	if err != nil || config == nil {
		return Built{}, "no " + configFile + ", nothing to build", err
	}
	for _, base := range config.bases() {
		if err := t.ensureBase(ctx, base); err != nil {
			return Built{}, "", err
		}
	}
	env, err := t.Builder.environment(t.Tree, "STAGE="+t.stageName(src), "GORELEASER_CURRENT_TAG="+t.Version.Tag())
	if err != nil {
		return Built{}, "", err
	}
	if !release.Draft {
		env = append(env, "RELEASE_PUBLISHED=true") // goreleaser would make a second draft
	}
	fmt.Fprintln(t.Log.Out, "  goreleaser builds; with cold caches that takes minutes")
	if err := t.Builder.run(ctx, t.Errors, env, "--skip=announce"); err != nil {
		return Built{}, "", err
	}
	built, err := t.Builder.read(*config)
	if err == nil {
		err = t.declaredImages(slices.Collect(maps.Keys(built.Images)))
	}
	return built, fmt.Sprintf("goreleaser built %s and %s", report.Count(len(built.Images), "image"), report.Count(len(built.Files), "file")), err
}

// ensureRelease is this version's release, or its draft, which it makes if
// there is neither. goreleaser would make one too, but repeats a request whose
// answer was lost, and so can make two.
func (t *Train) ensureRelease(ctx context.Context, src source) (*gh.Release, error) {
	repository := t.File.Own().Repository
	releases, err := t.Forge.Releases(ctx, repository, t.Version.Tag())
	if err != nil {
		return nil, err
	}
	var acted error
	if len(releases) == 0 {
		var made int64
		made, acted = t.Forge.CreateDraft(ctx, repository, t.Version.Tag(), src.commit)
		if acted == nil {
			acted = t.settleDrafts(ctx, made)
		}
	}
	release, looked := t.awaitRelease(ctx)
	if looked != nil {
		return nil, errors.Join(acted, looked)
	}
	return release, nil
}

// settleDrafts takes our new draft away again where another runner has made one
// before it: GitHub makes as many for one tag as it is asked for. The oldest one
// counts, so that each runner knows by itself what to do; and nobody deletes
// what another one has made. Who has the oldest one waits for the others.
func (t *Train) settleDrafts(ctx context.Context, made int64) error {
	repository := t.File.Own().Repository
	const tries = 5
	for i := 1; i <= tries; i++ {
		releases, err := t.Forge.Releases(ctx, repository, t.Version.Tag())
		if err != nil || len(releases) < 2 {
			return err
		}
		if slices.ContainsFunc(releases, func(r *gh.Release) bool { return !r.Draft || r.ID < made }) {
			return t.Forge.DeleteDraft(ctx, repository, made)
		}
		if err := wait(ctx, time.Duration(i)*time.Second/2); err != nil {
			return err
		}
	}
	return nil // currentRelease tells of two drafts
}

// wait passes a time, unless the context ends before.
func wait(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}

// awaitRelease looks for the release until GitHub's list, which may lag by
// some seconds, shows it: goreleaser goes by the list too.
func (t *Train) awaitRelease(ctx context.Context) (*gh.Release, error) {
	const tries = 5
	for i := 1; ; i++ {
		release, err := t.currentRelease(ctx)
		if err == nil || !errors.Is(err, errNoRelease) || i == tries {
			return release, err
		}
		if err := wait(ctx, time.Duration(i)*time.Second); err != nil {
			return nil, err
		}
	}
}

// publishedRelease is the GitHub release of this version if it is public.
func (t *Train) publishedRelease(ctx context.Context) (*gh.Release, error) {
	releases, err := t.Forge.Releases(ctx, t.File.Own().Repository, t.Version.Tag())
	for _, release := range releases {
		if !release.Draft {
			return release, err
		}
	}
	return nil, err
}

// mayBase: an image that ours are built on is named by digest, and is there,
// or is our own, which we make and may push.
func (t *Train) mayBase(ctx context.Context, base string) error {
	at, digest, pinned := strings.Cut(base, "@")
	if !pinned {
		return outcome.Usagef("%s: base_image %q is not named by digest: write it as %s@sha256:…", configFile, base, at)
	}
	_, err := t.Registry.Digest(ctx, at, digest)
	ours, ourErr := ourBase(digest)
	if ourErr == nil && ours != nil && errors.Is(err, oci.ErrAbsent) {
		return t.Registry.CheckPush(ctx, at)
	}
	if err = errors.Join(err, ourErr); err != nil {
		return fmt.Errorf("%s: base_image: %w", configFile, err)
	}
	return nil
}

// ensureBase pushes our own base image where the registry lacks it. It is
// found by digest, so nothing that anybody uses changes. Its tag only keeps it
// from being collected, and must not be of the form sha256-…, which names what
// refers to an image: https://github.com/opencontainers/distribution-spec/blob/main/spec.md#referrers-tag-schema
func (t *Train) ensureBase(ctx context.Context, base string) error {
	at, digest, _ := strings.Cut(base, "@")
	ours, err := ourBase(digest)
	if err != nil || ours == nil {
		return err
	}
	_, err = t.Registry.PushIndex(ctx, at, "base-"+strings.TrimPrefix(digest, "sha256:"), ours)
	return err
}

// ourBase is our own base image if the digest is its, else nil.
func ourBase(digest string) (v1.ImageIndex, error) {
	ours, err := oci.BaseImage()
	if err != nil {
		return nil, err
	}
	hash, err := ours.Digest()
	if err != nil || hash.String() != digest {
		return nil, err
	}
	return ours, nil
}

// Toolchain is the one that go.mod pins, exactly: a newer one gives other
// bytes. Without go.mod, or a toolchain in it, it is "local".
func Toolchain(tree fs.FS) (string, error) {
	data, err := fs.ReadFile(tree, "go.mod")
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

// environment is the one that goreleaser builds a commit's tree in. Of two values
// of a variable, the later one counts.
func (b Builder) environment(tree fs.FS, more ...string) ([]string, error) {
	toolchain, err := Toolchain(tree)
	return slices.Concat(b.Env, fixed, []string{"GOTOOLCHAIN=" + toolchain, "GORELEASER_FORCE_TOKEN=github"}, more), err
}

func (b Builder) run(ctx context.Context, w io.Writer, env []string, more ...string) error {
	var said bytes.Buffer
	cmd := exec.CommandContext(ctx, b.Command, append([]string{"release", "--clean", "--config", configFile}, more...)...)
	cmd.Dir, cmd.Env = b.Dir, env
	cmd.Stdout = io.MultiWriter(&said, w)
	cmd.Stderr = cmd.Stdout
	// goreleaser runs go and git; an interrupt lets it end them.
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 10 * time.Second
	if err := cmd.Run(); err != nil {
		return &BuildError{err, lastLines(said.String(), 15)}
	}
	return nil
}

// BuildError says that goreleaser failed, with its last words.
type BuildError struct {
	Err  error
	Said string
}

// Code of a failed build: whatever it says, it is not a release.
func (e *BuildError) Code() outcome.Code { return outcome.Wrong }

func (e *BuildError) Error() string {
	return fmt.Sprintf("goreleaser release: %v; its last words:\n%s", e.Err, e.Said)
}

func (e *BuildError) Unwrap() error { return e.Err }

func lastLines(text string, n int) string {
	lines := strings.Split(strings.TrimRight(text, "\n"), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}

// says reads one of the files in which goreleaser says what it did.
func (b Builder) says(c config, name string, into any) error {
	data, err := os.ReadFile(filepath.Join(b.Dir, cmp.Or(c.Dist, "dist"), name))
	if err == nil {
		err = json.Unmarshal(data, into)
	}
	if err != nil {
		return fmt.Errorf("reading what goreleaser built: %w", err)
	}
	return nil
}

// read reads what goreleaser says it made, from dist/artifacts.json.
func (b Builder) read(c config) (Built, error) {
	var artifacts []struct {
		Name, Path, Type string
		Extra            struct{ Digest string }
	}
	if err := b.says(c, "artifacts.json", &artifacts); err != nil {
		return Built{}, err
	}
	built := Built{Images: map[string]string{}}
	for _, a := range artifacts {
		switch a.Type {
		case "Docker Manifest", "Published Docker Image":
			built.Images[locationOf(a.Name)] = a.Extra.Digest
		case "Archive", "Checksum", "SBOM":
			file, err := describeFile(a.Name, filepath.Join(b.Dir, a.Path))
			if err != nil {
				return Built{}, err
			}
			built.Files = append(built.Files, file)
			if a.Type == "Checksum" {
				built.Checksums = append(built.Checksums, file.Path)
			}
		}
	}
	return built, nil
}

func describeFile(name, path string) (BuiltFile, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return BuiltFile{}, err
	}
	return BuiltFile{name, path, fmt.Sprintf("sha256:%x", sha256.Sum256(data))}, nil
}

// declaredImages holds what is built against what delivery.yaml declares: an
// image too many or too few is a mistake in one of the two files.
func (t *Train) declaredImages(built []string) error {
	own := t.File.Own()
	var errs []error
	declared := map[string]bool{}
	for _, name := range own.OfKind(delivery.Image) {
		at := own.Artifacts[name].At
		declared[at] = true
		if !slices.Contains(built, at) {
			errs = append(errs, outcome.Usagef("%s declares the image %s, but goreleaser builds no such: kos in %s must have it among its repositories, with the tag staging-{{.Env.STAGE}}", delivery.FileName, at, configFile))
		}
	}
	for _, at := range built {
		if !declared[at] {
			errs = append(errs, outcome.Usagef("goreleaser builds the image %s, which %s does not declare among the artifacts of %s", at, delivery.FileName, t.File.Self))
		}
	}
	return errors.Join(errs...)
}
