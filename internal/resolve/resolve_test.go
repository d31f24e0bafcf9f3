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
		{"up", "image", "v1.2.3", "tag", "image ghcr.io/o/up:v1.2.3"},
		{"up", "", "1.2.3", "value", "chart ghcr.io/o/up-chart:v1.2.3, image ghcr.io/o/up:1.2.3"},
		{"up", "", "v1.2.3", "link", "git tag v1.2.3 of o/up"},
		{"us", "app", "0.0.0-unstamped", "--version", "chart ghcr.io/o/app:v7.8.9"},
	} {
		targets, err := Targets(f, ref.Reference{Component: test.component, Artifact: test.artifact, Written: test.written, Syntax: ref.Syntax(test.syntax)}, own)
		var got []string
		for _, target := range targets {
			got = append(got, target.String())
		}
		if err != nil || strings.Join(got, ", ") != test.want {
			t.Errorf("%+v: got %v, %v", test, got, err)
		}
	}
}

type counting struct{ asked atomic.Int32 }

func (c *counting) Resolve(_ context.Context, t Target) Answer {
	c.asked.Add(1)
	return Answer{Target: t, Err: outcome.ErrAbsent}
}

func TestAllAsksOnceAndTableFirst(t *testing.T) {
	t.Parallel()
	asked := &counting{}
	table := Table{Digests: map[string]string{"a:1": "sha256:x"}, Next: asked}
	answers := All(context.Background(), table, []Target{{At: "a", Tag: "1"}, {At: "b", Tag: "1"}, {At: "a", Tag: "1"}, {At: "b", Tag: "1"}})
	if len(answers) != 2 || answers[0].Digest != "sha256:x" || !answers[1].Absent() || asked.asked.Load() != 1 {
		t.Errorf("answers %+v, asked %d times", answers, asked.asked.Load())
	}
}
