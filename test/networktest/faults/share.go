package faults

import (
	"fmt"
	"os"
)

// Share returns which of the cases of a test to run, from the environment variable FAULTS: every
// count-th one, beginning with first. all is every case, K/N every Nth one, and otherwise count is 0,
// for a sample that the test takes itself. It panics on any other value.
func Share() (first, count int) {
	switch text := os.Getenv("FAULTS"); text {
	case "":
		return 0, 0
	case "all":
		return 0, 1
	default:
		if _, err := fmt.Sscanf(text, "%d/%d", &first, &count); err != nil || first < 0 || first >= count {
			panic(fmt.Sprintf("FAULTS is %q, want all, or K/N with K less than N", text))
		}
		return first, count
	}
}

// Takes reports whether to run the ith case of a test, which may be in the test's own sample.
func Takes(i int, sample bool) bool {
	first, count := Share()
	return sample || count > 0 && i%count == first
}
