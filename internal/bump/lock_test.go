package bump_test

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/kubestellar/actions/internal/apply"
	"github.com/kubestellar/actions/internal/bump"
	"github.com/kubestellar/actions/internal/decide"
	"github.com/kubestellar/actions/internal/delivery"
	"github.com/kubestellar/actions/internal/find"
	"github.com/kubestellar/actions/internal/ref"
)

const lockOf = `dependencies:
- name: tap
  repository: https://taps.example.io/charts
  version: 0.4.0
digest: %s
generated: "2026-01-05T12:00:00Z"
`

func lockDigest(version string) string {
	tap := []map[string]string{{"name": "tap", "repository": "https://taps.example.io/charts", "version": version}}
	data, _ := json.Marshal([]any{tap, tap})
	data = []byte(strings.ReplaceAll(string(data), `"repository":"https://taps.example.io/charts","version":"`+version+`"`,
		`"version":"`+version+`","repository":"https://taps.example.io/charts"`)) // the order of helm's fields
	return fmt.Sprintf("sha256:%x", sha256.Sum256(data))
}

// A Chart.lock moves with its Chart.yaml. Other files that are derived from edited ones are listed with a command.
func TestDerivedFiles(t *testing.T) {
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
	for _, name := range []string{"a/Chart.yaml", "b/Chart.yaml"} {
		tree[name] = &fstest.MapFile{Data: []byte("name: x\nversion: 0.1.0\ndependencies:\n- name: tap\n  version: 0.4.0\n" +
			"  repository: https://taps.example.io/charts\n")}
	}
	tree["a/Chart.lock"] = &fstest.MapFile{Data: fmt.Appendf(nil, lockOf, lockDigest("0.4.0"))}
	tree["b/Chart.lock"] = &fstest.MapFile{Data: fmt.Appendf(nil, lockOf, "sha256:other")}
	tree["tools/go.mod"] = &fstest.MapFile{Data: []byte("module x\n\nrequire example.org/tap v0.4.0\n")}
	tree["tools/go.sum"] = &fstest.MapFile{Data: []byte("\n")}
	names, err := find.Names(tree)
	if err != nil {
		t.Fatal(err)
	}
	version, _ := ref.ParseVersion("0.5.0")
	plan, err := bump.Bump{File: f, Tree: tree, Names: names, Move: decide.Move{Component: "tap", Version: version}}.Plan(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want := strings.ReplaceAll(fmt.Sprintf(lockOf, lockDigest("0.5.0")), "0.4.0", "0.5.0")
	i := slices.IndexFunc(plan.Changes, func(c apply.Change) bool { return c.File == "a/Chart.lock" })
	if i < 0 || string(plan.Changes[i].After) != want {
		t.Errorf("the changes are %v, want\n%s", plan.Changes, want)
	}
	var stale []string
	for _, s := range plan.Stale {
		stale = append(stale, s.File+": "+s.Command)
	}
	if want := []string{"b/Chart.lock: helm dependency update b", "tools/go.sum: (cd tools && go mod tidy)"}; !slices.Equal(stale, want) {
		t.Errorf("got %q, want %q", stale, want)
	}
}
