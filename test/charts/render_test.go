package charts_test

import (
	"errors"
	"io"
	"path"
	"slices"
	"sort"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
	"helm.sh/helm/v3/pkg/chart"
	"helm.sh/helm/v3/pkg/chartutil"
	"helm.sh/helm/v3/pkg/engine"
	"helm.sh/helm/v3/pkg/releaseutil"
)

// rendered is what a chart makes of some values: by itself, and what the charts that it contains make. Those are others' work,
// and are held to nothing but to be there.
type rendered struct {
	text      string
	stream    string // text, as YAML documents that say where they are from
	whole     string // the same with what the contained charts make
	notes     string
	objects   []object
	contained []object
}

// made is all that comes into the cluster.
func (r rendered) made() []object { return slices.Concat(r.objects, r.contained) }

// schema says whether values are checked against values.schema.json; a user may skip that.
type schema bool

const (
	withSchema    schema = true
	withoutSchema schema = false
)

func mustRender(t *testing.T, c *chart.Chart, values string) rendered {
	t.Helper()
	got, err := render(c, values, withSchema)
	if err != nil {
		t.Fatalf("rendering %s: %v", c.Name(), err)
	}
	return got
}

func render(c *chart.Chart, values string, check schema) (rendered, error) {
	given, err := chartutil.ReadValues([]byte(values))
	if err != nil {
		return rendered{}, err
	}
	return renderValues(c, given, check)
}

func renderValues(c *chart.Chart, given chartutil.Values, check schema) (rendered, error) {
	return renderIn(c, "ks-ns", given, check)
}

func renderIn(c *chart.Chart, namespace string, given chartutil.Values, check schema) (rendered, error) {
	if err := chartutil.ProcessDependenciesWithMerge(c, given); err != nil {
		return rendered{}, err
	}
	options := chartutil.ReleaseOptions{Name: "ks", Namespace: namespace, IsInstall: true, Revision: 1}
	all, err := chartutil.ToRenderValuesWithSchemaValidation(c, given, options, nil, !bool(check))
	if err != nil {
		return rendered{}, err
	}
	files, err := engine.Render(c, all)
	if err != nil {
		return rendered{}, err
	}
	return collect(files)
}

// collect puts the files in the order of their names and takes the objects out of them.
func collect(files map[string]string) (rendered, error) {
	names := make([]string, 0, len(files))
	for name := range files {
		names = append(names, name)
	}
	sort.Strings(names)
	var got rendered
	for _, name := range names {
		if path.Base(name) == "NOTES.txt" {
			if !strings.Contains(name, "/charts/") { // helm prints no other
				got.notes += files[name]
			}
			continue
		}
		got.whole += document(name, files[name])
		read, contained := decode, strings.Contains(name, "/charts/")
		if contained {
			read = decodeLoosely
		}
		found, err := read(files[name])
		if err != nil {
			return rendered{}, errors.Join(errors.New(name), err)
		}
		if contained {
			got.contained = append(got.contained, found...)
			continue
		}
		got.text += files[name]
		if len(found) > 0 {
			got.stream += document(name, files[name])
		}
		got.objects = append(got.objects, found...)
	}
	return got, nil
}

// decode reads every document of a YAML stream; a document of comments alone is none.
func decode(text string) ([]object, error) {
	var found []object
	stream := yaml.NewDecoder(strings.NewReader(text))
	for {
		var o object
		err := stream.Decode(&o)
		if errors.Is(err, io.EOF) {
			return found, nil
		}
		if err != nil {
			return nil, err
		}
		if o != nil {
			found = append(found, o)
		}
	}
}

// decodeLoosely reads as helm does, which lets a key stand twice: in KubeFlex's chart one does.
func decodeLoosely(text string) ([]object, error) {
	var found []object
	for _, document := range releaseutil.SplitManifests(text) {
		o, err := chartutil.ReadValues([]byte(document))
		if err != nil {
			return nil, err
		}
		if len(o) > 0 {
			found = append(found, object(o))
		}
	}
	return found, nil
}
