package find

import (
	"bytes"
	"regexp"
)

// A version as it is written, at the start of a text: with or without "v",
// never ending in a dot or dash that belongs to the sentence around it.
var versionAt = regexp.MustCompile(`^v?(?:0|[1-9]\d*)\.(?:0|[1-9]\d*)\.(?:0|[1-9]\d*)(?:-[0-9A-Za-z]+(?:[.-][0-9A-Za-z]+)*)?`)

// A template or variable where a version would stand: {{…}}, ${…}, $NAME.
var useAt = regexp.MustCompile(`^v?(?:\{\{[^}\n]*\}\}|\$\{[^}\n]*\}|\$[A-Za-z_][A-Za-z0-9_]*)`)

// versionEnd is where the version that begins at start ends, or -1 where no
// version stands there as a whole word.
func versionEnd(data []byte, start int) int {
	match := versionAt.FindIndex(data[start:])
	if match == nil {
		return -1
	}
	end := start + match[1]
	if goesOn.Match(data[end:]) {
		return -1
	}
	return end
}

// What shows that a word goes on after what looked like a version: 1.2.3x,
// 1.2.3+build, 1.2.3.4; but v1.2.3.tar.gz holds one.
var goesOn = regexp.MustCompile(`^(?:\w|\+|\.\d)`)

func isWord(b byte) bool {
	return b == '_' || '0' <= b && b <= '9' || 'a' <= b && b <= 'z' || 'A' <= b && b <= 'Z'
}

// occurrences calls each with the start of every occurrence of word in data
// that stands alone: before and after tell of the bytes beside it whether they
// would make it part of a longer word.
func occurrences(data []byte, word string, before, after func(byte) bool, each func(start, end int)) {
	for from := 0; ; {
		i := bytes.Index(data[from:], []byte(word))
		if i < 0 {
			return
		}
		start, end := from+i, from+i+len(word)
		from = end
		if start > 0 && before(data[start-1]) || end < len(data) && after(data[end]) {
			continue
		}
		each(start, end)
	}
}
