// Package chart loads, renders and packages charts. It is the only package that
// imports helm.
package chart

import (
	"archive/tar"
	"bytes"
	"cmp"
	"compress/gzip"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
	"time"

	helm "helm.sh/helm/v3/pkg/chart"
	"helm.sh/helm/v3/pkg/chart/loader"
	"helm.sh/helm/v3/pkg/chartutil"
	"helm.sh/helm/v3/pkg/engine"
)

// Chart is a loaded chart with the bytes of its files.
type Chart struct{ helm *helm.Chart }

// LoadDir loads the chart in a folder as helm does, with its .helmignore.
func LoadDir(dir string) (*Chart, error) {
	c, err := loader.LoadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("loading the chart in %s: %w", dir, err)
	}
	return &Chart{c}, nil
}

// LoadArchive loads a packaged chart. Errors contain what as its name.
func LoadArchive(what string, archive []byte) (*Chart, error) {
	c, err := loader.LoadArchive(bytes.NewReader(archive))
	if err != nil {
		return nil, fmt.Errorf("loading the chart %s: %w", what, err)
	}
	return &Chart{c}, nil
}

// LoadFS loads the chart in a folder of a tree.
func LoadFS(fsys fs.FS, dir string) (*Chart, error) {
	var files []File
	err := fs.WalkDir(fsys, dir, func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		data, err := fs.ReadFile(fsys, name)
		files = append(files, File{strings.TrimPrefix(name, path.Clean(dir)+"/"), data})
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("reading the chart in %s: %w", dir, err)
	}
	return Load("in "+dir, files)
}

// Load loads a chart from its files. Errors contain what as its name.
func Load(what string, files []File) (*Chart, error) {
	var buffered []*loader.BufferedFile
	for _, f := range files {
		buffered = append(buffered, &loader.BufferedFile{Name: f.Name, Data: f.Data})
	}
	c, err := loader.LoadFiles(buffered)
	if err != nil {
		return nil, fmt.Errorf("loading the chart %s: %w", what, err)
	}
	return &Chart{c}, nil
}

// Name returns the name in Chart.yaml.
func (c *Chart) Name() string { return c.helm.Name() }

// Version returns the version in Chart.yaml.
func (c *Chart) Version() string { return c.helm.Metadata.Version }

// AppVersion returns the appVersion in Chart.yaml.
func (c *Chart) AppVersion() string { return c.helm.Metadata.AppVersion }

// IsLibrary reports whether the chart only serves other charts.
func (c *Chart) IsLibrary() bool { return c.helm.Metadata.Type == "library" }

// Description returns the description in Chart.yaml.
func (c *Chart) Description() string { return c.helm.Metadata.Description }

// Metadata returns the content of Chart.yaml as the value that helm encodes as JSON.
func (c *Chart) Metadata() any { return c.helm.Metadata }

// Dependency is a chart that another one contains when it is packaged.
type Dependency struct{ Name, Version, Repository string }

// At returns the location of the dependency in a registry: without a scheme, with
// the name of the chart. It returns "" if the dependency is not in a registry.
func (d Dependency) At() string {
	at, ok := strings.CutPrefix(d.Repository, "oci://")
	if !ok {
		return ""
	}
	return strings.TrimSuffix(at, "/") + "/" + d.Name
}

// Dependencies returns the dependencies in Chart.yaml.
func (c *Chart) Dependencies() []Dependency {
	var out []Dependency
	for _, d := range c.helm.Metadata.Dependencies {
		out = append(out, Dependency{d.Name, d.Version, d.Repository})
	}
	return out
}

// Missing returns the declared dependencies that the chart does not contain.
func (c *Chart) Missing() []Dependency {
	return slices.DeleteFunc(c.Dependencies(), func(d Dependency) bool {
		return slices.ContainsFunc(c.helm.Dependencies(), func(sub *helm.Chart) bool { return sub.Name() == d.Name })
	})
}

// File is a file of a chart. Its name is its path in the chart.
type File struct {
	Name string
	Data []byte
}

// Files returns the files of the chart and of the charts in it, sorted by name.
func (c *Chart) Files() []File {
	var files []File
	for _, f := range c.helm.Raw {
		files = append(files, File{f.Name, f.Data})
	}
	slices.SortFunc(files, func(a, b File) int { return cmp.Compare(a.Name, b.Name) })
	return files
}

// Package returns the chart as an archive. Its bytes depend on nothing but the files
// and the time.
func (c *Chart) Package(at time.Time) ([]byte, error) {
	var out bytes.Buffer
	zip, err := gzip.NewWriterLevel(&out, gzip.BestCompression)
	if err != nil {
		return nil, err
	}
	w := tar.NewWriter(zip)
	for _, f := range c.Files() {
		header := &tar.Header{
			Name:    path.Join(c.Name(), f.Name),
			Mode:    0o644,
			Size:    int64(len(f.Data)),
			ModTime: at.UTC().Truncate(time.Second),
			Format:  tar.FormatUSTAR,
		}
		if err := w.WriteHeader(header); err != nil {
			return nil, fmt.Errorf("packaging %s: %w", f.Name, err)
		}
		if _, err := w.Write(f.Data); err != nil {
			return nil, fmt.Errorf("packaging %s: %w", f.Name, err)
		}
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	if err := zip.Close(); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

// Render returns the rendered files by name, with NOTES.txt, as `helm template` does
// with these values. It may be called by several goroutines at once.
func (c *Chart) Render(values map[string]any) (map[string]string, error) {
	target, err := copyOf(c.helm) // rendering changes the dependencies of the chart
	if err != nil {
		return nil, err
	}
	if err := chartutil.ProcessDependencies(target, values); err != nil {
		return nil, fmt.Errorf("rendering chart %s: %w", c.Name(), err)
	}
	options := chartutil.ReleaseOptions{Name: c.Name(), Namespace: "default", Revision: 1, IsInstall: true}
	merged, err := chartutil.ToRenderValues(target, values, options, chartutil.DefaultCapabilities)
	if err != nil {
		return nil, fmt.Errorf("rendering chart %s: %w", c.Name(), err)
	}
	rendered, err := engine.Render(target, merged)
	if err != nil {
		return nil, fmt.Errorf("rendering chart %s: %w", c.Name(), err)
	}
	return rendered, nil
}

func copyOf(c *helm.Chart) (*helm.Chart, error) {
	var files []*loader.BufferedFile
	for _, f := range c.Raw {
		files = append(files, &loader.BufferedFile{Name: f.Name, Data: f.Data})
	}
	return loader.LoadFiles(files)
}

// ReadValues parses a file of values as helm does.
func ReadValues(data []byte) (map[string]any, error) { return chartutil.ReadValues(data) }
