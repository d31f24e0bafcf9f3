package dispatch

import (
	"strings"
	"testing"

	"github.com/kubestellar/actions/internal/gh"
)

// Names and addresses of a receiver cannot leave the cell or the link that shows them.
func TestSummaryOnlyShows(t *testing.T) {
	t.Parallel()
	const evil = "a\"]\n  x[\"y|`<script>](javascript:x)\x1b\r"
	result := func(text string) string {
		return Document{Component: "app", Version: "1.0.0", Receivers: []Result{
			{Receiver: text, Status: Sent, Run: &gh.Run{ID: 7, URL: text, Status: text}, Pull: &gh.RunPull{Number: 8, URL: text, State: text}},
			{Receiver: text, Error: text},
		}}.Markdown()
	}
	got, plain := result(evil), result("o/r")
	if strings.Count(got, "\n") != strings.Count(plain, "\n") || strings.Contains(got, "<script>") || strings.ContainsAny(got, "\x1b\r") {
		t.Errorf("the summary does what was named:\n%q", got)
	}
	for _, want := range []string{
		"Notified 1 receiver.", "| `o/r` | notified | 7 o/r | 8, o/r |\n", "| `o/r` | not notified: o/r |",
		"  r0 --> p0[\"pull request 8\"]\n", "release -.->|\"not notified\"| r1",
	} {
		if !strings.Contains(plain, want) {
			t.Errorf("saw\n%s\nwant %q in it", plain, want)
		}
	}
}
