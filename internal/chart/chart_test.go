package chart_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/kubestellar/actions/internal/chart"
	"github.com/kubestellar/actions/test/testkit"
)

const declaration = `apiVersion: v2
name: app
version: 1.2.3
appVersion: 1.2.3
dependencies:
- {name: sub, version: v1.0.0, repository: 'oci://ghcr.io/o', condition: sub.on}
- {name: gone, version: 2.0.0, repository: 'oci://ghcr.io/o/'}
`

func files() fstest.MapFS {
	return fstest.MapFS{
		"Chart.yaml":               {Data: []byte(declaration)},
		"values.yaml":              {Data: []byte("sub: {on: true}\nwho: world\n")},
		"templates/a.yaml":         {Data: []byte("hello: {{ .Values.who }}\n")},
		"templates/NOTES.txt":      {Data: []byte("see v{{ .Chart.Version }}\n")},
		"charts/sub/Chart.yaml":    {Data: []byte("apiVersion: v2\nname: sub\nversion: v1.0.0\n")},
		"charts/sub/templates/b.y": {Data: []byte("sub: {{ .Chart.Name }}\n")},
	}
}

func load(t *testing.T) *chart.Chart {
	t.Helper()
	c, err := chart.LoadFS(files(), ".")
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestDependencies(t *testing.T) {
	t.Parallel()
	c := load(t)
	missing := c.Missing()
	if len(c.Dependencies()) != 2 || len(missing) != 1 || missing[0].At() != "ghcr.io/o/gone" {
		t.Errorf("missing %+v of %+v", missing, c.Dependencies())
	}
}

func TestRender(t *testing.T) {
	t.Parallel()
	c := load(t)
	for range 2 { // rendering leaves the chart as it was
		rendered, err := c.Render(map[string]any{"who": "you"})
		if err != nil {
			t.Fatal(err)
		}
		for name, want := range map[string]string{
			"app/templates/a.yaml":         "hello: you\n",
			"app/templates/NOTES.txt":      "see v1.2.3\n",
			"app/charts/sub/templates/b.y": "sub: sub\n",
		} {
			if rendered[name] != want {
				t.Errorf("%s: %q, want %q", name, rendered[name], want)
			}
		}
	}
	without, err := c.Render(map[string]any{"sub": map[string]any{"on": false}})
	if _, there := without["app/charts/sub/templates/b.y"]; err != nil || there {
		t.Errorf("the condition has no effect: %v", err)
	}
}

// The same files and time result in the same bytes, whatever their folder and their own
// times are. helm itself reads the package.
func TestPackage(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 1, 2, 3, 4, 5, 6, time.FixedZone("x", 7200))
	want, err := load(t).Package(at)
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "elsewhere")
	if err := os.CopyFS(dir, files()); err != nil {
		t.Fatal(err)
	}
	loaded, err := chart.LoadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	got, err := loaded.Package(at.UTC())
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("packaged from a folder, the bytes differ: %v", err)
	}
	if later, _ := load(t).Package(at.Add(time.Second)); bytes.Equal(later, want) {
		t.Error("the time is not in the package")
	}
	t.Run("helm reads it", func(t *testing.T) {
		archive := filepath.Join(dir, "app.tgz")
		testkit.Write(t, archive, string(want))
		out, err := exec.Command(testkit.Tool(t, "helm"), "show", "chart", archive).CombinedOutput()
		if err != nil || !strings.Contains(string(out), "version: 1.2.3") {
			t.Errorf("helm show chart: %v\n%s", err, out)
		}
	})
	back, err := chart.LoadArchive("app", want)
	if err != nil || len(back.Files()) != len(files()) || back.Version() != "1.2.3" {
		t.Errorf("read back: %v", err)
	}
}

// Rendering with other values at the same time has no effect.
func TestRenderAtOnce(t *testing.T) {
	t.Parallel()
	c := load(t)
	var group sync.WaitGroup
	for i := range 50 {
		group.Go(func() {
			who, on := fmt.Sprint("w", i), i%2 == 0
			rendered, err := c.Render(map[string]any{"who": who, "sub": map[string]any{"on": on}})
			_, there := rendered["app/charts/sub/templates/b.y"]
			if err != nil || rendered["app/templates/a.yaml"] != "hello: "+who+"\n" || there != on {
				t.Errorf("%s, %t: %q, %v", who, on, rendered, err)
			}
		})
	}
	group.Wait()
}

func TestLoadArchiveRefuses(t *testing.T) {
	t.Parallel()
	if _, err := chart.LoadArchive("ghcr.io/o/app:1", []byte("no archive")); err == nil || !strings.Contains(err.Error(), "ghcr.io/o/app:1") {
		t.Errorf("got %v", err)
	}
}
