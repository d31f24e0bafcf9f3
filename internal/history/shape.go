package history

import (
	"strings"

	"github.com/kubestellar/actions/internal/ref"
)

// Blank takes the place of a version in a shape.
const Blank = "\x00"

// Shape returns a line with each version in it replaced by Blank, and white space folded. A comma at
// the end does not count: the last item of a list may have none. Shape also returns the versions
// without a "v".
func Shape(line string) (shape string, versions []string) {
	var b strings.Builder
	for i := 0; i < len(line); {
		switch end := versionEnd(line, i); {
		case end > i:
			versions = append(versions, strings.TrimPrefix(line[i:end], "v"))
			b.WriteString(Blank)
			i = end
		case isSpace(line[i]):
			if b.Len() > 0 {
				b.WriteByte(' ')
			}
			for i < len(line) && isSpace(line[i]) {
				i++
			}
		default:
			b.WriteByte(line[i])
			i++
		}
	}
	return strings.TrimRight(b.String(), " ,"), versions
}

func isSpace(b byte) bool { return b == ' ' || b == '\t' || b == '\r' }

func isDigit(b byte) bool { return '0' <= b && b <= '9' }

func isLetter(b byte) bool { return 'a' <= b && b <= 'z' || 'A' <= b && b <= 'Z' }

// versionEnd returns the end of the version that begins at i, or i. A version is two or
// more numbers with dots, with or without "v", and a prerelease.
func versionEnd(line string, i int) int {
	if i > 0 && (isDigit(line[i-1]) || isLetter(line[i-1]) || line[i-1] == '.') {
		return i
	}
	end := i
	if line[end] == 'v' {
		end++
	}
	numbers := 0
	for {
		start := end
		for end < len(line) && isDigit(line[end]) {
			end++
		}
		if end == start {
			return i
		}
		numbers++
		if end+1 >= len(line) || line[end] != '.' || !isDigit(line[end+1]) {
			break
		}
		end++
	}
	if numbers < 2 || end < len(line) && isLetter(line[end]) {
		return i
	}
	return prereleaseEnd(line, end)
}

// prereleaseEnd returns the end of the prerelease at i, such as -rc.1. Other words, such
// as -alpine, name a variant.
func prereleaseEnd(line string, i int) int {
	for i+1 < len(line) && line[i] == '-' {
		end := i + 1
		for end < len(line) && (isLetter(line[end]) || isDigit(line[end])) {
			end++
		}
		if !ref.BeginsPrerelease(line[i+1 : end]) {
			return i
		}
		for end+1 < len(line) && line[end] == '.' && isDigit(line[end+1]) {
			for end++; end < len(line) && isDigit(line[end]); end++ {
			}
		}
		i = end
	}
	return i
}
