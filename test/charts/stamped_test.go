package charts_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"helm.sh/helm/v3/pkg/chart"
	"helm.sh/helm/v3/pkg/chart/loader"
	"helm.sh/helm/v3/pkg/chartutil"
)

const (
	placeholder = "0.0.0-unstamped"
	release     = "1.2.3"
	root        = "../.."
)

// sources are the folders that are stamped, each with the number of placeholders that git holds in it.
var sources = map[string]int{
	"chart":                   2,
	"core-chart":              2,
	"config/postcreate-hooks": 1,
}

// stamp copies a source folder and writes the release where the placeholder stands, as a release does.
func stamp(t *testing.T, source string) string {
	t.Helper()
	dir := t.TempDir()
	replaced := 0
	eachFile(t, source, func(name, text string) {
		replaced += strings.Count(text, placeholder)
		write(t, filepath.Join(dir, name), strings.ReplaceAll(text, placeholder, release))
	})
	if want := sources[source]; replaced != want || want == 0 {
		t.Fatalf("stamping %s: replaced %d placeholders, want %d", source, replaced, want)
	}
	return dir
}

// eachFile calls do with the path below source and the text of every file.
func eachFile(t *testing.T, source string, do func(name, text string)) {
	t.Helper()
	tree := os.DirFS(filepath.Join(root, source))
	err := fs.WalkDir(tree, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		text, err := fs.ReadFile(tree, name)
		if err == nil {
			do(name, string(text))
		}
		return err
	})
	if err != nil {
		t.Fatalf("reading %s: %v", source, err)
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// managerChart is controller-manager-chart as released.
func managerChart(t *testing.T) *chart.Chart {
	t.Helper()
	return load(t, stamp(t, "chart"))
}

// coreChart is core-chart as released, with a stand-in for KubeFlex's chart: what is asked here is which values reach it.
func coreChart(t *testing.T) *chart.Chart {
	t.Helper()
	dir := stamp(t, "core-chart")
	addKubeFlex(t, dir)
	return load(t, dir)
}

func addKubeFlex(t *testing.T, dir string) {
	t.Helper()
	standIn := filepath.Join(dir, "charts", "kubeflex-operator")
	version := load(t, dir).Metadata.Dependencies[0].Version
	write(t, filepath.Join(standIn, "Chart.yaml"), "apiVersion: v2\nname: kubeflex-operator\nversion: "+version+"\n")
	write(t, filepath.Join(standIn, "values.yaml"), "isOpenShift: \"false\"\ndomain: localtest.me\n")
	write(t, filepath.Join(standIn, "templates", "config.yaml"), `apiVersion: v1
kind: ConfigMap
metadata:
  name: kubeflex-config
  namespace: kubeflex-system
data:
  domain: {{ .Values.domain | quote }}
  isOpenShift: {{ .Values.isOpenShift | quote }}
`)
}

func load(t *testing.T, dir string) *chart.Chart {
	t.Helper()
	loaded, err := loader.LoadDir(dir)
	if err != nil {
		t.Fatalf("loading the chart: %v", err)
	}
	return loaded
}

func TestThePlaceholderStandsWhereItIsStampedAndNowhereElse(t *testing.T) {
	t.Parallel()
	want := map[string]int{
		"chart/Chart.yaml":                         2,
		"core-chart/Chart.yaml":                    2,
		"config/postcreate-hooks/kubestellar.yaml": 1,
	}
	for source := range sources {
		eachFile(t, source, func(name, text string) {
			path := source + "/" + name
			if got := strings.Count(text, placeholder); got != want[path] {
				t.Errorf("%s: saw the placeholder %d times, want %d", path, got, want[path])
			}
		})
	}
}

// helm puts dependencies into charts/ as archives; a .helmignore against archives would leave the chart without them.
func TestADependencyMayBeAnArchive(t *testing.T) {
	t.Parallel()
	dir := stamp(t, "core-chart")
	addKubeFlex(t, dir)
	standIn := filepath.Join(dir, "charts", "kubeflex-operator")
	if _, err := chartutil.Save(load(t, standIn), filepath.Dir(standIn)); err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(standIn); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "core-chart-0.0.1.tgz"), "a package made here before")
	got := load(t, dir)
	checkPresence(t, mustRender(t, got, "").objects, []string{kubeFlexItself}, nil)
	for _, file := range got.Raw {
		if file.Name == "core-chart-0.0.1.tgz" {
			t.Errorf("saw %s in the chart", file.Name)
		}
	}
}
