package apply

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/kubestellar/actions/internal/delivery"
	"github.com/kubestellar/actions/internal/oci"
	"github.com/kubestellar/actions/internal/outcome"
	"github.com/kubestellar/actions/internal/ref"
)

const declared = `version: 1
self: us
components:
  us:
    repository: o/us
    artifacts:
      app: {kind: chart, at: ghcr.io/o/app, source: src}
      hook: {kind: asset, name: hook.yaml, source: hook.yaml}
`

func tree() fstest.MapFS {
	return fstest.MapFS{
		"src/Chart.yaml":            {Data: []byte("apiVersion: v2\r\nname: app\r\nversion: 0.0.0-unstamped\r\nappVersion: \"0.0.0-unstamped\" # ours\r\n")},
		"src/templates/config.yaml": {Data: []byte("kind: ConfigMap\ndata: {v: {{ .Chart.AppVersion }}}\n")},
		"hook.yaml":                 {Data: []byte("run: helm install oci://ghcr.io/o/app --version 0.0.0-unstamped, then --version 0.0.1\n")},
	}
}

func stamp(t *testing.T, tree fs.FS, out string, only ...string) ([]Stamped, error) {
	t.Helper()
	return stampDeclared(t, declared, tree, out, only...)
}

func stampDeclared(t *testing.T, declared string, tree fs.FS, out string, only ...string) ([]Stamped, error) {
	t.Helper()
	file, err := delivery.Parse("delivery.yaml", []byte(declared))
	if err != nil {
		t.Fatal(err)
	}
	v, err := ref.ParseVersion("1.22.333-rc.4")
	if err != nil {
		t.Fatal(err)
	}
	fetch := func(context.Context, string, string) ([]byte, oci.Description, error) {
		return nil, oci.Description{}, errors.New("nothing to fetch")
	}
	s := Stamper{Tree: tree, File: file, Version: v, Time: time.Date(2026, 1, 2, 3, 4, 5, 6, time.FixedZone("x", 3600)), Fetch: fetch, Only: only}
	return s.Stamp(context.Background(), out)
}

func TestStampChangesNothingButTheVersions(t *testing.T) {
	t.Parallel()
	out := filepath.Join(t.TempDir(), "deep", "out")
	stamped, err := stamp(t, tree(), out)
	if err != nil {
		t.Fatal(err)
	}
	if len(stamped) != 2 || len(stamped[0].Edits) != 2 || len(stamped[1].Edits) != 1 {
		t.Fatalf("stamped %+v", stamped)
	}
	for source, copied := range map[string]string{
		"src/Chart.yaml":            "app/Chart.yaml",
		"src/templates/config.yaml": "app/templates/config.yaml",
		"hook.yaml":                 "hook.yaml",
	} {
		got, err := os.ReadFile(filepath.Join(out, copied))
		if err != nil {
			t.Fatal(err)
		}
		want := strings.ReplaceAll(string(tree()[source].Data), ref.Placeholder, "1.22.333-rc.4")
		if string(got) != want {
			t.Errorf("%s:\n%q, want\n%q", copied, got, want)
		}
	}
	if _, err := os.Stat(filepath.Join(out, "app-1.22.333-rc.4.tgz")); err != nil {
		t.Error(err)
	}
}

func TestStampAgainGivesTheSameBytes(t *testing.T) {
	t.Parallel()
	first, err := stamp(t, tree(), filepath.Join(t.TempDir(), "a"))
	if err != nil {
		t.Fatal(err)
	}
	second, err := stamp(t, tree(), filepath.Join(t.TempDir(), "quite", "elsewhere"))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(first[0].Archive, second[0].Archive) {
		t.Error("two packages of the same source differ")
	}
}

// A source that would make a wrong chart is refused, and nothing is written.
func TestStampRefuses(t *testing.T) {
	t.Parallel()
	const sub = "{name: sub, version: 1.0.0, repository: "
	const declared = "apiVersion: v2\nname: app\nversion: 0.0.0-unstamped\nappVersion: 0.0.0-unstamped\n"
	for name, test := range map[string]struct {
		file, text, says string
	}{
		"a version, no placeholder": {"src/Chart.yaml", strings.Replace(declared, "0.0.0-unstamped", "0.1.0", 1),
			`has version "0.1.0" and appVersion "1.22.333-rc.4"`},
		"a missing appVersion":             {"src/Chart.yaml", "apiVersion: v2\nname: app\nversion: 0.0.0-unstamped\n", `appVersion ""`},
		"another name":                     {"src/Chart.yaml", strings.Replace(declared, "app", "apple", 1), `named "apple"`},
		"a placeholder nobody recognises":  {"src/values.yaml", "x: 1\nmystery: 0.0.0-unstamped\n", "src/values.yaml:2: the placeholder"},
		"a dependency that does not exist": {"src/Chart.yaml", declared + "dependencies: [" + sub + "'oci://ghcr.io/o'}]\n", "fetching dependency sub 1.0.0"},
		"a dependency from elsewhere":      {"src/Chart.yaml", declared + "dependencies: [" + sub + "'https://x'}]\n", "want a registry"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			files := tree()
			files[test.file] = &fstest.MapFile{Data: []byte(test.text)}
			dir := t.TempDir()
			_, err := stamp(t, files, filepath.Join(dir, "out"))
			if err == nil || !strings.Contains(err.Error(), test.says) {
				t.Errorf("got %v, want it to say %q", err, test.says)
			}
			if left, _ := os.ReadDir(dir); len(left) > 0 {
				t.Errorf("left behind: %v", left)
			}
		})
	}
}

// The lines that keep helm from packaging the source are in no copy. Every other line is.
func TestStampOmitsSourceOnlyLines(t *testing.T) {
	t.Parallel()
	files := tree()
	own := "apiVersion: v2\nname: app\nversion: 0.0.0-unstamped\nappVersion: 0.0.0-unstamped\n"
	files["src/Chart.yaml"] = &fstest.MapFile{Data: []byte(own + "# this, too: ghhelper:source-only\n" +
		"dependencies: [{name: nobody's}] # ghhelper:source-only\nhome: https://x # ghhelper:source-only is no end of this\n")}
	about := "A line of Chart.yaml may end in # ghhelper:source-only\n"
	files["src/README.md"] = &fstest.MapFile{Data: []byte(about)}
	out := filepath.Join(t.TempDir(), "out")
	if _, err := stamp(t, files, out); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(filepath.Join(out, "app", "Chart.yaml"))
	want := strings.ReplaceAll(own, "0.0.0-unstamped", "1.22.333-rc.4") + "home: https://x # ghhelper:source-only is no end of this\n"
	if err != nil || string(got) != want {
		t.Errorf("got %q, %v, want %q", got, err, want)
	}
	if got, err := os.ReadFile(filepath.Join(out, "app", "README.md")); err != nil || string(got) != about {
		t.Errorf("README.md: got %q, %v, want it as it is", got, err)
	}
}

func TestStampIntoAnEmptyFolder(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	before, err := os.Stat(dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := stamp(t, tree(), dir+"/"); err != nil {
		t.Fatal(err)
	}
	after, err := os.Stat(dir)
	if err != nil || !os.SameFile(before, after) {
		t.Errorf("the folder was replaced: %v", err)
	}
	if left, _ := filepath.Glob(filepath.Join(filepath.Dir(dir), ".stamp-*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestStampIntoAFolderInUse(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "mine"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	_, err := stamp(t, tree(), dir)
	if outcome.Of(err) != outcome.Usage || !strings.Contains(err.Error(), "is not empty") {
		t.Errorf("got %v", err)
	}
}

// An artifact that is not requested is not stamped: here, one with a missing dependency.
func TestStampTakesOnlyWhatIsNamed(t *testing.T) {
	t.Parallel()
	files := tree()
	files["src/Chart.yaml"] = &fstest.MapFile{Data: []byte("apiVersion: v2\nname: app\nversion: 0.0.0-unstamped\n" +
		"appVersion: 0.0.0-unstamped\ndependencies: [{name: sub, version: 1.0.0, repository: 'oci://ghcr.io/o'}]\n")}
	out := filepath.Join(t.TempDir(), "out")
	stamped, err := stamp(t, files, out, "hook")
	if err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(out)
	if err != nil || len(entries) != 1 || entries[0].Name() != "hook.yaml" || len(stamped) != 1 || stamped[0].Artifact != "hook" {
		t.Errorf("saw %v, %+v, %v, want hook.yaml alone", entries, stamped, err)
	}
}

func TestStampRefusesWhatIsNoArtifact(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	_, err := stamp(t, tree(), filepath.Join(dir, "out"), "hook", "hook.yaml")
	if outcome.Of(err) != outcome.Usage || !strings.Contains(err.Error(), `"hook.yaml" is not stamped: want one of app, hook`) {
		t.Errorf("saw %v, want a usage error that names what there is", err)
	}
	if left, _ := os.ReadDir(dir); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

// The version and the appVersion of a chart have the declared forms. A free one, and the appVersion of another
// component, are left as they are.
func TestStampFormsOfChart(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ keys, text, saw, want string }{
		"appVersion with a v": {`appVersion: "v{version}"`, "version: 0.0.0-unstamped\nappVersion: v0.0.0-unstamped\n", "",
			"version: 1.22.333-rc.4\nappVersion: v1.22.333-rc.4\n"},
		"appVersion without its v": {`appVersion: "v{version}"`, "version: 0.0.0-unstamped\nappVersion: 0.0.0-unstamped\n",
			`want "1.22.333-rc.4" and "v1.22.333-rc.4"`, ""},
		"a tag with a v": {`tag: "v{version}", version: "{version}"`, "version: 0.0.0-unstamped\nappVersion: v0.0.0-unstamped\n", "",
			"version: 1.22.333-rc.4\nappVersion: v1.22.333-rc.4\n"},
		"free": {"version: free, appVersion: free", "version: 0.3.0\nappVersion: spring\n", "", "version: 0.3.0\nappVersion: spring\n"},
		"another component": {"app: web", "version: 0.0.0-unstamped\nappVersion: v2.1.0\n", "",
			"version: 1.22.333-rc.4\nappVersion: v2.1.0\n"},
		"another component without a version": {"app: web", "version: 0.0.0-unstamped\nappVersion: spring\n",
			`appVersion "spring", want "1.22.333-rc.4" and "a version of web"`, ""},
		"a library": {"static: false", "type: library\nversion: 0.0.0-unstamped\n", "", "type: library\nversion: 1.22.333-rc.4\n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			const head = "apiVersion: v2\nname: app\n"
			declared := "version: 1\nself: us\ncomponents:\n  web: {repository: o/web}\n  us:\n    repository: o/us\n    artifacts:\n" +
				"      app: {kind: chart, at: ghcr.io/o/app, source: src, " + test.keys + "}\n"
			out := filepath.Join(t.TempDir(), "out")
			_, err := stampDeclared(t, declared, fstest.MapFS{"src/Chart.yaml": {Data: []byte(head + test.text)}}, out)
			if test.saw != "" {
				if err == nil || !strings.Contains(err.Error(), test.saw) {
					t.Errorf("got %v, want an error with %q", err, test.saw)
				}
				return
			}
			got, readErr := os.ReadFile(filepath.Join(out, "app", "Chart.yaml"))
			if err := errors.Join(err, readErr); err != nil || string(got) != head+test.want {
				t.Errorf("got %q, %v, want %q", got, err, head+test.want)
			}
		})
	}
}
