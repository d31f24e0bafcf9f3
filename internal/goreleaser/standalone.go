package goreleaser

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/kubestellar/actions/internal/decide"
	"github.com/kubestellar/actions/internal/delivery"
	"github.com/kubestellar/actions/internal/gh"
	"github.com/kubestellar/actions/internal/git"
	"github.com/kubestellar/actions/internal/oci"
	"github.com/kubestellar/actions/internal/outcome"
	"github.com/kubestellar/actions/internal/ref"
)

// Standalone runs goreleaser for a repository whose own workflow does the rest of a
// release. goreleaser pushes images to their final names before it does anything else.
// So their names and labels are checked before it runs, and again afterwards.
type Standalone struct {
	Repo   git.Repo
	Commit string // checked out in Repo
	Tree   fs.FS  // the commit's files, at the folder where goreleaser runs
	// Own has the repository with the version's tag, which images name as their source, and the form of its tags.
	Own delivery.Component
	// Server is the address of the Git server, https://github.com.
	Server string
	// Version is the version to release. Zero makes a snapshot and publishes nothing.
	Version  ref.Version
	Registry *oci.Registry // with the credentials that goreleaser uses
	Forge    *gh.Client
	Program  Program
}

// Run releases the version, or makes a snapshot. If the check of the published images
// fails, Run returns the result together with the error.
func (s Standalone) Run(ctx context.Context) (*Result, error) {
	config, err := Load(s.Tree, "")
	if err != nil {
		return nil, err
	}
	if config == nil {
		return nil, outcome.Usagef(
			"there is no %s in the commit %s: goreleaser init writes a first one", FileName, s.Commit)
	}
	if s.Version.IsZero() {
		return s.snapshot(ctx, config)
	}
	return s.release(ctx, config)
}

func (s Standalone) release(ctx context.Context, c *Config) (*Result, error) {
	images, err := s.checkConfig(c, s.Version)
	if err != nil {
		return nil, err
	}
	if err := s.preflight(ctx, c, images); err != nil {
		return nil, err
	}
	built, err := s.build(ctx, c, s.Version.String(), "GORELEASER_CURRENT_TAG="+s.gitTag(s.Version))
	if err != nil {
		return nil, err
	}
	return &Result{
		Version:   s.Version.String(),
		Commit:    s.Commit,
		Images:    built.Images,
		Checksums: built.checksumFile(),
		Notes:     []string{},
	}, s.confirm(ctx, images, built)
}

// snapshot builds the files of a release. It checks the configuration as a release does,
// so a pull request shows errors early.
func (s Standalone) snapshot(ctx context.Context, c *Config) (*Result, error) {
	versions, err := s.Repo.Versions(ctx, s.Own.Tagged)
	if err != nil {
		return nil, err
	}
	if _, err := s.checkConfig(c, next(versions)); err != nil {
		return nil, err
	}
	notes, err := s.caveats(ctx, len(versions))
	if err != nil {
		return nil, err
	}
	options := []string{"--snapshot"}
	if len(c.Kos) > 0 && !s.Program.dockerRuns(ctx) {
		options = append(options, "--skip=ko")
		notes = append(notes,
			"Docker does not answer, and goreleaser stores a snapshot's images there, so no image was built")
	}
	version, err := s.snapshotVersion(ctx)
	if err != nil {
		return nil, err
	}
	built, err := s.build(ctx, c, version, "STAGE=snapshot-"+s.Commit, options...)
	if err != nil {
		return nil, err
	}
	name, err := s.Program.version(c)
	return &Result{
		Version:   name,
		Commit:    s.Commit,
		Snapshot:  true,
		Images:    map[string]string{},
		Checksums: built.checksumFile(),
		Notes:     notes,
	}, err
}

// next returns a version that may be released after these.
func next(versions []ref.Version) ref.Version {
	if newest := ref.Newest(versions); !newest.IsZero() {
		return newest.Next()
	}
	first, _ := ref.ParseVersion("0.1.0")
	return first
}

// checkConfig checks the configuration and the commands. It returns the images that a
// release of the version pushes.
func (s Standalone) checkConfig(c *Config, v ref.Version) ([]image, error) {
	known := s.values(c, v)
	images, err := c.images(known)
	return images, errors.Join(s.Program.Check(c), err, c.checkLabels(s.labels(v), known))
}

// values omits the variables that have another value when goreleaser uses them.
func (s Standalone) values(c *Config, v ref.Version) values {
	env := s.Program.variables()
	set := []string{"LDFLAGS", "GOFLAGS", "COMMIT_TIME", "SOURCE_DATE_EPOCH", "KO_DOCKER_REPO"}
	for _, name := range append(c.envNames(), set...) {
		delete(env, name)
	}
	if s.Version.IsZero() {
		env["STAGE"] = "snapshot-" + s.Commit
	}
	return values{"Version": v.String(), "Tag": s.gitTag(v), "FullCommit": s.Commit, "Commit": s.Commit,
		"Env": env}
}

func (s Standalone) gitTag(v ref.Version) string { return s.Own.GitTag(v) }

// labels returns the labels that prove requires of an image.
func (s Standalone) labels(v ref.Version) []label {
	usual := "https://github.com/" + s.Own.Repository
	return []label{
		{oci.KeySource, []string{usual, s.Server + "/" + s.Own.Repository}, usual},
		{oci.KeyRevision, []string{s.Commit}, `"{{ .FullCommit }}"`},
		{oci.KeyVersion, []string{v.String()}, `"{{ .Version }}"`},
	}
}

// build runs goreleaser. LDFLAGS gets the version and the commit, before the caller's
// own LDFLAGS. env is one more variable.
func (s Standalone) build(ctx context.Context, c *Config, version, env string, options ...string) (Results, error) {
	at, err := s.Repo.CommitTime(ctx, s.Commit)
	if err != nil {
		return Results{}, err
	}
	ldflags := fmt.Sprintf("-s -w -X main.version=%s -X main.commit=%s %s",
		version, s.Commit, s.Program.variables()["LDFLAGS"])
	return s.Program.build(ctx, c, []string{
		"GOFLAGS=-mod=readonly -trimpath -buildvcs=false",
		"LDFLAGS=" + strings.TrimSpace(ldflags),
		"COMMIT_TIME=" + at.UTC().Format(time.RFC3339),
		"SOURCE_DATE_EPOCH=" + strconv.FormatInt(at.Unix(), 10),
		"KO_DOCKER_REPO=",
		env,
	}, options...)
}

// plainVersion matches a version that needs no quotes in the linker's flags.
var plainVersion = regexp.MustCompile(`^[0-9A-Za-z.+-]+$`)

// snapshotVersion returns the version for the programs of a snapshot: that of
// git describe, or the commit.
func (s Standalone) snapshotVersion(ctx context.Context) (string, error) {
	text, err := s.Repo.Describe(ctx, s.gitTag(ref.Version{}))
	text = strings.TrimPrefix(text, s.gitTag(ref.Version{}))
	if err != nil || plainVersion.MatchString(text) {
		return text, err
	}
	return s.Commit, nil
}

// caveats returns the ways in which the snapshot differs from a release of the commit.
func (s Standalone) caveats(ctx context.Context, versions int) ([]string, error) {
	dirty, dirtyErr := s.Repo.Dirty(ctx)
	shallow, shallowErr := s.Repo.Shallow(ctx)
	notes := []string{}
	for _, finding := range decide.CleanTree(dirty) {
		notes = append(notes, "the snapshot contains more than the commit: "+finding.Saw)
	}
	if shallow {
		notes = append(notes,
			"the clone is shallow, so earlier versions are missing: give actions/checkout fetch-depth: 0")
	}
	if versions == 0 {
		notes = append(notes, fmt.Sprintf("no tag %s* was found, so goreleaser names the snapshot after "+
			"version 0.0.0", s.gitTag(ref.Version{})))
	}
	return notes, errors.Join(dirtyErr, shallowErr)
}
