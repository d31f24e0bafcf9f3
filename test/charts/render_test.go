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

// rendered is a chart rendered with some values: its own part and that of the charts it contains. Only
// the presence of contained charts is checked, because they are other people's work.
type rendered struct {
	text      string
	stream    string // text as YAML documents that name their template
	whole     string // stream with the objects of the contained charts
	notes     string
	objects   []object
	contained []object
}

// made returns all objects that are applied to the cluster.
func (r rendered) made() []object { return slices.Concat(r.objects, r.contained) }

// schema is whether values are checked against values.schema.json. Users may skip that.
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

// collect reads the objects from the files, in the order of the files' names.
func collect(files map[string]string) (rendered, error) {
	names := make([]string, 0, len(files))
	for name := range files {
		names = append(names, name)
	}
	sort.Strings(names)
	var got rendered
	for _, name := range names {
		if path.Base(name) == "NOTES.txt" {
			if !strings.Contains(name, "/charts/") { // helm prints no others
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

// decode reads every document of a YAML stream. It skips documents that contain only comments.
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

// decodeLoosely accepts a key that is repeated, as helm does. KubeFlex's chart has one.
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
