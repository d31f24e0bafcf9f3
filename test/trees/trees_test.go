// Package trees_test compares the finder's references with lists that people made by reading real
// trees, see README.md.
package trees_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kubestellar/actions/internal/decide"
	"github.com/kubestellar/actions/internal/delivery"
	"github.com/kubestellar/actions/internal/find"
	"github.com/kubestellar/actions/internal/ref"
)

// trees are Go modules. Their zip files contain the whole repository.
var trees = []struct{ dir, module, sum string }{
	{"kubestellar-0.30.0", "github.com/kubestellar/kubestellar@v0.30.0", "h1:h4ajAUAPZM4mMBShzLnnTCfhoaGzby1QcOE2mMrldiQ="},
	{"kubestellar-0.21.0", "github.com/kubestellar/kubestellar@v0.21.0", "h1:5+jJyDQY0A7+5f6qWrCaM7y4klYBU78ZQn2BFACB/C4="},
}

// fetch downloads a module's files into the module cache.
func fetch(t *testing.T, module, sum string) string {
	t.Helper()
	cmd := exec.Command("go", "mod", "download", "-json", module)
	cmd.Dir = t.TempDir() // outside of this module, whose go.mod must not change
	out, err := cmd.Output()
	var about struct{ Dir, Sum, Error string }
	if jsonErr := json.Unmarshal(out, &about); err != nil || jsonErr != nil || about.Error != "" {
		t.Fatalf("fetching %s: %v, %v, %s", module, err, jsonErr, out)
	}
	if about.Sum != sum {
		t.Fatalf("%s has the sum %s, but %s was read", module, about.Sum, sum)
	}
	return about.Dir
}

// pins returns the pins that the finder finds, in the form of the lists.
func pins(t *testing.T, dir, tree string) []string {
	t.Helper()
	file, err := delivery.Load(os.DirFS(dir), delivery.FileName)
	if err != nil {
		t.Fatal(err)
	}
	found, err := find.New(file).Tree(t.Context(), os.DirFS(tree))
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, r := range find.Pins(found.References) {
		lines = append(lines, fmt.Sprintf("%s\t%s\t%s", r.Site, r.Component, r.Written))
	}
	return lines
}

func TestEveryReferenceIsFoundAndNoOther(t *testing.T) {
	t.Parallel()
	for _, tree := range trees {
		t.Run(tree.dir, func(t *testing.T) {
			t.Parallel()
			data, err := os.ReadFile(filepath.Join(tree.dir, "references.tsv"))
			if err != nil {
				t.Fatal(err)
			}
			want := strings.Split(strings.TrimSpace(string(data)), "\n")
			got := pins(t, tree.dir, fetch(t, tree.module, tree.sum))
			if diff := difference(want, got); diff != "" {
				t.Errorf("-listed by people, +found:\n%s", diff)
			}
			for i := range want {
				if difference(slices.Delete(slices.Clone(want), i, i+1), got) == "" || difference(append(slices.Clone(want), want[i]+"0"), got) == "" {
					t.Errorf("the comparison misses that %q is deleted or that another line is added", want[i])
				}
			}
		})
	}
}

// difference compares two lists in any order.
func difference(want, got []string) string {
	want, got = slices.Clone(want), slices.Clone(got)
	slices.Sort(want)
	slices.Sort(got)
	return cmp.Diff(want, got)
}

// The pins that people moved and left at a release: bump moves the same places in the tree of 0.30.0,
// by file.
func TestBumpMovesWhatPeopleMove(t *testing.T) {
	t.Parallel()
	tree := trees[0]
	file, err := delivery.Load(os.DirFS(tree.dir), delivery.FileName)
	if err != nil {
		t.Fatal(err)
	}
	found, err := find.New(file).Tree(t.Context(), os.DirFS(fetch(t, tree.module, tree.sum)))
	if err != nil {
		t.Fatal(err)
	}
	for component, want := range map[string]string{
		// That release's own document about releasing names these files. The values of the job in
		// ocp-self-runner.yml, which installs an older release, follow only with a history of that.
		"kubeflex@0.9.4": ".github/workflows/ocp-self-runner.yml:2 .github/workflows/pr-test-e2e.yml:8 .github/workflows/pr-test-integration.yml:4 " +
			".github/workflows/test-demo-env-creation-script.yml:8 .github/workflows/test-latest-release.yml:8 " +
			"core-chart/Chart.yaml:1 go.mod:1 test/scale-infra/deploy_ks_core.yaml:2",
		"ocm-status-addon@0.2.0-rc18": "core-chart/values.yaml:1 monitoring/README.md:2",
		"kubestellar@0.31.0": "SECURITY-INSIGHTS.yml:1 core-chart/values.yaml:1 " +
			"oldocs/README.md:1 scripts/check_pre_req.sh:1 scripts/create-kubestellar-demo-env.sh:1",
		"ocm-transport-plugin@0.1.12": "oldocs/common-setup-core-chart.md:1 oldocs/common-setup-step-by-step.md:1",
	} {
		name, version, _ := strings.Cut(component, "@")
		v, err := ref.ParseVersion(version)
		if err != nil {
			t.Fatal(err)
		}
		edits, _ := decide.Bump(file, decide.Evidence{Pins: find.Pins(found.References)}, decide.Move{Component: name, Version: v})
		count := map[string]int{}
		for _, e := range edits {
			count[e.File]++
		}
		var got []string
		for _, f := range slices.Sorted(maps.Keys(count)) {
			got = append(got, fmt.Sprintf("%s:%d", f, count[f]))
		}
		if diff := cmp.Diff(want, strings.Join(got, " ")); diff != "" {
			t.Errorf("%s: -want +got:\n%s", component, diff)
		}
	}
}
