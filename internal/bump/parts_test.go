package bump

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/kubestellar/actions/internal/apply"
	"github.com/kubestellar/actions/internal/decide"
	"github.com/kubestellar/actions/internal/delivery"
	"github.com/kubestellar/actions/internal/ref"
	"github.com/kubestellar/actions/internal/resolve"
)

const commit1, commit2 = "1a2b3c4d5e6f708192a3b4c5d6e7f8091a2b3c4d", "5d6e7f8091a2b3c4d5e6f708192a3b4c1a2b3c4d"

// attemptOf returns an attempt whose plan has one of each part.
func attemptOf(t *testing.T) *attempt {
	t.Helper()
	at := func(file string, line int, written string, form ref.Syntax) ref.Reference {
		return ref.Reference{Site: ref.Site{File: file, Line: line}, Component: "app", Written: written, Syntax: form}
	}
	a := &attempt{Proposer: Proposer{Server: "https://github.com", Repository: "o/us"}}
	a.file = &delivery.File{Components: map[string]delivery.Component{"app": {Repository: "o/app"}}}
	a.Move = decide.Move{Component: "app", Version: held("0.9.3")[0]}
	a.plan = &Plan{
		Move: a.Move, Address: "https://github.com/o/us", Partial: "the clone is shallow", Current: []apply.Change{{}},
		Edits: []decide.Edit{
			{Reference: at("late.yaml", 5, "0.9.0", ref.Value), To: "0.9.3", Behind: true,
				Because: "moved with the others before", Commits: []string{commit1, commit2}},
			{Reference: at("test.yml", 69, "v0.9.1", ref.Download), To: "v0.9.3"},
			{Reference: at("test.yml", 69, "0.9.1", ref.Value), To: "0.9.3"},
			{Reference: at("test.yml", 70, "0.9.1", ref.Value), To: "0.9.3"},
			{Reference: at("test.yml", 247, "0.9.1", ref.Value), To: "0.9.3"},
			{Reference: at("test.yml", 300, "0.9.1", ref.Value), To: "0.9.3", Because: "moved with the others",
				Commits: []string{commit1, commit1}},
		},
		Left: []decide.Left{
			{Reference: at("guide.md", 3, "0.9.1", ref.Prose), Because: "in a text that names app", Listed: true},
			{Reference: at("guide.md", 9, "0.9.1", ref.Prose), Because: "in a text that names app", Listed: true},
			{Reference: at("guide.md", 10, "0.8.0", ref.Prose), Because: "a bound"},
			{Reference: at("guide.md", 11, "0.8.0", ref.Prose), Because: "a bound"},
		},
		Unchecked: []decide.Unchecked{{What: "image x", Because: "it is a stand-in", StandIn: true}},
	}
	return a
}

// The text begins with the places that need a decision. Plain moves have one row a file.
func TestBodyOrder(t *testing.T) {
	t.Parallel()
	got := attemptOf(t).body("0123")
	at := 0
	for _, want := range []string{
		"app [0.9.3](https://github.com/o/app/releases/tag/v0.9.3) is released: ",
		"\nCould not be checked:\n", "| image x | it is a stand-in |\n",
		"\nPlease check these places, which may have to move too:\n", "| `guide.md` | lines 3, 9 | `0.9.1` | in a text that names app |\n",
		"\nHistory might have decided about some of them: the clone is shallow.\n",
		"\nThese places were behind the others, and catch up in a commit of their own.",
		"| `late.yaml:5` | `0.9.0` | `0.9.3` | was behind the others; moved with the others before in [1a2b3c4d](https://github.com/o/us/commit/" + commit1 +
			"), [5d6e7f80](https://github.com/o/us/commit/" + commit2 + ") |\n",
		"\nMoved because of their history or their surroundings: 1 place\n",
		"| `test.yml` | line 300 | `0.9.1` → `0.9.3` | moved with the others in [1a2b3c4d](https://github.com/o/us/commit/" + commit1 + "), ",
		"\nMoved: 4 places\n", "| `test.yml` | lines 69, 70, 247 | `0.9.1` → `0.9.3` | download, value |\n",
		"<details><summary>Left alone: 2 places</summary>\n", "| a bound | 2 | `guide.md:10` (`0.8.0`), `guide.md:11` (`0.8.0`) |\n\n</details>\n",
		"<!-- Bump-tree: 0123 -->\n",
	} {
		i := strings.Index(got[at:], want)
		if i < 0 {
			t.Fatalf("saw\n%s\nwant %q after byte %d", got, want, at)
		}
		at += i + len(want)
	}
}

// A long table of moves is folded, and the catch-ups stay in sight.
func TestLongTablesAreFolded(t *testing.T) {
	t.Parallel()
	a := attemptOf(t)
	for i := range 20 {
		e := a.plan.Edits[1]
		e.File = fmt.Sprintf("%d.yml", i)
		a.plan.Edits = append(a.plan.Edits, e)
	}
	got := a.body("0123")
	if !strings.Contains(got, "<details><summary>Moved: 24 places</summary>\n") ||
		strings.Index(got, "`late.yaml:5`") > strings.Index(got, "<details>") {
		t.Errorf("saw\n%s", got)
	}
}

// Many listed files, as of a copied folder, have one row for the folder.
func TestListedFoldersAreGrouped(t *testing.T) {
	t.Parallel()
	a := attemptOf(t)
	for i := range 30 {
		l := a.plan.Left[0]
		l.File = fmt.Sprintf("bundles/0.9.1/%d.yaml", i)
		a.plan.Left = append(a.plan.Left, l, l)
	}
	if got, want := a.body("0123"), "| `bundles/0.9.1/` | 60 places in 30 files | `0.9.1` | in a text that names app |\n"; !strings.Contains(got, want) {
		t.Errorf("saw\n%s\nwant %q in it", got, want)
	}
}

// GitHub refuses a text that is too long. The rows that need a person have priority, and no fold stays open.
func TestBodyFits(t *testing.T) {
	t.Parallel()
	a := attemptOf(t)
	for i := range 3000 {
		e := a.plan.Edits[1]
		e.File = fmt.Sprintf("folder/%d.yml", i)
		a.plan.Edits = append(a.plan.Edits, e)
	}
	got := a.body("0123")
	if len(got) > longestBody || !strings.HasSuffix(got, "<!-- Bump-tree: 0123 -->\n") || !strings.Contains(got, "`late.yaml:5`") ||
		strings.Count(got, "<details>") != strings.Count(got, "</details>") {
		t.Errorf("the text has %d bytes, and is\n%s", len(got), got)
	}
	shown := strings.Count(got, "| `folder/")
	if want := fmt.Sprintf("And %d rows more, which do not fit here", 3000-shown+1); shown < 500 || !strings.Contains(got, want) {
		t.Errorf("it shows %d rows, want %q in it:\n%s", shown, want, got[len(got)-500:])
	}
}

// The summary has the same parts in the same order.
func TestSummaryOrder(t *testing.T) {
	t.Parallel()
	p := attemptOf(t).plan
	p.Seen = []resolve.Answer{{Digest: "sha256:1"}}
	got := p.Markdown("moved")
	var at []int
	for _, want := range []string{"Could not be checked:", "Please check", "These places were behind", "Moved because", "Moved: 4",
		"Seen before: 1 thing", "Left alone"} {
		at = append(at, strings.Index(got, want))
	}
	if !slices.IsSorted(at) || at[0] < 0 {
		t.Errorf("saw the parts at %v of\n%s", at, got)
	}
}
