// Package goreleaser reads goreleaser's configuration, runs goreleaser, and reads its
// results. No other package knows goreleaser's file formats, flags or variables.
package goreleaser

import (
	"bytes"
	"errors"
	"io/fs"
	"path"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/kubestellar/actions/internal/outcome"
)

// FileName is the name of goreleaser's configuration file.
const FileName = ".goreleaser.yaml"

// defaultTag is the image tag that goreleaser uses if its configuration has none.
const defaultTag = "latest"

// Config is a repository's goreleaser configuration, as far as ghhelper reads it.
type Config struct {
	Dist            string         `yaml:"dist"`
	Env             []string       `yaml:"env"`
	Kos             []koConfig     `yaml:"kos"`
	Dockers         []dockerConfig `yaml:"dockers"`
	DockersV2       []dockerConfig `yaml:"dockers_v2"`
	DockerManifests []dockerConfig `yaml:"docker_manifests"`
	Changelog       struct {
		Use string `yaml:"use"`
	} `yaml:"changelog"`
	Release struct {
		Draft      bool   `yaml:"draft"`
		Disable    string `yaml:"disable"`
		ExtraFiles []any  `yaml:"extra_files"`
	} `yaml:"release"`
	SBOMs []struct {
		Command string `yaml:"cmd"`
	} `yaml:"sboms"`
	// Others are the sections without a field above.
	Others map[string]any `yaml:",inline"`

	tree   fs.FS // the tree that contains the configuration
	folder string
}

// koConfig is an entry of kos: an image that goreleaser builds and pushes with ko.
// https://goreleaser.com/customization/ko/
type koConfig struct {
	BaseImage    string            `yaml:"base_image"`
	Repository   string            `yaml:"repository"` // the older form of Repositories
	Repositories []string          `yaml:"repositories"`
	Bare         bool              `yaml:"bare"`
	Tags         []string          `yaml:"tags"`
	Labels       map[string]string `yaml:"labels"`
	Disable      string            `yaml:"disable"`
	SBOM         string            `yaml:"sbom"`
}

// dockerConfig is an entry of any of the sections for Docker images. Each section uses
// other keys for the names that it pushes.
// https://goreleaser.com/customization/
type dockerConfig struct {
	Images         []string `yaml:"images"`          // dockers_v2, with Tags
	Tags           []string `yaml:"tags"`            // dockers_v2
	ImageTemplates []string `yaml:"image_templates"` // dockers; in docker_manifests, the parts
	NameTemplate   string   `yaml:"name_template"`   // docker_manifests
	SkipPush       string   `yaml:"skip_push"`       // dockers and docker_manifests
}

// Load reads the configuration in a folder of a tree. It returns nil if the folder has none.
func Load(tree fs.FS, folder string) (*Config, error) {
	data, err := fs.ReadFile(tree, path.Join(folder, FileName))
	if errors.Is(err, fs.ErrNotExist) {
		if _, err := fs.Stat(tree, path.Join(folder, ".goreleaser.yml")); err == nil {
			return nil, outcome.Usagef(".goreleaser.yml: rename it to %s", FileName)
		}
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	c := &Config{tree: tree, folder: folder}
	if err := yaml.Unmarshal(data, c); err != nil {
		return nil, outcome.Usagef("%s: %w", FileName, err)
	}
	return c, nil
}

// Images returns the locations of the images that ko pushes.
func (c *Config) Images() []string {
	var all []string
	for _, ko := range c.Kos {
		all = append(all, ko.Repositories...)
	}
	return all
}

// BaseImages returns the base images of the images that ko builds.
func (c *Config) BaseImages() []string {
	var all []string
	for _, ko := range c.Kos {
		all = append(all, ko.BaseImage)
	}
	return slices.Compact(all)
}

// envNames returns the names of the variables that the configuration sets.
func (c *Config) envNames() []string {
	var names []string
	for _, entry := range c.Env {
		name, _, _ := strings.Cut(entry, "=")
		names = append(names, strings.TrimSpace(name))
	}
	return names
}

// AttachesSBOM reports whether the configuration in a folder has ko attach an SBOM to the
// images at a location. ko does so by default.
func AttachesSBOM(tree fs.FS, folder, at string) bool {
	c, err := Load(tree, folder)
	if c == nil || err != nil {
		return false // a build reports the error
	}
	i := slices.IndexFunc(c.Kos, func(ko koConfig) bool { return slices.Contains(ko.Repositories, at) })
	return i >= 0 && c.Kos[i].SBOM != "none"
}

// LinksCommit reports whether the configuration in a folder has the linker set a variable
// to the commit.
// https://goreleaser.com/customization/templates/
func LinksCommit(tree fs.FS, folder string) bool {
	data, _ := fs.ReadFile(tree, path.Join(folder, FileName)) // without a file, nothing links the commit
	for line := range bytes.Lines(data) {
		hasCommit := func(field string) bool { return bytes.Contains(line, []byte(field)) }
		if bytes.Contains(line, []byte("-X ")) &&
			slices.ContainsFunc([]string{".FullCommit", ".Commit ", ".Commit}"}, hasCommit) {
			return true
		}
	}
	return false
}
