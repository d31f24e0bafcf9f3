package find

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/kubestellar/actions/internal/delivery"
)

const declared = `version: 1
self: us
components:
  us:
    repository: o/us
    artifacts:
      app: {kind: chart, at: ghcr.io/o/us/app, source: charts/app}
  upstream:
    repository: o/upstream
    artifacts:
      image: {kind: image, at: ghcr.io/o/upstream}
      chart: {kind: chart, at: ghcr.io/o/upstream-chart, tag: "v{version}"}
    names: [UPSTREAM_VERSION]
`

var update = flag.Bool("update", false, "write what is found into the cases; then read the difference")

func finder(t *testing.T, more string) *Finder {
	t.Helper()
	f, err := delivery.Parse("delivery.yaml", []byte(declared+more))
	if err != nil {
		t.Fatal(err)
	}
	return New(f)
}

// Each case is a file: a text with references and, after the line "-- found --", one line
// for each reference.
func TestText(t *testing.T) {
	t.Parallel()
	cases, err := filepath.Glob("testdata/*.case")
	if err != nil || len(cases) == 0 {
		t.Fatalf("no cases: %v", err)
	}
	for _, path := range cases {
		t.Run(filepath.Base(path), func(t *testing.T) {
			t.Parallel()
			data, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			name, rest, _ := strings.Cut(strings.TrimPrefix(string(data), "-- "), " --\n")
			text, want, ok := strings.Cut(rest, "-- found --\n")
			if !ok {
				t.Fatal("the case has no line -- found --")
			}
			got := found(finder(t, ""), name, text)
			if *update {
				data = []byte("-- " + name + " --\n" + text + "-- found --\n" + got)
				if err := os.WriteFile(path, data, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func found(f *Finder, name, text string) string {
	var b strings.Builder
	for _, r := range f.Text(name, []byte(text)) {
		kind := string(r.Syntax)
		if r.Use {
			kind += ", a use"
		}
		fmt.Fprintf(&b, "%d:%d %s/%s %s (%s)", r.Line, r.Column, r.Component, r.Artifact, r.Written, kind)
		if r.Lock != nil {
			fmt.Fprintf(&b, " lock %.16s", r.Lock.Written)
		}
		if r.Context.Encoded {
			b.WriteString(" in base64\n")
			continue
		}
		b.WriteString("\n")
		if text[r.Start:r.End] != r.Written {
			fmt.Fprintf(&b, "  but its span holds %q\n", text[r.Start:r.End])
		}
	}
	return b.String()
}

func TestBinaryFilesAreSkipped(t *testing.T) {
	t.Parallel()
	if got := finder(t, "").Text("x", []byte("ghcr.io/o/upstream:1.2.3\x00")); got != nil {
		t.Errorf("found %v", got)
	}
}

func TestFilesWithExcuses(t *testing.T) {
	t.Parallel()
	tree := fstest.MapFS{
		"a.yaml":           {Data: []byte("UPSTREAM_VERSION: 1.2.3\n")},
		"old/b.yaml":       {Data: []byte("UPSTREAM_VERSION: 1.0.0\n")},
		"deep/er/notes.md": {Data: []byte("UPSTREAM_VERSION: 1.1.0\n")},
	}
	files := []string{"a.yaml", "old/b.yaml", "deep/er/notes.md"}
	excused := finder(t, "ignore: [{files: old/, because: history}, {files: notes.md, because: prose}]\n")
	found, err := excused.Files(t.Context(), tree, files)
	if err != nil || len(found.References) != 3 || len(found.Idle) > 0 {
		t.Fatalf("found %+v, %v", found, err)
	}
	for i, want := range []string{"", "history", "prose"} {
		if got := found.References[i].Excused; got != want {
			t.Errorf("%s is excused because %q, want %q", found.References[i].Site, got, want)
		}
	}
	idle := finder(t, "ignore: [{files: older/, because: history}]\n")
	if found, err := idle.Files(t.Context(), tree, files); err != nil || len(found.Idle) != 1 || !strings.Contains(found.Idle[0].What, `"older/"`) {
		t.Errorf("an excuse that excuses nothing: %+v, %v", found.Idle, err)
	}
}

// A version that go.mod excludes is not a pin, with any line ending.
func TestExcludedModules(t *testing.T) {
	t.Parallel()
	const text = "exclude (\r\n\tgithub.com/o/upstream v0.0.6\r\n)\r\nrequire github.com/o/upstream v0.9.4\r\n"
	if got, want := found(finder(t, ""), "go.mod", text), "4:31 upstream/ v0.9.4 (module)\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
