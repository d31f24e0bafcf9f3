package release

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"text/template"

	"github.com/kubestellar/actions/internal/outcome"
)

// koConfig is what we read of one of goreleaser's kos, each of which pushes an image.
// https://goreleaser.com/customization/ko/
type koConfig struct {
	BaseImage    string            `yaml:"base_image"`
	Repository   string            `yaml:"repository"` // the older form of Repositories
	Repositories []string          `yaml:"repositories"`
	Bare         bool              `yaml:"bare"`
	Tags         []string          `yaml:"tags"`
	Labels       map[string]string `yaml:"labels"`
	Disable      string            `yaml:"disable"`
}

// values are those of goreleaser's template fields that are known before it runs.
// https://goreleaser.com/customization/templates/
type values map[string]any

// render fills in a template of goreleaser's configuration. One that takes a field
// or a function that is not known is an error, and never a guess.
func (v values) render(text string) (string, error) {
	t, err := template.New("").Option("missingkey=error").Parse(text)
	if err != nil {
		return "", fmt.Errorf("%q cannot be known before goreleaser runs: %w", text, err)
	}
	var out strings.Builder
	if err := t.Execute(&out, map[string]any(v)); err != nil {
		return "", fmt.Errorf("%q cannot be known before goreleaser runs: %w", text, err)
	}
	return out.String(), nil
}

// label is one that an image must carry.
type label struct {
	key   string
	right []string // the values, of which it has one
	write string   // how goreleaser's configuration has it
}

// pushed is an image by all names under which goreleaser will push it.
type pushed struct {
	at   string // without a tag
	tags []string
}

// pushes are the images that goreleaser will push. What cannot be known before it
// runs, or would be overwritten by the next release, is an error.
func (c config) pushes(v values) ([]pushed, error) {
	errs := []error{c.onlyKos(), c.foreignEnv("KO_DOCKER_REPO")}
	var all []pushed
	seen := map[string]bool{}
	for i, ko := range c.Kos {
		images, err := ko.pushes(v)
		if err != nil {
			errs = append(errs, outcome.Usagef("%s: kos[%d]: %w", configFile, i, err))
		}
		for _, image := range images {
			if seen[image.at] {
				errs = append(errs, outcome.Usagef("%s: kos[%d]: it pushes to %s, as another does: want one image a repository", configFile, i, image.at))
			}
			seen[image.at] = true
		}
		all = append(all, images...)
	}
	return all, errors.Join(errs...)
}

// onlyKos: docker pushes under names that are not looked at here.
func (c config) onlyKos() error {
	var errs []error
	for _, section := range c.dockerSections() {
		if slices.ContainsFunc(section.entries, func(d dockerConfig) bool { return d.SkipPush != "true" }) {
			errs = append(errs, outcome.Usagef("%s: %s pushes images that nothing would be known of before: build them by kos", configFile, section.name))
		}
	}
	return errors.Join(errs...)
}

func (k koConfig) pushes(v values) ([]pushed, error) {
	disabled, err := v.render(k.Disable)
	if err != nil || disabled == "true" {
		return nil, err
	}
	at := slices.Clone(k.Repositories)
	if k.Repository != "" {
		at = append(at, k.Repository)
	}
	switch {
	case len(at) == 0:
		return nil, errors.New("it has no repositories, want where its image goes: write repositories: [ghcr.io/OWNER/NAME]")
	case !k.Bare:
		return nil, fmt.Errorf("bare is not true, so that ko adds a name of its own to %s: write bare: true", strings.Join(at, ", "))
	}
	tags, err := k.fixedTags(v)
	var all []pushed
	for _, location := range at {
		all = append(all, pushed{location, tags})
	}
	return all, err
}

// fixedTags are the tags, each of which names the version or the commit: any other
// would be the next release's, too.
func (k koConfig) fixedTags(v values) ([]string, error) {
	templates := k.Tags
	if len(templates) == 0 {
		templates = []string{defaultTag}
	}
	const help = `write tags: ["{{ .Version }}"]`
	var tags []string
	for _, text := range templates {
		tag, err := v.render(text)
		if err != nil {
			return nil, fmt.Errorf("the tag %w; %s", err, help)
		}
		if tag = strings.TrimSpace(tag); tag == "" {
			continue // goreleaser leaves it out
		}
		if !v.fix(tag) {
			return nil, fmt.Errorf("the tag %q would move with the next release, want one that names the version: %s", tag, help)
		}
		tags = append(tags, tag)
	}
	if len(tags) == 0 {
		return nil, errors.New("it has no tag that is not empty, and so pushes nothing: " + help)
	}
	return tags, nil
}

func (v values) fix(tag string) bool {
	return slices.ContainsFunc([]string{"Version", "FullCommit"}, func(field string) bool { return strings.Contains(tag, v[field].(string)) })
}

// labelled: each image that will be pushed is given the labels that it must carry. A
// label that takes what is not known here is left to the look at the image itself.
func (c config) labelled(labels []label, v values) error {
	var errs []error
	for i, ko := range c.Kos {
		if ko.Disable == "true" {
			continue
		}
		for _, l := range labels {
			if err := ko.labelled(l, v); err != nil {
				errs = append(errs, outcome.Usagef("%s: kos[%d]: %w", configFile, i, err))
			}
		}
	}
	return errors.Join(errs...)
}

func (k koConfig) labelled(l label, v values) error {
	text, there := k.Labels[l.key]
	if !there {
		return fmt.Errorf("its image gets no label %s: %s", l.key, l.help())
	}
	got, err := v.render(text)
	if err != nil || slices.Contains(l.right, got) {
		return nil
	}
	return fmt.Errorf("its image gets the label %s %q, want %q: %s", l.key, got, l.right[0], l.help())
}

func (l label) help() string {
	return fmt.Sprintf("write under labels there\n  %s: %s", l.key, l.write)
}
