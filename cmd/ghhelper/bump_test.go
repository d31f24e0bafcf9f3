package main

import (
	"fmt"
	"strings"
	"testing"

	"github.com/kubestellar/actions/internal/bump"
	"github.com/kubestellar/actions/internal/decide"
	"github.com/kubestellar/actions/internal/ref"
)

// Lines that need a person are the last ones. Many places of one reason have one line, and places that a person
// decides about have one for each file.
func TestDescribeBump(t *testing.T) {
	t.Parallel()
	v, err := ref.ParseVersion("1.3.0")
	if err != nil {
		t.Fatal(err)
	}
	at := func(file string, line int) ref.Reference {
		return ref.Reference{Site: ref.Site{File: file, Line: line, Column: 1}, Written: "1.2.0", Syntax: ref.Value}
	}
	plan := &bump.Plan{Move: decide.Move{Component: "up", Version: v}, Partial: "the clone is shallow"}
	for i := range 5 {
		plan.Edits = append(plan.Edits,
			decide.Edit{Reference: at("a.sh", i+1), To: "1.3.0"},
			decide.Edit{Reference: at("b.sh", i+1), To: "1.3.0", Because: "belongs to up"},
			decide.Edit{Reference: at("c.sh", i+1), To: "1.3.0", Behind: true})
		plan.Left = append(plan.Left, decide.Left{Reference: at("d.md", i+1), Because: "a bound"},
			decide.Left{Reference: at("e.md", i+1), Because: "in a text", Listed: true},
			decide.Left{Reference: at("f.md", i+1), Because: "in a text", Listed: true})
	}
	const want = `a.sh:1:1  1.2.0 → 1.3.0  value
b.sh:1:1  1.2.0 → 1.3.0  value  belongs to up (and 4 more places)
a.sh:2:1  1.2.0 → 1.3.0  value
a.sh:3:1  1.2.0 → 1.3.0  value
a.sh:4:1  1.2.0 → 1.3.0  value
a.sh:5:1  1.2.0 → 1.3.0  value
d.md:1:1  1.2.0 stays    a bound (and 4 more places)
c.sh:1:1  1.2.0 → 1.3.0  value  was behind the others (and 4 more places)
e.md:1:1  1.2.0 listed   in a text (and 4 more places)
f.md:1:1  1.2.0 listed   in a text (and 4 more places)
history: the clone is shallow; it might move some of the listed places
up 1.3.0: 15 places to be moved, and none was
`
	var out strings.Builder
	if err := (process{Stdout: &out}).describeBump(plan, bumpFlags{}); err != nil || out.String() != want {
		t.Errorf("%v, saw\n%s\nwant\n%s", err, out.String(), want)
	}
}

// Listed places of many files, as of a copied folder, have one line for the folder.
func TestListedFoldersAreFolded(t *testing.T) {
	t.Parallel()
	plan := &bump.Plan{}
	for i := range 50 {
		plan.Left = append(plan.Left, decide.Left{Because: "was added with the others", Listed: true,
			Reference: ref.Reference{Site: ref.Site{File: fmt.Sprintf("bundles/1.2.0/%d.yaml", i), Line: 1, Column: 1}, Written: "1.2.0"}})
	}
	var out strings.Builder
	err := process{Stdout: &out}.describeBump(plan, bumpFlags{})
	if want := "bundles/1.2.0/0.yaml:1:1  1.2.0 listed  was added with the others (and 49 more places)\n"; err != nil ||
		!strings.HasPrefix(out.String(), want) || strings.Count(out.String(), "\n") != 2 {
		t.Errorf("%v, saw\n%s\nwant %q first", err, out.String(), want)
	}
}
