package report

import "testing"

func TestCell(t *testing.T) {
	t.Parallel()
	if got, want := Cell("a|`b`\r\n[c](d)<e>\\[f](g)"), `a\|'b'<br>\[c](d)&lt;e>\\\[f](g)`; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestPlain(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]string{
		"a.yaml:1:2: saw “v1.2.3” → it's fine": "a.yaml:1:2: saw “v1.2.3” → it's fine",
		"::error::x":                `\::error::x`,
		"  ::add-mask::x":           `\  ::add-mask::x`,
		"a::b":                      "a::b",
		"a\n::error::b\r\tc":        `a\n::error::b\r` + "\tc",
		"\x1b[31mred\x00 \u202egnp": `\x1b[31mred\x00 \u202egnp`,
		"it ##[add-mask]x":          `it ##\[add-mask]x`,
	} {
		if got := Plain(line); got != want {
			t.Errorf("%q: got %q, want %q", line, got, want)
		}
	}
}
