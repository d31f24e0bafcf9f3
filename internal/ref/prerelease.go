package ref

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
)

// prereleaseWords begin the prerelease of an image's tag. Any other word there names a
// variant of the version, such as alpine3.19.
var prereleaseWords = []string{
	"a", "alpha", "b", "beta", "canary", "dev", "ea", "m", "milestone", "next", "nightly", "pre", "preview", "rc",
	"snapshot", "unstamped",
}

// BeginsPrerelease reports whether a word after the numbers of a version begins a
// prerelease: digits, or a known word with or without a number, in any case.
func BeginsPrerelease(word string) bool {
	bare := strings.ToLower(strings.TrimRight(word, "0123456789"))
	return word != "" && (bare == "" || slices.Contains(prereleaseWords, bare))
}

func compareNumbers(a, b uint64) int { return cmp.Compare(a, b) }

// comparePrerelease compares by section 11.4 of semver 2.0, except that it splits
// numbered identifiers (rc9, rc10) into a word and a number.
func comparePrerelease(a, b string) int {
	switch {
	case a == b:
		return 0
	case a == "":
		return 1
	case b == "":
		return -1
	}
	as, bs := strings.Split(a, "."), strings.Split(b, ".")
	for i := range min(len(as), len(bs)) {
		if c := compareIdentifier(as[i], bs[i]); c != 0 {
			return c
		}
	}
	return cmp.Compare(len(as), len(bs))
}

func compareIdentifier(a, b string) int {
	aWord, aNumber, aNumbered := splitNumber(a)
	bWord, bNumber, bNumbered := splitNumber(b)
	switch {
	case aNumbered && bNumbered && aWord == bWord:
		return cmp.Or(compareNumbers(aNumber, bNumber), cmp.Compare(a, b))
	case aNumbered && aWord == "":
		return -1
	case bNumbered && bWord == "":
		return 1
	}
	return cmp.Compare(a, b)
}

// splitNumber splits an identifier into a word and the number at its end. ok is
// false if there are no digits or their number is too large.
func splitNumber(id string) (word string, number uint64, ok bool) {
	word = strings.TrimRight(id, "0123456789")
	number, err := strconv.ParseUint(id[len(word):], 10, 64)
	return word, number, err == nil
}
