package render_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/kubestellar/actions/internal/chart"
	"github.com/kubestellar/actions/internal/delivery"
	"github.com/kubestellar/actions/internal/ref"
	"github.com/kubestellar/actions/internal/render"
	"github.com/kubestellar/actions/internal/resolve"
)

// The findings of a rendering of our own chart name the line of the template, or the template and the value.
func TestSource(t *testing.T) {
	t.Parallel()
	f, err := delivery.Parse(delivery.FileName, []byte(`version: 1
self: us
components:
  us: {repository: o/us, artifacts: {app: {kind: chart, at: ghcr.io/o/charts/app, source: deploy/app}}}
  up: {repository: o/up, artifacts: {image: {kind: image, at: ghcr.io/o/up}}}
`))
	if err != nil {
		t.Fatal(err)
	}
	own, err := ref.ParseVersion("4.5.6")
	if err != nil {
		t.Fatal(err)
	}
	const values = "own: 4.5.6\nup: 1.2.0\nwith: v1.2.0\nimage: ghcr.io/o/up\n"
	const notes = "deploy/app/templates/NOTES.txt"
	for name, test := range map[string]struct{ notes, helpers, want string }{
		"a link without a v": {
			notes: "Welcome.\nSee https://github.com/o/us/blob/{{ .Values.own }}/x.md\n",
			want:  notes + ":2:34 v-prefix: {{ .Values.own }} with the value 0.0.0-unstamped, want v{{ .Values.own }}\n",
		},
		"a link to another component": {
			notes: "See https://github.com/o/up/blob/{{ .Values.up }}/x.md\n",
			want: notes + ":1:34 v-prefix: {{ .Values.up }} with the value 1.2.0, want v{{ .Values.up }}\n" +
				"git tag of o/up at 1.2.0\nblob of o/up at 1.2.0\n",
		},
		"a link with a v": {notes: "See https://github.com/o/us/blob/v{{ .Values.own }}/x.md\n"},
		"a link to a path that is not in the tree": {
			notes: "See https://github.com/o/us/blob/v{{ .Values.own }}/docs/gone.md\n",
			want:  notes + ":1:34 exists: a link to docs/gone.md at our own tag, want a path of this commit\n",
		},
		"a link from a helper": {
			notes: "{{ include \"link\" . }}\n", helpers: `{{ define "link" }}https://github.com/o/us/blob/{{ .Values.own }}/x.md{{ end }}`,
			want: notes + ":1:1 v-prefix: 0.0.0-unstamped in line 1 of the rendering, want v0.0.0-unstamped\n",
		},
		"an image with a v": {
			notes: "image: {{ .Values.image }}:{{ .Values.with }}\n",
			want:  notes + ":1:28 v-prefix: ghcr.io/o/up:v1.2.0, want 1.2.0\nimage of ghcr.io/o/up at v1.2.0\n",
		},
		"an image that is not declared": {
			notes: "Welcome.\n{{ if true }}\n  image: ghcr.io/else/x:7\n{{ end }}", want: "image of ghcr.io/else/x at 7\n",
		},
		"latest": {
			notes: "Welcome.\n{{ if true }}\n  image: ghcr.io/else/x:latest\n{{ end }}",
			want:  notes + ":3:1 rendered-image: image ghcr.io/else/x:latest, want a version, not latest\n",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tree := fstest.MapFS{
				"x.md":                           {},
				"deploy/app/Chart.yaml":          {Data: []byte("apiVersion: v2\nname: app\nversion: 4.5.6\n")},
				"deploy/app/values.yaml":         {Data: []byte(values)},
				notes:                            {Data: []byte(test.notes)},
				"deploy/app/templates/_help.tpl": {Data: []byte(test.helpers)},
			}
			c, err := chart.LoadFS(tree, "deploy/app")
			if err != nil {
				t.Fatal(err)
			}
			source := render.Source{File: f, Tree: tree, Names: []string{"x.md"}, Artifact: "app", Version: own, Preview: true}
			r, err := source.Render(func(sets ...render.Values) (render.Rendering, error) {
				return render.Chart(f, c, own, sets...)
			})
			if err != nil {
				t.Fatal(err)
			}
			var got strings.Builder
			for _, finding := range r.Findings {
				fmt.Fprintf(&got, "%s:%d:%d %s: %s, want %s\n",
					finding.File, finding.Line, finding.Column, finding.Rule, finding.Saw, finding.Want)
			}
			for _, target := range resolve.Sorted(r.Named) {
				if target.At != "o/us" {
					fmt.Fprintf(&got, "%s of %s at %s\n", target.Kind, target.At, target.Tag)
				}
				if r.Named[target].File != notes {
					t.Errorf("%s is named at %s", target, r.Named[target])
				}
			}
			if diff := cmp.Diff(test.want, got.String()); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}
