package bump

import (
	"strings"
	"testing"

	"github.com/kubestellar/actions/internal/apply"
	"github.com/kubestellar/actions/internal/decide"
	"github.com/kubestellar/actions/internal/gh"
	"github.com/kubestellar/actions/internal/ref"
)

// Names and texts of files cannot leave the cell or the diagram that shows them.
func TestSummaryOnlyShows(t *testing.T) {
	t.Parallel()
	const evil = "a\"]\n  x[\"y|`<script>@all\x1b\r"
	got, plain := proposedFor(t, evil).Markdown(), proposedFor(t, "b.yaml").Markdown()
	if strings.Count(got, "\n") != strings.Count(plain, "\n") ||
		strings.Contains(got, "<script>") || strings.ContainsAny(got, "\x1b\r") {
		t.Errorf("the summary does what was named:\n%q", got)
	}
	for _, want := range []string{"### Bump app to 1.1.0\n\n[pull request 7](https://example.com/7) opened: 3 places in 1 file.\n",
		"  file0[\"b.yaml\"] -- \"3 places\" --> release\n", "| `b.yaml` | line 3 | `b.yaml` → `1.1.0` | value |\n",
		"<summary>Left alone: 1 place</summary>", "| b.yaml | 1 | `b.yaml:3` (`b.yaml`) |\n",
		"| b.yaml | b.yaml |\n"} {
		if !strings.Contains(plain, want) {
			t.Errorf("saw\n%s\nwant %q in it", plain, want)
		}
	}
}

// If nothing was done, the summary gives the reason, and lists no places.
func TestSummaryOfNothing(t *testing.T) {
	t.Parallel()
	done := proposedFor(t, "b.yaml")
	done.State, done.Because = Nothing, "pull request 7 proposes 1.2.0, a newer version"
	if got, want := done.Markdown(), "### Bump app to 1.1.0\n\nnothing to do: pull request 7 proposes 1.2.0, a newer version\n"; got != want {
		t.Errorf("saw %q, want %q", got, want)
	}
}

// proposedFor returns a proposal with this text in each field that others choose.
func proposedFor(t *testing.T, text string) Proposed {
	t.Helper()
	v, err := ref.ParseVersion("1.1.0")
	if err != nil {
		t.Fatal(err)
	}
	place := ref.Reference{Site: ref.Site{File: text, Line: 3}, Component: "app", Written: text, Syntax: ref.Value}
	return Proposed{State: Opened, Because: text, Pull: &gh.Pull{Number: 7, URL: "https://example.com/7"}, Plan: &Plan{
		Move: decide.Move{Component: "app", Version: v},
		Edits: []decide.Edit{{Reference: place, To: "1.1.0"}, {Reference: place, To: "1.1.0", Because: text, Commits: []string{text}},
			{Reference: place, To: "1.1.0", Because: text, Behind: true}},
		Left:      []decide.Left{{Reference: place, Because: text}},
		Findings:  []decide.Finding{{Saw: text, Want: text, Help: text}},
		Unchecked: []decide.Unchecked{{What: text, Because: text}},
		Changes:   []apply.Change{{File: text, By: text}},
	}}
}
