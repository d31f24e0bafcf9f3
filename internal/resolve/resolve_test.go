package resolve

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/kubestellar/actions/internal/delivery"
	"github.com/kubestellar/actions/internal/outcome"
	"github.com/kubestellar/actions/internal/ref"
)

func TestTargets(t *testing.T) {
	t.Parallel()
	f, err := delivery.Parse("delivery.yaml", []byte(`version: 1
self: us
components:
  us: {repository: o/us, artifacts: {app: {kind: chart, at: ghcr.io/o/app, tag: "v{version}"}}}
  up:
    repository: o/up
    artifacts:
      image: {kind: image, at: ghcr.io/o/up}
      chart: {kind: chart, at: ghcr.io/o/up-chart, tag: "v{version}"}
      module: {kind: module, at: github.com/o/up}
`))
	if err != nil {
		t.Fatal(err)
	}
	own, _ := ref.ParseVersion("7.8.9")
	for _, test := range []struct{ component, artifact, written, syntax, want string }{
		{"up", "image", "1.2.3", "tag", "image ghcr.io/o/up:1.2.3"},
		{"up", "", "v1.2.3", "appVersion", "image ghcr.io/o/up:1.2.3"},
		{"up", "image", "v1.2.3", "tag", "image ghcr.io/o/up:v1.2.3"},
		{"up", "", "1.2.3", "value", "chart ghcr.io/o/up-chart:v1.2.3, image ghcr.io/o/up:1.2.3"},
		{"up", "", "v1.2.3", "link", "git tag v1.2.3 of o/up"},
		{"us", "app", "0.0.0-unstamped", "--version", "chart ghcr.io/o/app:v7.8.9"},
		{"up", "module", "v1.2.3", "module", "module github.com/o/up@v1.2.3"},
	} {
		r := ref.Reference{Component: test.component, Artifact: test.artifact, Written: test.written, Syntax: ref.Syntax(test.syntax)}
		targets, err := Targets(f, r, own)
		var got []string
		for _, target := range targets {
			got = append(got, target.String())
		}
		if err != nil || strings.Join(got, ", ") != test.want {
			t.Errorf("%+v: got %v, %v", test, got, err)
		}
	}
}

// Existence is asked at the former name that a place has.
func TestTargetsOfFormerNames(t *testing.T) {
	t.Parallel()
	f, err := delivery.Parse("delivery.yaml", []byte(`version: 1
self: us
components:
  us: {repository: o/us}
  up: {repository: new/up, artifacts: {image: {kind: image, at: ghcr.io/new/up}, module: {kind: module, at: up.example.com/x}}}
`))
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct{ artifact, syntax, former, want string }{
		{"image", "tag", "quay.io/o/up", "image quay.io/o/up:v1.2.3"},
		{"module", "module", "example.com/up", "module example.com/up@v1.2.3"},
		{"", "module", "o/up", "module github.com/o/up@v1.2.3"},
		{"", "link", "o/up", "git tag v1.2.3 of o/up"},
		{"", "key", "o/up", "image ghcr.io/new/up:1.2.3"},
	} {
		r := ref.Reference{Component: "up", Artifact: test.artifact, Written: "v1.2.3", Syntax: ref.Syntax(test.syntax),
			Former: &ref.Former{Written: test.former}}
		targets, err := Targets(f, r, ref.Version{})
		if err != nil || len(targets) != 1 || targets[0].String() != test.want {
			t.Errorf("%+v: got %v, %v", test, targets, err)
		}
	}
}

type counting struct{ queries atomic.Int32 }

func (c *counting) Resolve(_ context.Context, t Target) Answer {
	c.queries.Add(1)
	return Answer{Target: t, Err: outcome.ErrAbsent}
}

func TestAllQueriesOnceAndTableFirst(t *testing.T) {
	t.Parallel()
	queried := &counting{}
	table := Table{Digests: map[string]string{"a:1": "sha256:x"}, Next: queried}
	answers := All(context.Background(), table, []Target{{At: "a", Tag: "1"}, {At: "b", Tag: "1"}, {At: "a", Tag: "1"}, {At: "b", Tag: "1"}})
	if len(answers) != 2 || answers[0].Digest != "sha256:x" || !answers[1].Absent() || queried.queries.Load() != 1 {
		t.Errorf("answers %+v, queried %d times", answers, queried.queries.Load())
	}
}

// A target's text is part of messages, and its name is part of delivery.yaml.
func TestNames(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		target    Target
		text, url string
	}{
		{Target{Kind: GitTag, At: "o/up", Tag: "v1.2.3"}, "git tag v1.2.3 of o/up", ""},
		{Target{Kind: Branch, At: "o/up", Tag: "release-1.2.3"}, "branch or tag release-1.2.3 of o/up", ""},
		{Target{Kind: Image, At: "ghcr.io/o/up", Tag: "1.2.3"}, "image ghcr.io/o/up:1.2.3", ""},
		{Target{Kind: Module, At: "github.com/o/up", Tag: "v1.2.3"}, "module github.com/o/up@v1.2.3", ""},
		{Target{Kind: Blob, At: "o/up", Tag: "v1.2.3", Path: "a/b"}, "https://github.com/o/up/blob/v1.2.3/a/b", "https://ghe.example/o/up/blob/v1.2.3/a/b"},
		{Target{Kind: Tree, At: "o/up", Tag: "v1.2.3", Path: "a"}, "https://github.com/o/up/tree/v1.2.3/a", "https://ghe.example/o/up/tree/v1.2.3/a"},
		{Target{Kind: Raw, At: "o/up", Tag: "v1.2.3", Path: "a/b"},
			"https://raw.githubusercontent.com/o/up/v1.2.3/a/b", "https://ghe.example/o/up/raw/v1.2.3/a/b"},
		{Target{Kind: Asset, At: "o/up", Tag: "v1.2.3", Path: "x.tgz"},
			"https://github.com/o/up/releases/download/v1.2.3/x.tgz", "https://ghe.example/o/up/releases/download/v1.2.3/x.tgz"},
	} {
		if got := test.target.String(); got != test.text {
			t.Errorf("String returns %q, want %q", got, test.text)
		}
		if got := test.target.URL("https://ghe.example"); test.url != "" && got != test.url {
			t.Errorf("URL returns %q, want %q", got, test.url)
		}
	}
	if got := (Target{Kind: Chart, At: "ghcr.io/o/up", Tag: "1.2.3"}).Name(); got != "ghcr.io/o/up:1.2.3" {
		t.Errorf("Name returns %q", got)
	}
}
