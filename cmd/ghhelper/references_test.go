package main

import (
	"strings"
	"testing"
)

// One line represents many places with the same excuse. Few of those are listed, and all places
// without one.
func TestFolded(t *testing.T) {
	t.Parallel()
	for all, want := range map[string]string{
		"a a a":         "a a a",
		"a a a a":       "a (and 3 more places)",
		"- - - - -":     "- - - - -",
		"a - a b a b a": "a (and 3 more places) - b b",
		"":              "",
	} {
		excuse := func(s string) string { return strings.Trim(s, "-") }
		shown, more := folded(strings.Fields(all), excuse)
		var got []string
		for _, one := range shown {
			got = append(got, one+more[excuse(one)])
		}
		if saw := strings.Join(got, " "); saw != want {
			t.Errorf("%s: saw %q, want %q", all, saw, want)
		}
	}
	if shown, _ := folded(make([]int, 9), func(int) string { return "x" }); len(shown) != 1 {
		t.Errorf("saw %d of 9 places, want the first", len(shown))
	}
}
