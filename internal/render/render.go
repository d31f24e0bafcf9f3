// Package render renders charts, and finds the targets that the rendered files name and what must never be published.
package render

import (
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"sync"

	"github.com/kubestellar/actions/internal/chart"
	"github.com/kubestellar/actions/internal/decide"
	"github.com/kubestellar/actions/internal/delivery"
	"github.com/kubestellar/actions/internal/find"
	"github.com/kubestellar/actions/internal/outcome"
	"github.com/kubestellar/actions/internal/ref"
	"github.com/kubestellar/actions/internal/resolve"
)

// Rendering is the result of rendering a chart with one or more sets of values.
type Rendering struct {
	Named      resolve.Named // targets of components, and every other image
	References []ref.Reference
	// Findings report a placeholder, an unexpanded variable, or an image without a version.
	Findings []decide.Finding

	// the rendered lines of References, Findings and Named
	lines, findingLines []string
	targetLines         map[resolve.Target]string
}

// Values is a set of values that a chart is rendered with.
type Values struct {
	Name string // of the file; empty for the chart's own values
	Set  map[string]any
}

// ReadValues returns the chart's own values, followed by those in the files that match the patterns. A pattern without
// a match is an error.
func ReadValues(tree fs.FS, patterns []string) ([]Values, error) {
	all := []Values{{}}
	for _, pattern := range patterns {
		names, err := fs.Glob(tree, pattern)
		if err != nil {
			return nil, outcome.Usagef("values %q: %w", pattern, err)
		}
		if len(names) == 0 {
			return nil, outcome.Usagef("values %q match no file of the tree: correct them in %s, or write the file",
				pattern, delivery.FileName)
		}
		slices.Sort(names)
		for _, name := range names {
			data, err := fs.ReadFile(tree, name)
			if err != nil {
				return nil, err
			}
			set, err := chart.ReadValues(data)
			if err != nil {
				return nil, outcome.Usagef("reading the values in %s: %w", name, err)
			}
			all = append(all, Values{name, set})
		}
	}
	return all, nil
}

// Chart renders a chart with each set of values. Placeholders mean the version own. If the chart does not render with
// one of the sets, that is an error.
func Chart(f *delivery.File, c *chart.Chart, own ref.Version, sets ...Values) (Rendering, error) {
	all := Rendering{Named: resolve.Named{}, targetLines: map[resolve.Target]string{}}
	finder := find.New(f)
	seen := map[string]bool{}
	rendered := renderAll(c, sets)
	for i, values := range sets {
		files, err := rendered[i]()
		if err != nil && values.Name != "" {
			err = fmt.Errorf("with the values in %s: %w", values.Name, err)
		}
		if err != nil {
			return all, outcome.As(outcome.Wrong, err)
		}
		for _, name := range slices.Sorted(maps.Keys(files)) {
			if seen[name+files[name]] {
				continue // most sets of values change few files
			}
			seen[name+files[name]] = true
			if err := all.add(f, finder, name, values.Name, files[name], own); err != nil {
				return all, err
			}
		}
	}
	return all, nil
}

// renderAll starts to render with all sets of values at once. Each returned function waits for one result.
func renderAll(c *chart.Chart, sets []Values) []func() (map[string]string, error) {
	var rendered []func() (map[string]string, error)
	for _, values := range sets {
		one := sync.OnceValues(func() (map[string]string, error) { return c.Render(values.Set) })
		go one()
		rendered = append(rendered, one)
	}
	return rendered
}

// add adds the targets and findings of one rendered file.
func (r *Rendering) add(f *delivery.File, finder *find.Finder, name, values, text string, own ref.Version) error {
	references := finder.Text(name, []byte(text))
	r.References = append(r.References, references...)
	for _, reference := range references {
		r.lines = append(r.lines, lineOf(text, reference.Line))
	}
	for _, finding := range decide.Rendered(name, text, references) {
		if values != "" {
			finding.Saw += " (with the values in " + values + ")"
		}
		r.Findings = append(r.Findings, finding)
		r.findingLines = append(r.findingLines, lineOf(text, finding.Line))
	}
	named := resolve.Named{}
	for _, reference := range find.Pins(references) {
		if err := named.Refer(f, reference, own); err != nil {
			return err
		}
	}
	decide.Images(f, name, text, named)
	for target, place := range named {
		if _, known := r.Named[target]; !known {
			r.Named[target], r.targetLines[target] = place, lineOf(text, place.Line)
		}
	}
	return nil
}
