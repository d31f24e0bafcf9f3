package render_test

import (
	"fmt"
	"maps"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/kubestellar/actions/internal/chart"
	"github.com/kubestellar/actions/internal/delivery"
	"github.com/kubestellar/actions/internal/outcome"
	"github.com/kubestellar/actions/internal/ref"
	"github.com/kubestellar/actions/internal/render"
	"github.com/kubestellar/actions/internal/resolve"
)

func declared(t *testing.T) *delivery.File {
	t.Helper()
	f, err := delivery.Parse(delivery.FileName, []byte(`version: 1
self: us
components:
  us: {repository: o/us, artifacts: {image: {kind: image, at: ghcr.io/o/us}}}
  up: {repository: o/up, artifacts: {image: {kind: image, at: ghcr.io/o/up}}}
`))
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// loaded returns a chart with one template.
func loaded(t *testing.T, template string) *chart.Chart {
	t.Helper()
	c, err := chart.LoadFS(fstest.MapFS{
		"Chart.yaml":            {Data: []byte("apiVersion: v2\nname: app\nversion: 1.0.0\n")},
		"values.yaml":           {Data: []byte("image: ghcr.io/o/up:1.2.3\nextra: \"\"\n")},
		"templates/object.yaml": {Data: []byte(template)},
	}, ".")
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// short returns a rendering as text.
func short(r render.Rendering) string {
	var b strings.Builder
	for _, target := range resolve.Sorted(r.Named) {
		fmt.Fprintf(&b, "%s at %s\n", target, r.Named[target])
	}
	for _, finding := range r.Findings {
		fmt.Fprintf(&b, "%s:%d %s: %s\n", finding.File, finding.Line, finding.Rule, finding.Saw)
	}
	return b.String()
}

func TestChart(t *testing.T) {
	t.Parallel()
	own, err := ref.ParseVersion("4.5.6")
	if err != nil {
		t.Fatal(err)
	}
	const file = "app/templates/object.yaml"
	for name, test := range map[string]struct{ template, want string }{
		"a declared image": {
			"image: {{ .Values.image }}\n",
			"image ghcr.io/o/up:1.2.3 at " + file + ":1:21\n",
		},
		"an undeclared image": {
			"image: ghcr.io/else/x:7\n",
			"image ghcr.io/else/x:7 at " + file + ":1\n",
		},
		"an image without a version": {
			"image: ghcr.io/else/x\n",
			file + ":1 rendered-image: image ghcr.io/else/x\n",
		},
		"a placeholder": {
			"image: ghcr.io/o/us:0.0.0-unstamped\n",
			"image ghcr.io/o/us:4.5.6 at " + file + ":1:21\n" + file + ":1 placeholder-survives: 0.0.0-unstamped\n",
		},
		"twice": {
			"image: ghcr.io/o/up:1.2.3\n---\nimage: ghcr.io/o/up:1.2.3\n",
			"image ghcr.io/o/up:1.2.3 at " + file + ":1:21\n",
		},
		"with one set of values only": {
			"image: {{ .Values.image }}\n{{ if .Values.extra }}---\nimage: {{ .Values.extra }}\n{{ end }}",
			"image ghcr.io/else/y:8 at " + file + ":3\nimage ghcr.io/o/up:1.2.3 at " + file + ":1:21\n",
		},
		"wrong with one set of values only": {
			"image: {{ .Values.image }}\n{{ if .Values.extra }}---\nimage: ghcr.io/else/x:latest\n{{ end }}",
			"image ghcr.io/o/up:1.2.3 at " + file + ":1:21\n" +
				file + ":3 rendered-image: image ghcr.io/else/x:latest (with the values in ci/more.yaml)\n",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			more := render.Values{Name: "ci/more.yaml", Set: map[string]any{"extra": "ghcr.io/else/y:8"}}
			r, err := render.Chart(declared(t), loaded(t, test.template), own, render.Values{}, more)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, short(r)); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

// Without a version of our own, a placeholder names nothing.
func TestPlaceholderWithoutVersion(t *testing.T) {
	t.Parallel()
	r, err := render.Chart(declared(t), loaded(t, "image: ghcr.io/o/us:0.0.0-unstamped\n"), ref.Version{}, render.Values{})
	if err != nil || len(r.Named) > 0 || len(r.Findings) != 1 {
		t.Errorf("%v\n%s", err, short(r))
	}
}

func TestChartThatDoesNotRender(t *testing.T) {
	t.Parallel()
	more := render.Values{Name: "ci/more.yaml", Set: map[string]any{"extra": "x"}}
	_, err := render.Chart(declared(t), loaded(t, `{{ if .Values.extra }}{{ fail "no" }}{{ end }}`), ref.Version{}, render.Values{}, more)
	if outcome.Of(err) != outcome.Wrong || !strings.Contains(fmt.Sprint(err), "with the values in ci/more.yaml: ") {
		t.Errorf("%v with code %d", err, outcome.Of(err))
	}
}

func TestReadValues(t *testing.T) {
	t.Parallel()
	tree := fstest.MapFS{"ci/b.yaml": {Data: []byte("b: 1\n")}, "ci/a.yaml": {Data: []byte("a: 1\n")}, "bad.yaml": {Data: []byte("- 1\n")}}
	for _, test := range []struct {
		patterns []string
		names    string
		says     string
	}{
		{nil, "", ""},
		{[]string{"ci/*.yaml"}, ",ci/a.yaml,ci/b.yaml", ""},
		{[]string{"ci/b.yaml", "ci/a.yaml"}, ",ci/b.yaml,ci/a.yaml", ""},
		{[]string{"none/*.yaml"}, "", `values "none/*.yaml" match no file of the tree`},
		{[]string{"[.yaml"}, "", "syntax error in pattern"},
		{[]string{"bad.yaml"}, "", "reading the values in bad.yaml"},
	} {
		sets, err := render.ReadValues(tree, test.patterns)
		var names []string
		for _, set := range sets {
			names = append(names, set.Name)
		}
		if test.says == "" && (err != nil || strings.Join(names, ",") != test.names) {
			t.Errorf("%q: %q, %v", test.patterns, names, err)
		}
		if test.says != "" && (outcome.Of(err) != outcome.Usage || !strings.Contains(err.Error(), test.says)) {
			t.Errorf("%q: %v, want a usage error that contains %q", test.patterns, err, test.says)
		}
	}
}

// Memo returns what it rendered before for the same package, version and values, and renders again for any other.
func TestMemo(t *testing.T) {
	t.Parallel()
	f, versions := declared(t), []ref.Version{{}, {}}
	var err error
	if versions[1], err = ref.ParseVersion("4.5.6"); err != nil {
		t.Fatal(err)
	}
	archive, err := loaded(t, "image: ghcr.io/o/us:0.0.0-unstamped\n").Package(time.Unix(0, 0))
	if err != nil {
		t.Fatal(err)
	}
	memo := &render.Memo{}
	for i, own := range versions {
		first, err := memo.Archive(f, "app", archive, own, render.Values{})
		if err != nil || strings.Contains(short(first), "ghcr.io/o/us:4.5.6") != (i == 1) {
			t.Fatalf("version %q: %v\n%s", own, err, short(first))
		}
		maps.Copy(first.Named, resolve.Named{{Tag: "marked"}: {}}) // only a remembered rendering has it as well
		again, err := memo.Archive(f, "app", archive, own, render.Values{})
		if _, marked := again.Named[resolve.Target{Tag: "marked"}]; err != nil || !marked {
			t.Errorf("version %q was rendered again: %v", own, err)
		}
		fresh, err := (*render.Memo)(nil).Archive(f, "app", archive, own, render.Values{})
		if _, marked := fresh.Named[resolve.Target{Tag: "marked"}]; err != nil || marked {
			t.Errorf("a nil Memo remembers: %v", err)
		}
	}
}
