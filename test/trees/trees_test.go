// Package trees_test holds the finder to what people found by reading real
// trees; see README.md.
package trees_test

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kubestellar/actions/internal/delivery"
	"github.com/kubestellar/actions/internal/find"
)

// trees are Go modules whose zip files hold the whole repository.
var trees = []struct{ dir, module, sum string }{
	{"kubestellar-0.30.0", "github.com/kubestellar/kubestellar@v0.30.0", "h1:h4ajAUAPZM4mMBShzLnnTCfhoaGzby1QcOE2mMrldiQ="},
	{"kubestellar-0.21.0", "github.com/kubestellar/kubestellar@v0.21.0", "h1:5+jJyDQY0A7+5f6qWrCaM7y4klYBU78ZQn2BFACB/C4="},
}

// fetch brings a module's files into the module cache.
func fetch(t *testing.T, module, sum string) string {
	t.Helper()
	cmd := exec.Command("go", "mod", "download", "-json", module)
	cmd.Dir = t.TempDir() // outside of this module, whose go.mod is not to change
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

// pins are the literal versions that the finder finds, in the form of the lists.
func pins(t *testing.T, dir, tree string) []string {
	t.Helper()
	file, err := delivery.Load(os.DirFS(dir), delivery.FileName)
	if err != nil {
		t.Fatal(err)
	}
	found, err := find.New(file).Tree(os.DirFS(tree))
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
			slices.Sort(want)
			slices.Sort(got)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("-read by people, +found:\n%s", diff)
			}
		})
	}
}
