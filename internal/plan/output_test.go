package plan

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/kubestellar/actions/internal/decide"
)

// A matrix takes 256 jobs. The parts together contain each bump once, in one order.
func TestMatrixInParts(t *testing.T) {
	t.Parallel()
	for n, want := range map[int][]int{0: {0, 0}, 1: {1, 0}, 256: {256, 0}, 257: {256, 1, 0}, 600: {256, 256, 88, 0}} {
		var lines []string
		for i := range n {
			lines = append(lines, fmt.Sprintf("r%03d 1 → up@1", i))
		}
		p := &Plan{Repositories: organise(t, append(lines, "up 2")...)}
		seen := 0
		for part, size := range want {
			m, left := p.Matrix(part + 1)
			if len(m.Include) != size || left != n-seen-size {
				t.Errorf("part %d of %d: %d bumps and %d left, want %d", part+1, n, len(m.Include), left, size)
			}
			for _, cell := range m.Include {
				if want := (Cell{fmt.Sprintf("o/r%03d", seen), "up", "2.0.0"}); cell != want {
					t.Errorf("number %d of %d: %v, want %v", seen, n, cell, want)
				}
				seen++
			}
		}
		if m, _ := p.Matrix(99); m.Include == nil {
			t.Errorf("of %d: a part beyond the last prints as null, want a list", n)
		}
	}
}

// Names that a repository chooses cannot leave the text or the cell that shows them.
func TestHostileNamesOnlyShow(t *testing.T) {
	t.Parallel()
	evil := "a\"]\n  n9[\"x;%%{init}\x1b[31m\tb<script>\r::error::x`|#quot;"
	all := organise(t, "a 1 → b@1", "b 2 → a@1")
	for i := range all {
		all[i].Arrows[0].Sites = []string{evil}
		all[i].Arrows[0].Written = []string{evil}
		all[i].Arrows[0].Component = evil
	}
	o := newOrder(newGraph(all))
	p := &Plan{Repositories: all, Steps: o.pending(), Cycles: o.cycles(),
		Unchecked: []decide.Unchecked{{What: evil, Because: evil}}, LeftOut: []LeftOut{{evil, evil}}}
	plain := &Plan{Repositories: organise(t, "a 1 → b@1", "b 2 → a@1")}
	plain.Steps, plain.Cycles, plain.Unchecked, plain.LeftOut = o.pending(), o.cycles(), make([]decide.Unchecked, 1), make([]LeftOut, 1)
	mermaid, text := p.Mermaid(), textOf(t, p)
	if strings.Count(mermaid, "\n") != strings.Count(plain.Mermaid(), "\n") ||
		strings.ContainsAny(mermaid, "<`%{\x1b\r\t") || strings.Contains(mermaid, "#quot;") {
		t.Errorf("the drawing has what was named:\n%q", mermaid)
	}
	if strings.Count(text, "\n") != strings.Count(textOf(t, plain), "\n") || strings.ContainsAny(text, "\x1b\r\t") {
		t.Errorf("the text does what was named:\n%q", text)
	}
	if summary := p.Markdown(); strings.Count(summary, "\n") != strings.Count(plain.Markdown(), "\n") ||
		strings.Contains(summary, "<script>") || strings.ContainsAny(summary, "\x1b\r") {
		t.Errorf("the summary does what was named:\n%q", summary)
	}
	if data, err := json.Marshal(p.Document()); err != nil || !json.Valid(data) {
		t.Errorf("as JSON: %v", err)
	}
}

func textOf(t *testing.T, p *Plan) string {
	t.Helper()
	var b bytes.Buffer
	if err := p.Text(&b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}
