package charts_test

import (
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"helm.sh/helm/v3/pkg/chart"
	"helm.sh/helm/v3/pkg/chartutil"

	"github.com/kubestellar/actions/test/testkit"
)

var update = flag.Bool("update", false, "write the renderings in testdata/golden anew")

const golden = "testdata/golden"

// rendering is a chart with one set of values from its matrix.
type rendering struct{ chart, name string }

func renderings() []rendering {
	var all []rendering
	for _, name := range slices.Sorted(maps.Keys(matrix)) {
		all = append(all, rendering{coreName, name})
	}
	for _, name := range managerMatrix {
		all = append(all, rendering{managerName, name})
	}
	return all
}

var noLetters = regexp.MustCompile(`[^a-z0-9]+`)

// file returns the name of the rendering's file in the golden folder, without its extension.
func (r rendering) file() string { return r.chart + "-" + plain(r.name) }

func (r rendering) valuesFile() string {
	return filepath.Join("values", r.chart, plain(r.name)+".yaml")
}

func plain(name string) string {
	return strings.Trim(noLetters.ReplaceAllString(strings.ToLower(name), "-"), "-")
}

// readValues returns the text of one set of values. The sets are files because delivery.yaml names
// them: each release checks the references that the charts contain with any of them.
func readValues(t *testing.T, chart, name string) string {
	t.Helper()
	text, err := os.ReadFile(rendering{chart, name}.valuesFile())
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// Every file of values belongs to the matrix. A test uses each of them.
func TestTheMatrixIsTheFiles(t *testing.T) {
	t.Parallel()
	var want []string
	for _, r := range renderings() {
		want = append(want, r.valuesFile())
	}
	got, err := filepath.Glob("values/*/*")
	slices.Sort(want)
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("saw the files %v, %v, want %v", got, err, want)
	}
}

// render gives other components fixed versions. Bumping one of them then changes no rendering.
func (r rendering) render(t *testing.T, c *chart.Chart) rendered {
	t.Helper()
	given := chartutil.Values{}
	if r.chart == coreName {
		given = versions(othersVersions...)
	}
	got, err := renderValues(c, merged(t, given, readValues(t, r.chart, r.name)), withSchema)
	if err != nil {
		t.Fatalf("rendering %s, %s: %v", r.chart, r.name, err)
	}
	return got
}

// Each golden file contains the objects that the chart's own templates render to with one set of
// values. The notes are in a file of their own. The diff of a template's change therefore shows its
// effect.
func TestRenderingsAreTheGoldenOnes(t *testing.T) {
	t.Parallel()
	charts := map[string]func(*testing.T) *chart.Chart{coreName: coreChart, managerName: managerChart}
	want := map[string]string{}
	for _, r := range renderings() {
		got := r.render(t, charts[r.chart](t))
		checkStream(t, r, got)
		want[r.file()+".yaml"] = got.stream
		want[r.file()+".notes.txt"] = got.notes
	}
	if len(want) != 2*(len(matrix)+len(managerMatrix)) {
		t.Fatalf("saw %d files for %d renderings: two share a name", len(want), len(matrix)+len(managerMatrix))
	}
	if *update {
		writeGolden(t, want)
	}
	if diff := cmp.Diff(readGolden(t), want); diff != "" {
		t.Errorf("the charts do not render to the files in %s (-): if the change is intended, run `make all-generated`\n%s", golden, diff)
	}
}

func readGolden(t *testing.T) map[string]string {
	t.Helper()
	entries, err := os.ReadDir(golden)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	files := map[string]string{}
	for _, entry := range entries {
		text, err := os.ReadFile(filepath.Join(golden, entry.Name()))
		if err != nil {
			t.Fatal(err)
		}
		files[entry.Name()] = string(text)
	}
	return files
}

func writeGolden(t *testing.T, files map[string]string) {
	t.Helper()
	if err := os.RemoveAll(golden); err != nil {
		t.Fatal(err)
	}
	for name, text := range files {
		testkit.Write(t, filepath.Join(golden, name), text)
	}
}

// checkStream checks that a golden file can be applied to an API server as it is.
func checkStream(t *testing.T, r rendering, got rendered) {
	t.Helper()
	found, err := decode(got.stream)
	if diff := cmp.Diff(found, got.objects); err != nil || diff != "" || len(found) == 0 {
		t.Errorf("%s: saw %d objects in the stream, %v\n%s", r.file(), len(found), err, diff)
	}
}

// document returns a rendered file as `helm template` prints it.
func document(name, text string) string {
	return fmt.Sprintf("---\n# Source: %s\n%s\n", name, strings.TrimPrefix(strings.TrimSpace(text), "---\n"))
}
