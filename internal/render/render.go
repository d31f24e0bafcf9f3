// Package render tells what a chart comes to: what its rendered files name, and
// what in them must never be published.
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

// Rendering is what a chart comes to with one set of values, or with several.
type Rendering struct {
	// Named are the things that have to be there, each with the first place
	// that names it: what components declare, and every other image.
	Named      resolve.Named
	References []ref.Reference
	// Findings are what must never be published: a placeholder, a variable, an
	// image without a version.
	Findings []decide.Finding
}

// Values are one set of values that a chart is rendered with.
type Values struct {
	Name string // of the file that holds them; "" are the chart's own
	Set  map[string]any
}

// ReadValues reads the sets of values in the files that patterns match, after
// the chart's own. A pattern that matches nothing is an error.
func ReadValues(tree fs.FS, patterns []string) ([]Values, error) {
	all := []Values{{}}
	for _, pattern := range patterns {
		names, err := fs.Glob(tree, pattern)
		if err != nil {
			return nil, outcome.Usagef("values %q: %w", pattern, err)
		}
		if len(names) == 0 {
			return nil, outcome.Usagef("values %q match no file of the tree: correct them in %s, or write the file", pattern, delivery.FileName)
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

// Chart renders a chart with each set of values. own stands for placeholders.
// A chart that does not render with one of them is an error.
func Chart(f *delivery.File, c *chart.Chart, own ref.Version, sets ...Values) (Rendering, error) {
	all := Rendering{Named: resolve.Named{}}
	finder := find.New(f)
	seen := map[string]bool{}
	rendered := begin(c, sets)
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

// begin renders with all sets of values at once, and gives what waits for each.
func begin(c *chart.Chart, sets []Values) []func() (map[string]string, error) {
	var rendered []func() (map[string]string, error)
	for _, values := range sets {
		one := sync.OnceValues(func() (map[string]string, error) { return c.Render(values.Set) })
		go one()
		rendered = append(rendered, one)
	}
	return rendered
}

// add looks at one rendered file.
func (r *Rendering) add(f *delivery.File, finder *find.Finder, name, values, text string, own ref.Version) error {
	references := finder.Text(name, []byte(text))
	r.References = append(r.References, references...)
	for _, finding := range decide.Rendered(name, text, references) {
		if values != "" {
			finding.Saw += " (with the values in " + values + ")"
		}
		r.Findings = append(r.Findings, finding)
	}
	for _, reference := range find.Pins(references) {
		if err := r.Named.Refer(f, reference, own); err != nil {
			return err
		}
	}
	decide.Images(f, name, text, r.Named)
	return nil
}
