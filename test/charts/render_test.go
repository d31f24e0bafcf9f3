package charts_test

import (
	"errors"
	"io"
	"sort"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
	"helm.sh/helm/v3/pkg/chart"
	"helm.sh/helm/v3/pkg/chartutil"
	"helm.sh/helm/v3/pkg/engine"
)

// rendered is what a chart makes of some values.
type rendered struct {
	text    string
	notes   string
	objects []object
}

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
		if strings.HasSuffix(name, "NOTES.txt") {
			got.notes += files[name]
			continue
		}
		found, err := decode(files[name])
		if err != nil {
			return rendered{}, errors.Join(errors.New(name), err)
		}
		got.text += files[name]
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
