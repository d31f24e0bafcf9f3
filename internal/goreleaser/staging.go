package goreleaser

import (
	"errors"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/kubestellar/actions/internal/outcome"
)

// tags returns the tags that the entry pushes.
func (d dockerConfig) tags() []string {
	names := d.ImageTemplates
	if d.NameTemplate != "" {
		names = []string{d.NameTemplate}
	}
	tags := slices.Clone(d.Tags)
	for _, name := range names {
		tags = append(tags, tagOf(name))
	}
	if len(tags) == 0 {
		tags = []string{defaultTag}
	}
	return tags
}

// tagOf returns the tag of an image name. A registry may have a port, and a template may
// contain a colon.
func tagOf(name string) string {
	if i := strings.LastIndex(name, "/"); i >= 0 {
		name = name[i:]
	}
	if _, tag, ok := strings.Cut(name, ":"); ok {
		return tag
	}
	return defaultTag
}

// stagingTag matches the staging tag in a configuration, and stagingPartTag that of an
// image for one platform, which may have a suffix.
var (
	stagingTag     = regexp.MustCompile(`^staging-\{\{-?\s*\.Env\.STAGE\s*-?\}\}$`)
	stagingPartTag = regexp.MustCompile(`^staging-\{\{-?\s*\.Env\.STAGE\s*-?\}\}(-.+)?$`)
)

// harmlessSections are the sections that build something or configure a build. Any other
// section, including those of future versions, might publish.
// https://goreleaser.com/customization/
var harmlessSections = []string{
	"version", "project_name", "dist", "builds", "archives", "checksum", "signs", "binary_signs",
	"snapshot", "source", "universal_binaries", "upx", "before", "git", "gomod", "github_urls", "metadata",
	"report_sizes", "retry", "nfpms", "makeselfs", "docker_digest", "force_token", "notarize",
}

// CheckStaged checks that goreleaser publishes nothing under a final name. It may push
// images to the staging tag, and upload files to a draft release.
func (c *Config) CheckStaged() error {
	errs := []error{c.checkEnv("KO_DOCKER_REPO", "STAGE", "RELEASE_PUBLISHED")}
	for i, ko := range c.Kos {
		tags := ko.Tags
		if len(tags) == 0 {
			tags = []string{defaultTag}
		}
		if len(tags) > 1 || !stagingTag.MatchString(tags[0]) {
			errs = append(errs, outcome.Usagef(
				`%s: kos[%d] pushes the tags %s, want only the staging tag, `+
					`which is promoted once everything is checked: write tags: ["staging-{{ .Env.STAGE }}"]`,
				FileName, i, strings.Join(tags, ", ")))
		}
	}
	for _, section := range c.dockerSections() {
		errs = append(errs, section.checkStaged())
	}
	for _, name := range slices.Sorted(maps.Keys(c.Others)) {
		if !slices.Contains(harmlessSections, name) {
			errs = append(errs, outcome.Usagef(
				"%s: %s may publish before anything is checked: remove the section, "+
					"and do its work once the release is public", FileName, name))
		}
	}
	if !c.Release.Draft {
		errs = append(errs, outcome.Usagef(
			"%s: release.draft is not true, so the release would be public before anything is checked: "+
				"write release: {draft: true, use_existing_draft: true}", FileName))
	}
	return errors.Join(errs...)
}

// CheckNoUpload checks that goreleaser can leave the GitHub release to ghhelper. It must do so if it cannot know the
// release's tag, because its free edition takes only tags such as v1.2.3.
func (c *Config) CheckNoUpload(gitTag string) error {
	var errs []error
	wrong := func(saw, write string) {
		errs = append(errs, outcome.Usagef("%s: %s, but goreleaser cannot release the tag %s, "+
			"so ghhelper uploads its files: %s", FileName, saw, gitTag, write))
	}
	if disable := c.Release.Disable; disable != "true" && !strings.Contains(disable, "RELEASE_PUBLISHED") {
		wrong("release.disable does not depend on RELEASE_PUBLISHED",
			`write disable: '{{ isEnvSet "RELEASE_PUBLISHED" }}'`)
	}
	if len(c.Release.ExtraFiles) > 0 {
		wrong("it has release.extra_files", "declare each as an asset in delivery.yaml")
	}
	if use := c.Changelog.Use; use != "" && use != "git" {
		wrong("changelog.use is "+use, "write changelog: {use: git}")
	}
	return errors.Join(errs...)
}

// checkEnv checks that the configuration sets none of these variables. They decide where
// goreleaser pushes, and the configuration overrides the process environment.
func (c *Config) checkEnv(names ...string) error {
	var errs []error
	for _, name := range c.envNames() {
		if slices.Contains(names, name) {
			errs = append(errs, outcome.Usagef(
				"%s: env sets %s, so goreleaser would push to a place that is not checked: remove it", FileName, name))
		}
	}
	return errors.Join(errs...)
}

// dockerSection is one of the sections for Docker images.
type dockerSection struct {
	name    string
	entries []dockerConfig
}

func (c *Config) dockerSections() []dockerSection {
	return []dockerSection{
		{"dockers", c.Dockers},
		{"dockers_v2", c.DockersV2},
		{"docker_manifests", c.DockerManifests},
	}
}

func (s dockerSection) checkStaged() error {
	var errs []error
	for i, entry := range s.entries {
		if entry.SkipPush == "true" {
			continue
		}
		for _, tag := range entry.tags() {
			if !stagingPartTag.MatchString(tag) {
				errs = append(errs, outcome.Usagef(
					`%s: %s[%d] pushes the tag %s, want the staging tag, `+
						`which is promoted once everything is checked: write "staging-{{ .Env.STAGE }}" for it`,
					FileName, s.name, i, tag))
			}
		}
	}
	return errors.Join(errs...)
}
