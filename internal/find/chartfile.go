package find

import (
	"path"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/kubestellar/actions/internal/delivery"
	"github.com/kubestellar/actions/internal/ref"
)

// chartFile finds what a Chart.yaml names: the versions of its dependencies,
// and its own, if it is the source of a declared chart.
type chartFile struct{ file *delivery.File }

type dependency struct {
	Name       string    `yaml:"name"`
	Repository string    `yaml:"repository"`
	Version    yaml.Node `yaml:"version"`
}

func (c chartFile) find(t *text) []ref.Reference {
	if path.Base(t.name) != "Chart.yaml" {
		return nil
	}
	var chart struct {
		Version      yaml.Node    `yaml:"version"`
		AppVersion   yaml.Node    `yaml:"appVersion"`
		Dependencies []dependency `yaml:"dependencies"`
	}
	if yaml.Unmarshal(t.data, &chart) != nil {
		return nil // a template of a Chart.yaml; the other forms look at it as text
	}
	var found []ref.Reference
	add := func(component, artifact, syntax string, node yaml.Node) {
		if r, ok := referenceAt(t, t.offset(node), ref.Reference{Component: component, Artifact: artifact, Syntax: syntax}); ok {
			found = append(found, r)
		}
	}
	if component, artifact, ok := c.source(path.Dir(t.name)); ok {
		add(component, artifact, "chart version", chart.Version)
		add(component, artifact, "chart appVersion", chart.AppVersion)
	}
	for _, d := range chart.Dependencies {
		if component, artifact, ok := c.file.Locate(d.location()); ok {
			add(component, artifact, "chart dependency", d.Version)
		}
	}
	return found
}

func (d dependency) location() string {
	return strings.TrimSuffix(strings.TrimPrefix(d.Repository, "oci://"), "/") + "/" + d.Name
}

// source finds the chart whose source is this folder.
func (c chartFile) source(dir string) (component, artifact string, ok bool) {
	for name, a := range c.file.Own().Artifacts {
		if a.Kind == delivery.Chart && path.Clean(a.Source) == dir {
			return c.file.Self, name, true
		}
	}
	return "", "", false
}

// offset is where a scalar's text begins, after its quote if it has one.
func (t *text) offset(n yaml.Node) int {
	if n.Line == 0 || n.Line > len(t.lines) {
		return len(t.data)
	}
	start := t.lines[n.Line-1] + n.Column - 1
	if n.Style == yaml.DoubleQuotedStyle || n.Style == yaml.SingleQuotedStyle {
		start++
	}
	return min(start, len(t.data))
}
