package verify_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/kubestellar/actions/internal/delivery"
	"github.com/kubestellar/actions/internal/find"
	"github.com/kubestellar/actions/internal/verify"
)

// The digest is that of tap 0.4.0 in a lock of the same.
const chartLock = `dependencies:
- name: tap
  repository: https://taps.example.io/charts
  version: 0.4.0
digest: sha256:63445b6ad24d8c50a00524ae27abcbabe332ef7a3aa3fb547ecdde64822ef4bb
generated: "2026-01-05T12:00:00Z"
`

func TestDerived(t *testing.T) {
	t.Parallel()
	f, err := delivery.Parse(delivery.FileName, []byte(`version: 1
self: us
components:
  us: {repository: o/us}
  tap:
    repository: o/tap
    artifacts:
      chart: {kind: chart, at: https://taps.example.io/charts/tap}
      module: {kind: module, at: example.org/tap}
`))
	if err != nil {
		t.Fatal(err)
	}
	tree := fstest.MapFS{}
	for name, text := range map[string]string{
		"good/Chart.yaml": "0.4.0", "good/Chart.lock": chartLock, "bad/Chart.yaml": "0.5.0", "bad/Chart.lock": chartLock,
		"none/Chart.yaml": "0.5.0", "go.mod": "v1.1.0", "go.sum": "example.org/tap v1.0.0/go.mod h1:x=\n",
		"tools/go.mod": "v1.0.0", "tools/go.sum": "example.org/tap v1.0.0/go.mod h1:x=\n", "bare/go.mod": "v1.1.0",
		"replaced/go.mod": "v1.1.0\n\nreplace example.org/tap => ../tap", "replaced/go.sum": "\n",
		"work/go.work.sum": "example.org/tap v1.1.0/go.mod h1:x=\n", "work/a/go.mod": "v1.1.0", "work/a/go.sum": "\n",
	} {
		switch {
		case strings.HasSuffix(name, "Chart.yaml"):
			text = "name: x\nversion: 0.1.0\ndependencies:\n- name: tap\n  version: " + text + "\n  repository: https://taps.example.io/charts\n"
		case strings.HasSuffix(name, "go.mod"):
			text = "module x\n\nrequire example.org/tap " + text + "\n"
		}
		tree[name] = &fstest.MapFile{Data: []byte(text)}
	}
	names, err := find.Names(tree)
	if err != nil {
		t.Fatal(err)
	}
	found, err := find.New(f).Files(t.Context(), tree, names)
	if err != nil {
		t.Fatal(err)
	}
	var r verify.Result
	verify.Derived(f, verify.Tree{FS: tree, Names: names, Found: found}, &r)
	var got []string
	for _, finding := range r.Findings {
		got = append(got, fmt.Sprintf("%s:%d %s %s", finding.File, finding.Line, finding.Rule, finding.Help))
	}
	want := []string{"bad/Chart.yaml:5 lock run helm dependency update bad", "go.mod:3 lock run go mod tidy in ."}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
