package release

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/kubestellar/actions/internal/decide"
	"github.com/kubestellar/actions/internal/gh"
	"github.com/kubestellar/actions/internal/git"
	"github.com/kubestellar/actions/internal/oci"
	"github.com/kubestellar/actions/internal/outcome"
	"github.com/kubestellar/actions/internal/ref"
	"github.com/kubestellar/actions/internal/report"
	"github.com/kubestellar/actions/internal/tag"
)

// Goreleaser runs goreleaser by itself, for a repository whose own workflow does the
// rest of a release. goreleaser pushes images to their final names, and before all
// else; so what those are, and what the images say of themselves, is held to what it
// must be before it runs, and looked at again afterwards.
type Goreleaser struct {
	Repo   git.Repo
	Commit string // that is checked out in Repo
	Tree   fs.FS  // of the commit, at the folder that goreleaser runs in
	// Repository (owner/name) has the version's tag, and is what images name as
	// their source.
	Repository string
	// Server is where repositories are served, https://github.com.
	Server string
	// Version is released; zero is a snapshot, which publishes nothing.
	Version  ref.Version
	Registry *oci.Registry // with the credentials of goreleaser, which pushes
	Forge    *gh.Client
	Builder  Builder
	Errors   io.Writer // what goreleaser says of itself
}

// Run releases the version, or makes a snapshot. What goreleaser says that it made is
// told beside an error of the look at it, too.
func (g Goreleaser) Run(ctx context.Context) (*Packaged, error) {
	config, err := g.Builder.config(g.Tree)
	if err != nil {
		return nil, err
	}
	if config == nil {
		return nil, outcome.Usagef("there is no %s in the commit %s: goreleaser init writes one to begin with", configFile, g.Commit)
	}
	if g.Version.IsZero() {
		return g.snapshot(ctx, *config)
	}
	return g.release(ctx, *config)
}

func (g Goreleaser) release(ctx context.Context, c config) (*Packaged, error) {
	images, err := g.configured(c, g.Version)
	if err != nil {
		return nil, err
	}
	if err := g.mayRelease(ctx, c, images); err != nil {
		return nil, err
	}
	built, err := g.build(ctx, c, g.Version.String(), "GORELEASER_CURRENT_TAG="+g.Version.Tag())
	if err != nil {
		return nil, err
	}
	done := &Packaged{Version: g.Version.String(), Commit: g.Commit, Images: built.Images, Checksums: built.checksums(), Notes: []string{}}
	return done, g.confirm(ctx, images, built)
}

// snapshot builds what a release would, and holds the configuration to what a
// release must be, while there is time to correct it.
func (g Goreleaser) snapshot(ctx context.Context, c config) (*Packaged, error) {
	versions, err := g.Repo.Versions(ctx)
	if err != nil {
		return nil, err
	}
	if _, err := g.configured(c, next(versions)); err != nil {
		return nil, err
	}
	notes, err := g.caveats(ctx, len(versions))
	if err != nil {
		return nil, err
	}
	options := []string{"--snapshot"}
	if len(c.Kos) > 0 && !g.Builder.dockerAnswers(ctx) {
		options = append(options, "--skip=ko")
		notes = append(notes, "no Docker answers, with which goreleaser leaves a snapshot's images, so none was built")
	}
	said, err := g.said(ctx)
	if err != nil {
		return nil, err
	}
	built, err := g.build(ctx, c, said, "STAGE=snapshot-"+g.Commit, options...)
	if err != nil {
		return nil, err
	}
	var made struct{ Version string }
	err = g.Builder.says(c, "metadata.json", &made)
	return &Packaged{Version: made.Version, Commit: g.Commit, Snapshot: true, Images: map[string]string{}, Checksums: built.checksums(), Notes: notes}, err
}

// next is a version that may be released after these.
func next(versions []ref.Version) ref.Version {
	if newest := ref.Newest(versions); !newest.IsZero() {
		return newest.Next()
	}
	first, _ := ref.ParseVersion("0.1.0")
	return first
}

// configured are the images that a release of a version would push, if all of the
// configuration is as it must be.
func (g Goreleaser) configured(c config, v ref.Version) ([]pushed, error) {
	known := g.values(c, v)
	images, err := c.pushes(known)
	return images, errors.Join(g.Builder.Check(c), err, c.labelled(g.labels(v), known))
}

// values has none of the variables that are others by the time that goreleaser uses them.
func (g Goreleaser) values(c config, v ref.Version) values {
	env := g.Builder.variables()
	for _, name := range append(c.envNames(), "LDFLAGS", "GOFLAGS", "COMMIT_TIME", "SOURCE_DATE_EPOCH", "KO_DOCKER_REPO") {
		delete(env, name)
	}
	if g.Version.IsZero() {
		env["STAGE"] = "snapshot-" + g.Commit
	}
	return values{"Version": v.String(), "Tag": v.Tag(), "FullCommit": g.Commit, "Commit": g.Commit, "Env": env}
}

func (b Builder) variables() map[string]string {
	env := map[string]string{}
	for _, entry := range b.Env {
		name, value, _ := strings.Cut(entry, "=")
		env[name] = value
	}
	return env
}

// labels are those that prove asks of an image.
func (g Goreleaser) labels(v ref.Version) []label {
	usual := "https://github.com/" + g.Repository
	return []label{
		{oci.KeySource, []string{usual, g.Server + "/" + g.Repository}, usual},
		{oci.KeyRevision, []string{g.Commit}, `"{{ .FullCommit }}"`},
		{oci.KeyVersion, []string{v.String()}, `"{{ .Version }}"`},
	}
}

// mayRelease asks all that can be asked before anything is published, and tells all
// that is wrong.
func (g Goreleaser) mayRelease(ctx context.Context, c config, images []pushed) error {
	state, err := g.gitState(ctx)
	errs := []error{err}
	for _, image := range images {
		taken, err := g.taken(ctx, image)
		state = append(state, taken...)
		errs = append(errs, err, g.Registry.CheckPush(ctx, image.at))
	}
	if c.Release.Disable != "true" {
		public, err := g.public(ctx)
		state = append(state, public...)
		errs = append(errs, err, g.Forge.CheckWrite(ctx, g.Repository))
	}
	return errors.Join(decide.Found(state), errors.Join(errs...))
}

// public: no release of the tag is public yet, whose assets goreleaser may replace.
func (g Goreleaser) public(ctx context.Context) ([]decide.Finding, error) {
	releases, err := g.Forge.Releases(ctx, g.Repository, g.Version.Tag())
	var findings []decide.Finding
	for _, r := range releases {
		if !r.Draft {
			findings = append(findings, decide.Finding{Rule: "published", Saw: "release " + r.URL + ", which is public", Want: "none, or a draft", Help: "take the next version"})
		}
	}
	return findings, err
}

// gitState: the tree is clean, the clone is whole, and the tag is on this commit,
// here and in the repository.
func (g Goreleaser) gitState(ctx context.Context) ([]decide.Finding, error) {
	name := g.Version.Tag()
	findings, dirtyErr := cleanTree(ctx, g.Repo)
	shallow, shallowErr := g.Repo.Shallow(ctx)
	here, hereErr := g.Repo.LocalTag(ctx, name)
	there, thereErr := g.Repo.RemoteTag(ctx, git.Remote(g.Server+"/"+g.Repository), name)
	if err := errors.Join(dirtyErr, shallowErr, hereErr, thereErr); err != nil {
		return findings, err
	}
	if shallow {
		findings = append(findings, decide.Finding{Rule: "whole-clone", Saw: "a shallow clone", Want: "the whole history, which the change log is made of",
			Help: "fetch it by git fetch --unshallow; in a workflow, give actions/checkout fetch-depth: 0"})
	}
	if there == "" {
		findings = append(findings, decide.Finding{Rule: "tagged", Saw: "no tag " + name + " at " + g.Repository, Want: "it, on " + g.Commit, Help: "push it first: what is released is a tag"})
	}
	if here == "" {
		findings = append(findings, decide.Finding{Rule: "tagged", Saw: "no tag " + name + " here", Want: "it, on " + g.Commit,
			Help: "fetch it by git fetch --tags; in a workflow, give actions/checkout fetch-depth: 0"})
	}
	moves := tag.Moves(g.Version, g.Commit, map[string]string{"here": here, "at " + g.Repository: there})
	return append(findings, moves...), nil
}

// taken finds the names of an image that are published already. goreleaser would
// overwrite them, and whether with the same bytes shows only afterwards.
func (g Goreleaser) taken(ctx context.Context, image pushed) ([]decide.Finding, error) {
	var findings []decide.Finding
	var errs []error
	for _, name := range image.tags {
		digest, err := g.Registry.Digest(ctx, image.at, name)
		switch {
		case errors.Is(err, oci.ErrAbsent):
		case err != nil:
			errs = append(errs, err)
		default:
			findings = append(findings, decide.Finding{Rule: "published", Saw: fmt.Sprintf("image %s:%s, published already as %s", image.at, name, digest), Want: "no such image, since goreleaser would overwrite it",
				Help: "take the next version; if a run before stopped half way and nobody has the image, delete it in the registry and run this again"})
		}
	}
	return findings, errors.Join(errs...)
}

// build runs goreleaser. said is the version that programs get from LDFLAGS, to which
// what the caller has in LDFLAGS is added.
func (g Goreleaser) build(ctx context.Context, c config, said, more string, options ...string) (Built, error) {
	at, err := g.Repo.CommitTime(ctx, g.Commit)
	if err != nil {
		return Built{}, err
	}
	ldflags := fmt.Sprintf("-s -w -X main.version=%s -X main.commit=%s %s", said, g.Commit, g.Builder.variables()["LDFLAGS"])
	env, err := g.Builder.environment(g.Tree, "GOFLAGS=-mod=readonly -trimpath -buildvcs=false", "LDFLAGS="+strings.TrimSpace(ldflags),
		"COMMIT_TIME="+at.UTC().Format(time.RFC3339), "SOURCE_DATE_EPOCH="+strconv.FormatInt(at.Unix(), 10), "KO_DOCKER_REPO=", more)
	if err != nil {
		return Built{}, err
	}
	if err := g.Builder.run(ctx, g.Errors, env, options...); err != nil {
		return Built{}, err
	}
	return g.Builder.read(c)
}

// plainVersion is one that needs no quotes among a linker's flags.
var plainVersion = regexp.MustCompile(`^[0-9A-Za-z.+-]+$`)

// said is what a snapshot's programs say of their version.
func (g Goreleaser) said(ctx context.Context) (string, error) {
	text, err := g.Repo.Describe(ctx)
	if err != nil || plainVersion.MatchString(text) {
		return strings.TrimPrefix(text, "v"), err
	}
	return g.Commit, nil
}

// caveats are what makes a snapshot differ from a release of the commit.
func (g Goreleaser) caveats(ctx context.Context, versions int) ([]string, error) {
	dirty, dirtyErr := cleanTree(ctx, g.Repo)
	shallow, shallowErr := g.Repo.Shallow(ctx)
	notes := []string{}
	for _, finding := range dirty {
		notes = append(notes, "the snapshot is of more than the commit: "+finding.Saw)
	}
	if shallow {
		notes = append(notes, "the clone is shallow, so that versions before are not seen: give actions/checkout fetch-depth: 0")
	}
	if versions == 0 {
		notes = append(notes, "there is no tag v* here, so goreleaser counts the snapshot from 0.0.0")
	}
	return notes, errors.Join(dirtyErr, shallowErr)
}

// dockerAnswers tells whether there is a Docker daemon to leave images with.
func (b Builder) dockerAnswers(ctx context.Context) bool {
	cmd := exec.CommandContext(ctx, "docker", "info")
	cmd.Env = b.Env
	return cmd.Run() == nil
}

// confirm looks at what was pushed: each image is there by all of its names, and says
// what it is built from.
func (g Goreleaser) confirm(ctx context.Context, images []pushed, built Built) error {
	var errs []error
	for _, image := range images {
		digest := built.Images[image.at]
		if digest == "" {
			errs = append(errs, outcome.Wrongf("goreleaser does not tell of the image %s, which %s has it push", image.at, configFile))
			continue
		}
		errs = append(errs, g.named(ctx, image, digest), g.says(ctx, image.at, digest))
	}
	return errors.Join(errs...)
}

// named: each tag, which was free before, holds what was pushed.
func (g Goreleaser) named(ctx context.Context, image pushed, digest string) error {
	var errs []error
	for _, name := range image.tags {
		got, err := g.Registry.Digest(ctx, image.at, name)
		if err == nil && got != digest {
			err = outcome.Wrongf("%s:%s was free, goreleaser pushed %s there, and now it is %s: somebody else pushed at the same time; let one runner at a time release a version", image.at, name, digest, got)
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// says: the image of each platform has the labels that it must have, and its manifest
// says nothing else.
func (g Goreleaser) says(ctx context.Context, at, digest string) error {
	d, err := g.Registry.Describe(ctx, at, digest)
	if err != nil {
		return err
	}
	if len(d.Each) == 0 {
		return outcome.Wrongf("%s@%s is no image: it is for no platform", at, digest)
	}
	var errs []error
	for _, l := range g.labels(g.Version) {
		for _, p := range d.Each {
			errs = append(errs, l.wrong(at, digest, "label", " of "+p.Name, p.Labels[l.key]))
		}
		if annotated, there := d.Annotations[l.key]; there {
			errs = append(errs, l.wrong(at, digest, "annotation", "", annotated))
		}
	}
	return errors.Join(errs...)
}

func (l label) wrong(at, digest, what, of, got string) error {
	if slices.Contains(l.right, got) {
		return nil
	}
	return outcome.Wrongf("%s@%s is published, and its %s %s%s is %q, want %q: take the next version, and in kos of %s %s",
		at, digest, what, l.key, of, report.Plain(ref.Shorten(got)), l.right[0], configFile, l.help())
}

// checksums is the file of checksums, "" if there is not exactly one.
func (b Built) checksums() string {
	if len(b.Checksums) != 1 {
		return ""
	}
	return b.Checksums[0]
}
