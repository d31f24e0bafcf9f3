package goreleaser

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"text/template"

	"github.com/kubestellar/actions/internal/outcome"
)

// values are the values of those template fields that are known before goreleaser runs.
// https://goreleaser.com/customization/templates/
type values map[string]any

// render executes a template of the configuration. An unknown field or function is an
// error.
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

// label is a label that an image must have.
type label struct {
	key   string
	valid []string // the accepted values
	write string   // the value as goreleaser's configuration should write it
}

// image is an image with the tags that goreleaser gives it.
type image struct {
	at   string // without a tag
	tags []string
}

// images returns the images that goreleaser will push. A name that is not known before
// goreleaser runs, or that the next release would overwrite, is an error.
func (c *Config) images(v values) ([]image, error) {
	errs := []error{c.checkOnlyKos(), c.checkEnv("KO_DOCKER_REPO")}
	var all []image
	seen := map[string]bool{}
	for i, ko := range c.Kos {
		images, err := ko.images(v)
		if err != nil {
			errs = append(errs, outcome.Usagef("%s: kos[%d]: %w", FileName, i, err))
		}
		for _, image := range images {
			if seen[image.at] {
				errs = append(errs, outcome.Usagef(
					"%s: kos[%d]: it pushes to %s, as another entry does: want one image per repository",
					FileName, i, image.at))
			}
			seen[image.at] = true
		}
		all = append(all, images...)
	}
	return all, errors.Join(errs...)
}

// checkOnlyKos checks that no image is pushed by the sections for Docker images, whose
// names are not checked here.
func (c *Config) checkOnlyKos() error {
	var errs []error
	for _, section := range c.dockerSections() {
		if slices.ContainsFunc(section.entries, func(d dockerConfig) bool { return d.SkipPush != "true" }) {
			errs = append(errs, outcome.Usagef(
				"%s: %s pushes images whose names are not checked before: build them with kos", FileName, section.name))
		}
	}
	return errors.Join(errs...)
}

func (k koConfig) images(v values) ([]image, error) {
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
		return nil, errors.New(
			"it has no repositories, so its image has no location: write repositories: [ghcr.io/OWNER/NAME]")
	case !k.Bare:
		return nil, fmt.Errorf("bare is not true, so ko appends a name to %s: write bare: true", strings.Join(at, ", "))
	}
	tags, err := k.fixedTags(v)
	var all []image
	for _, location := range at {
		all = append(all, image{location, tags})
	}
	return all, err
}

// fixedTags returns the tags of the image. Each must contain the version or the commit;
// any other tag would also be the next release's.
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
			continue // goreleaser skips it
		}
		if !v.fix(tag) {
			return nil, fmt.Errorf(
				"the tag %q would move with the next release, want a tag that contains the version: %s", tag, help)
		}
		tags = append(tags, tag)
	}
	if len(tags) == 0 {
		return nil, errors.New("all of its tags are empty, so it pushes nothing: " + help)
	}
	return tags, nil
}

// fix reports whether a tag contains the version or the commit.
func (v values) fix(tag string) bool {
	return slices.ContainsFunc([]string{"Version", "FullCommit"}, func(field string) bool {
		return strings.Contains(tag, v[field].(string))
	})
}

// checkLabels checks that each image gets the labels that it must have. A label whose
// value is not known yet is checked on the published image.
func (c *Config) checkLabels(labels []label, v values) error {
	var errs []error
	for i, ko := range c.Kos {
		if ko.Disable == "true" {
			continue
		}
		for _, l := range labels {
			if err := ko.checkLabel(l, v); err != nil {
				errs = append(errs, outcome.Usagef("%s: kos[%d]: %w", FileName, i, err))
			}
		}
	}
	return errors.Join(errs...)
}

func (k koConfig) checkLabel(l label, v values) error {
	text, ok := k.Labels[l.key]
	if !ok {
		return fmt.Errorf("its image gets no label %s: %s", l.key, l.help())
	}
	got, err := v.render(text)
	if err != nil || slices.Contains(l.valid, got) {
		return nil
	}
	return fmt.Errorf("its image gets the label %s %q, want %q: %s", l.key, got, l.valid[0], l.help())
}

func (l label) help() string {
	return fmt.Sprintf("write under its labels\n  %s: %s", l.key, l.write)
}
