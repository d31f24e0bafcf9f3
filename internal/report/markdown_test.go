package report

import (
	"strings"
	"testing"
)

// Untrusted text cannot leave its cell, link or fold.
func TestMarkdownHoldsWhatOthersChose(t *testing.T) {
	t.Parallel()
	for got, want := range map[string]string{
		Code("a`|b\n"):                                    "`a'\\|b\\\\n`",
		Link("7", "https://example.com/7"):                "[7](https://example.com/7)",
		Link("x](y)", "https://example.com/a"):            `[x\](y)](https://example.com/a)`,
		Link("7", "javascript:alert(1)"):                  "7",
		Link("7", "https://example.com/) [x](y"):          "7",
		Folded("<b>", "text"):                             "\n<details><summary>&lt;b></summary>\ntext\n</details>\n",
		Folded("nothing", ""):                             "",
		Table([]string{"a"}, nil):                         "",
		Table([]string{"a", "b"}, [][]string{{"1", "2"}}): "\n| a | b |\n|---|---|\n| 1 | 2 |\n",
		MermaidText(`a"];b --> c%%`):                      "a#34;#93;#59;b --#62; c#37;#37;",
	} {
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

// A summary of more than GitHub takes would not be shown at all.
func TestTableSaysWhatItLeavesOut(t *testing.T) {
	t.Parallel()
	got := Table([]string{"a"}, make([][]string, 1000))
	if strings.Count(got, "\n|") != mostRows+2 || !strings.Contains(got, "And 800 more: the log has all of them.") {
		t.Errorf("got %d lines, ending in %q", strings.Count(got, "\n|"), got[len(got)-80:])
	}
}
