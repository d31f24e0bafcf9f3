package find

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/kubestellar/actions/internal/delivery"
	"github.com/kubestellar/actions/internal/ref"
)

const fuzzed = `version: 1
self: us
components:
  us: {repository: o/us, artifacts: {app: {kind: chart, at: ghcr.io/o/us/app, source: charts/app}}}
  upstream:
    repository: o/upstream
    artifacts:
      image: {kind: image, at: ghcr.io/o/upstream}
      chart: {kind: chart, at: ghcr.io/o/upstream-chart, tag: "v{version}"}
      module: {kind: module, at: example.org/upstream}
    names: [UPSTREAM_VERSION]
    patterns: [{match: 'at (?P<version>[0-9.]+) of it'}]
ignore: [{pattern: old, because: it is}]
`

// Each form is fuzzed from texts that contain it. For every text, a reference is at its
// site, and a second search has the same result. Moving all references changes only their
// bytes, and a search then finds the moved ones.
func FuzzTag(f *testing.F)        { fuzz(f, "deploy.yaml", "locations", "location-digest") }
func FuzzOption(f *testing.F)     { fuzz(f, "install.sh", "options", "arguments", "hook") }
func FuzzKey(f *testing.F)        { fuzz(f, "values.yaml", "keys", "json") }
func FuzzValue(f *testing.F)      { fuzz(f, "Makefile", "names", "values") }
func FuzzRepository(f *testing.F) { fuzz(f, ".github/workflows/ci.yml", "repositories", "links") }
func FuzzInstaller(f *testing.F)  { fuzz(f, "setup.sh", "installers") }
func FuzzModule(f *testing.F)     { fuzz(f, "go.mod", "modules") }
func FuzzProse(f *testing.F)      { fuzz(f, "guide.md", "prose") }
func FuzzSecret(f *testing.F)     { fuzz(f, "hooks.yaml", "secret") }
func FuzzChart(f *testing.F)      { fuzz(f, "charts/app/Chart.yaml", "chart") }

func fuzz(f *testing.F, name string, cases ...string) {
	for _, c := range cases {
		data, err := os.ReadFile(filepath.Join("testdata", c+".case"))
		if err != nil {
			f.Fatal(err)
		}
		_, text, _ := strings.Cut(string(data), " --\n")
		text, _, _ = strings.Cut(text, "-- found --\n")
		f.Add([]byte(text))
		f.Add([]byte("\xef\xbb\xbf" + strings.ReplaceAll(text, "\n", "\r\n")))
		for line := range strings.Lines(text) {
			f.Add([]byte(line))
		}
	}
	file, err := delivery.Parse("delivery.yaml", []byte(fuzzed))
	if err != nil {
		f.Fatal(err)
	}
	finder := New(file)
	to, err := ref.ParseVersion("10.20.30-rc.1")
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, data []byte) { moveAll(t, finder, name, data, to) })
}

func moveAll(t *testing.T, finder *Finder, name string, data []byte, to ref.Version) {
	found := finder.Text(name, data)
	if again := finder.Text(name, data); !slices.EqualFunc(found, again, same) {
		t.Fatalf("found %v, and the second time %v", found, again)
	}
	var want []ref.Reference
	var edited []byte
	last := 0
	for _, r := range found {
		if r.Context.Encoded {
			continue
		}
		if r.Start < last || r.End > len(data) || string(data[r.Start:r.End]) != r.Written {
			t.Fatalf("%s: %q is not there, or overlaps", r.Site, r.Written)
		}
		edited = append(edited, data[last:r.Start]...)
		last = r.End
		if !r.Use && !r.Moving {
			r.Written = r.Spell(to)
		}
		r.Start = len(edited)
		edited = append(edited, r.Written...)
		r.End = len(edited)
		want = append(want, r)
	}
	edited = append(edited, data[last:]...)
	got := slices.DeleteFunc(finder.Text(name, edited), func(r ref.Reference) bool { return r.Context.Encoded })
	if !slices.EqualFunc(want, got, same) {
		t.Fatalf("%q, moved, is %q: found %v, want %v", data, edited, got, want)
	}
}

// same reports whether two references are equal, with their place.
func same(a, b ref.Reference) bool {
	return a.Start == b.Start && a.End == b.End && a.Written == b.Written && a.Component == b.Component && a.Syntax == b.Syntax && a.Use == b.Use
}
