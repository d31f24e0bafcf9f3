package decide

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kubestellar/actions/internal/delivery"
	"github.com/kubestellar/actions/internal/find"
	"github.com/kubestellar/actions/internal/ref"
)

func file(t *testing.T) *delivery.File {
	t.Helper()
	f, err := delivery.Parse("delivery.yaml", []byte(`version: 1
self: us
components:
  us:
    repository: o/us
    artifacts: {app: {kind: chart, at: ghcr.io/o/app, source: app}}
  twin: {repository: o/twin, lockstep: us, artifacts: {image: {kind: image, at: ghcr.io/o/twin}}}
  up: {repository: o/up, artifacts: {chart: {kind: chart, at: ghcr.io/o/up, tag: "v{version}"}}}
`))
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func at(file, component, artifact, written string) ref.Reference {
	return ref.Reference{Site: ref.Site{File: file, Line: 1, Column: 1}, Component: component, Artifact: artifact, Written: written}
}

// findingsOf returns the findings of Check.
func findingsOf(f *delivery.File, found find.Found, tagged Tagged) []Finding {
	findings, _ := Check(f, found, tagged)
	return findings
}

func TestCheck(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		reference ref.Reference
		rules     string
	}{
		{at("f", "us", "app", "0.0.0-unstamped"), ""},
		{at("f", "us", "app", "1.2.3"), "self-reference"},
		{at("f", "twin", "image", "0.0.0-unstamped"), ""},
		{at("f", "twin", "", "1.2.3"), "self-reference"},
		{at("f", "up", "chart", "v1.2.3"), ""},
		{at("f", "up", "chart", "1.2.3"), "v-prefix"},
		{at("f", "up", "", "1.2.3"), ""},
		{at("f", "up", "chart", "v0.0.0-unstamped"), "placeholder"},
		{at("f", "us", "app", "v0.0.0-unstamped"), "v-prefix"},
	} {
		var rules []string
		for _, finding := range findingsOf(file(t), find.Found{References: []ref.Reference{test.reference}}, nil) {
			rules = append(rules, finding.Rule)
		}
		if got := strings.Join(rules, " "); got != test.rules {
			t.Errorf("%s %s: %q, want %q", test.reference.Component, test.reference.Written, got, test.rules)
		}
	}
}

// A chart that ours depends on is pinned by digest, at the version that Chart.yaml names.
func TestADependencyIsRecorded(t *testing.T) {
	t.Parallel()
	pin := "ghcr.io/o/up:v1.2.3@sha256:" + strings.Repeat("0", 64)
	for _, test := range []struct{ file, written, recorded, saw string }{
		{"src/Chart.yaml", "v1.2.3", pin, ""},
		{"src/Chart.yaml", "v1.2.3", "", "dependency: v1.2.3 without a digest"},
		{"src/Chart.yaml", "v1.2.4", pin, "agreement: v1.2.4"},
		{"elsewhere/Chart.yaml", "v1.2.3", "", ""},
		{"src/values.yaml", "v1.2.3", "", ""},
	} {
		f := file(t)
		own := f.Own().Artifacts["app"]
		own.Source = "src"
		if test.recorded != "" {
			own.Dependencies = []string{test.recorded}
		}
		f.Own().Artifacts["app"] = own
		saw := ""
		for _, finding := range findingsOf(f, find.Found{References: []ref.Reference{at(test.file, "up", "chart", test.written)}}, nil) {
			if finding.Rule == "dependency" || strings.Contains(finding.Help, "records") {
				saw += finding.Rule + ": " + finding.Saw
			}
		}
		if saw != test.saw {
			t.Errorf("%+v: saw %q", test, saw)
		}
	}
}

func TestStampKeepsTheV(t *testing.T) {
	t.Parallel()
	v, _ := ref.ParseVersion("1.2.3")
	edits := Stamp(file(t), []ref.Reference{
		at("f", "us", "app", "v0.0.0-unstamped"),
		at("f", "twin", "image", "0.0.0-unstamped"),
		at("f", "up", "", "0.0.0-unstamped"),
		at("f", "us", "app", "1.0.0"),
	}, v)
	if len(edits) != 2 || edits[0].To != "v1.2.3" || edits[1].To != "1.2.3" {
		t.Errorf("planned %+v", edits)
	}
}

func TestOrder(t *testing.T) {
	t.Parallel()
	got, err := Order([]string{"a", "b", "c"}, map[string][]string{"a": {"b", "elsewhere"}, "b": {"c"}})
	if diff := cmp.Diff([]string{"c", "b", "a"}, got); diff != "" || err != nil {
		t.Errorf("%v\n%s", err, diff)
	}
	if _, err := Order([]string{"a", "b"}, map[string][]string{"a": {"b"}, "b": {"a"}}); err == nil || !strings.Contains(err.Error(), "a → b → a") {
		t.Errorf("a cycle: %v", err)
	}
}

func TestEdges(t *testing.T) {
	t.Parallel()
	v, _ := ref.ParseVersion("1.2.3")
	use := at("app/templates/x.yaml", "twin", "image", "{{ .Chart.AppVersion }}")
	use.Use = true
	chart := at("app/templates/y.yaml", "up", "chart", "v{{ .Values.UP }}")
	chart.Use = true
	got := Mermaid(Edges(file(t), []ref.Reference{
		at("app/values.yaml", "up", "", "2.0.0"), use, chart,
		at("README.md", "us", "app", "0.0.0-unstamped"), at("app/Chart.yaml", "us", "app", "0.0.0-unstamped"),
	}, v))
	want := `flowchart LR
  n0["us"]
  n1["us/app"]
  n0 -. "1.2.3" .-> n1
  n2["twin/image"]
  n1 -. "1.2.3" .-> n2
  n3["up/chart"]
  n1 -. "2.0.0" .-> n3
`
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// Each of these has been released.
func TestRendered(t *testing.T) {
	t.Parallel()
	for text, rule := range map[string]string{
		"image: ghcr.io/o/x:1.2.3":                             "",
		"- image: \"localhost:5000/x:1.2.3\"":                  "",
		"image: ghcr.io/o/x@sha256:" + strings.Repeat("0", 64): "",
		"image: ghcr.io/o/x:latest":                            "rendered-image",
		"image: ghcr.io/o/x":                                   "rendered-image",
		"  - image: 'ghcr.io/o/x:'":                            "rendered-image",
		"image: ghcr.io/o/x:${chartVersion}":                   "rendered-image",
		"image: localhost:5000/x":                              "rendered-image",
		"x: 0.0.0-unstamped":                                   "placeholder-survives",
	} {
		var rules []string
		for _, finding := range Rendered("f", text, nil) {
			rules = append(rules, finding.Rule)
		}
		if got := strings.Join(rules, " "); got != rule {
			t.Errorf("%s: %q, want %q", text, got, rule)
		}
	}
	use := at("f", "up", "chart", "{{.Version}}")
	use.Use = true
	if got := Rendered("f", "x", []ref.Reference{use}); len(got) != 1 || got[0].Rule != "unexpanded" {
		t.Errorf("an unexpanded template: %+v", got)
	}
}
