package release

import (
	"errors"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/kubestellar/actions/internal/outcome"
)

// dockerConfig is what we read of goreleaser's sections for docker's images: all
// their forms, each with other keys for the names that it pushes.
// https://goreleaser.com/customization/
type dockerConfig struct {
	Images         []string `yaml:"images"`          // dockers_v2, with Tags
	Tags           []string `yaml:"tags"`            // dockers_v2
	ImageTemplates []string `yaml:"image_templates"` // dockers, and docker_manifests for what they hold
	NameTemplate   string   `yaml:"name_template"`   // docker_manifests
	SkipPush       string   `yaml:"skip_push"`       // dockers and docker_manifests
}

// tags that the entry pushes.
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

// defaultTag is what goreleaser pushes where its configuration names no tag.
const defaultTag = "latest"

// tagOf is the tag of an image's name, whose registry may have a port and whose
// templates a colon.
func tagOf(name string) string {
	if i := strings.LastIndex(name, "/"); i >= 0 {
		name = name[i:]
	}
	if _, tag, ok := strings.Cut(name, ":"); ok {
		return tag
	}
	return defaultTag
}

// stagingTag is how a configuration writes the tag under which nobody looks;
// images of one platform may say more behind it.
var (
	stagingTag     = regexp.MustCompile(`^staging-\{\{-?\s*\.Env\.STAGE\s*-?\}\}$`)
	stagingOfParts = regexp.MustCompile(`^staging-\{\{-?\s*\.Env\.STAGE\s*-?\}\}(-.+)?$`)
)

// harmlessSections are those that build, or say how; every other one, also one
// that goreleaser is yet to get, may put something where people see it.
// https://goreleaser.com/customization/
var harmlessSections = []string{"version", "project_name", "dist", "builds", "archives", "checksum", "signs", "binary_signs", "changelog", "snapshot",
	"source", "universal_binaries", "upx", "before", "git", "gomod", "github_urls", "metadata", "report_sizes", "retry", "nfpms", "makeselfs",
	"docker_digest", "force_token", "notarize"}

// staged: nothing that goreleaser does can be seen by a final name. It pushes
// images by the staging tag alone, from which they are promoted once all is
// checked, and leaves the release a draft.
func (c config) staged() error {
	errs := []error{c.foreignEnv("KO_DOCKER_REPO", "STAGE", "RELEASE_PUBLISHED")}
	for i, ko := range c.Kos {
		tags := ko.Tags
		if len(tags) == 0 {
			tags = []string{defaultTag}
		}
		if len(tags) > 1 || !stagingTag.MatchString(tags[0]) {
			errs = append(errs, outcome.Usagef(`%s: kos[%d] pushes the tags %s, want the staging tag alone, which is promoted once all is checked: write tags: ["staging-{{ .Env.STAGE }}"]`, configFile, i, strings.Join(tags, ", ")))
		}
	}
	for _, section := range c.dockerSections() {
		errs = append(errs, stagedDockers(section.name, section.entries))
	}
	for _, name := range slices.Sorted(maps.Keys(c.Others)) {
		if !slices.Contains(harmlessSections, name) {
			errs = append(errs, outcome.Usagef("%s: %s may publish before anything is checked: take the section out, and do what it does once the release is public", configFile, name))
		}
	}
	if !c.Release.Draft {
		errs = append(errs, outcome.Usagef("%s: release.draft is not true, so the release would be public before anything is checked: write release: {draft: true, use_existing_draft: true}", configFile))
	}
	return errors.Join(errs...)
}

// foreignEnv: none of the variables, which say what is pushed where, is set by the
// configuration, where goreleaser has it prevail over what it is started with.
func (c config) foreignEnv(names ...string) error {
	var errs []error
	for _, name := range c.envNames() {
		if slices.Contains(names, name) {
			errs = append(errs, outcome.Usagef("%s: env sets %s, by which goreleaser would push what nobody has looked at: take it out", configFile, name))
		}
	}
	return errors.Join(errs...)
}

func (c config) envNames() []string {
	var names []string
	for _, entry := range c.Env {
		name, _, _ := strings.Cut(entry, "=")
		names = append(names, strings.TrimSpace(name))
	}
	return names
}

// locationOf is the name of an image without its tag and digest. What is copied to
// a second repository is named by its tag.
func locationOf(name string) string {
	name, _, _ = strings.Cut(name, "@")
	host, path, _ := strings.Cut(name, "/")
	path, _, _ = strings.Cut(path, ":")
	return host + "/" + path
}

// dockerSection is one of goreleaser's sections for docker's images.
type dockerSection struct {
	name    string
	entries []dockerConfig
}

func (c config) dockerSections() []dockerSection {
	return []dockerSection{{"dockers", c.Dockers}, {"dockers_v2", c.DockersV2}, {"docker_manifests", c.DockerManifests}}
}

func stagedDockers(section string, entries []dockerConfig) error {
	var errs []error
	for i, entry := range entries {
		if entry.SkipPush == "true" {
			continue
		}
		for _, tag := range entry.tags() {
			if !stagingOfParts.MatchString(tag) {
				errs = append(errs, outcome.Usagef(`%s: %s[%d] pushes the tag %s, want the staging tag, which is promoted once all is checked: write "staging-{{ .Env.STAGE }}" for it`, configFile, section, i, tag))
			}
		}
	}
	return errors.Join(errs...)
}
