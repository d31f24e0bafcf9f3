package find

import (
	"bytes"
	"regexp"
	"strings"

	"github.com/kubestellar/actions/internal/ref"
)

func isWord(b byte) bool {
	return b == '_' || '0' <= b && b <= '9' || 'a' <= b && b <= 'z' || 'A' <= b && b <= 'Z'
}

func isDigit(b byte) bool { return '0' <= b && b <= '9' }

// at returns the byte at i, or 0 outside of data.
func at(data []byte, i int) byte {
	if i < 0 || i >= len(data) {
		return 0
	}
	return data[i]
}

// versionEnd returns the end of the version that begins at start, with or without "v".
// It returns -1 if there is no version that is a whole word, as in 1.2.3x, 1.2.3.4 and
// 1.2.3+build.
func versionEnd(data []byte, start int) int {
	core := coreEnd(data, start)
	end := prereleaseEnd(data, core, isVariant)
	if end > core && end > prereleaseEnd(data, core, isUnknown) && !endsInVariants(data, end) {
		end = prereleaseEnd(data, core, func(string) bool { return false })
	}
	return wholeWord(data, end)
}

func isUnknown(word string) bool { return !ref.BeginsPrerelease(word) }

// endsInVariants reports whether only variants follow at i. A variant between other words is a part of the version:
// 2.4.0-go1.26.5-bookworm.0.
func endsInVariants(data []byte, i int) bool {
	for at(data, i) == '-' || at(data, i) == '.' && isWord(at(data, i+1)) {
		word := wordAt(data, i+1)
		if !isVariant(word) {
			return false
		}
		i += 1 + len(word)
	}
	return true
}

// tagVersionEnd is versionEnd for the tag of an image, where every word that begins no
// prerelease names a variant.
func tagVersionEnd(data []byte, start int) int {
	return wholeWord(data, prereleaseEnd(data, coreEnd(data, start), isUnknown))
}

// wholeWord returns the end of a version, or -1 if the word continues there.
func wholeWord(data []byte, end int) int {
	if end < 0 || goesOn(data, end) || at(data, end) == '_' || at(data, end) == '.' && isWord(at(data, end+1)) {
		return -1
	}
	return end
}

// fileVersionEnd is versionEnd for the name of a file, whose version ends before an
// extension and before words such as linux and amd64.
func fileVersionEnd(data []byte, start int) int {
	core := coreEnd(data, start)
	end := prereleaseEnd(data, core, isFileWord)
	if end > core && packageRelease.Match(data[core:lineEnd(data, core)]) {
		end = core
	}
	if end < 0 || goesOn(data, end) {
		return -1
	}
	if at(data, end) == '.' && isWord(at(data, end+1)) && !isFileWord(wordAt(data, end+1)) {
		return -1
	}
	return end
}

// packageRelease matches the release of a package after the version of its content: -2.fc33.x86_64.rpm.
var packageRelease = regexp.MustCompile(`^-[0-9]+(?:[.~+][A-Za-z0-9_.~+]*|_[a-z0-9]+)?\.(?:rpm|deb)\b`)

// wordAt returns the word of letters and digits that begins at i.
func wordAt(data []byte, i int) string {
	end := i
	for b := at(data, end); isWord(b) && b != '_'; b = at(data, end) {
		end++
	}
	return string(data[i:end])
}

// goesOn reports whether the word continues at i, so that it is not a version.
func goesOn(data []byte, i int) bool {
	b := at(data, i)
	return isWord(b) && b != '_' || b == '+' || b == '.' && isDigit(at(data, i+1))
}

// coreEnd returns the end of the MAJOR.MINOR.PATCH at i, or -1.
func coreEnd(data []byte, i int) int {
	if at(data, i) == 'v' {
		i++
	}
	for part := range 3 {
		if part > 0 {
			if at(data, i) != '.' {
				return -1
			}
			i++
		}
		start := i
		for isDigit(at(data, i)) {
			i++
		}
		if i == start || i-start > 1 && data[start] == '0' {
			return -1
		}
	}
	return i
}

// prereleaseEnd returns the end of the prerelease at i, or i if there is none. It stops
// before the words for which stop returns true.
func prereleaseEnd(data []byte, i int, stop func(word string) bool) int {
	if i < 0 || at(data, i) != '-' {
		return i
	}
	for at(data, i) == '-' || i >= 0 && at(data, i) == '.' {
		text := wordAt(data, i+1)
		numbered := strings.Trim(text, "0123456789") == ""
		if at(data, i) == '-' && coreEnd(data, i+1) >= 0 {
			return i // the other end of a range
		}
		if text == "" || stop(text) || numbered && len(text) > 1 && text[0] == '0' {
			return i
		}
		i += 1 + len(text)
	}
	return i
}

// isVariant reports whether a word after the version in a tag names a build of that
// version, such as alpine3 and jdk17.
func isVariant(word string) bool {
	word = strings.ToLower(word)
	return variants[word] || variants[strings.TrimRight(word, "0123456789")]
}

var variants = words(`alpine builder cuda eksbuild full gke jdk jre k3s nanoserver python rke rootless runtime slim
	debug distroless nonroot static scratch busybox bookworm bullseye buster trixie jammy
	noble focal ubi ubi8 ubi9 rhel8 rhel9 centos fedora debian ubuntu fips musl glibc gnu linux windows darwin
	amd64 arm64 arm armv7 ppc64le s390x`)

// isFileWord reports whether a word is not part of the version in the name of a file.
func isFileWord(word string) bool { return fileWords[strings.ToLower(word)] }

// fileWords are words after the version in the name of a file.
var fileWords = words(`linux darwin windows freebsd macos amd64 arm64 arm armv6 armv7 ppc64le s390x 386 i386 x86
	aarch64 all any noarch tar tgz gz xz bz2 zip zst rpm deb apk exe msi dmg pkg appimage rb jar war whl gem crate nupkg iso img qcow2
	yaml yml json toml txt md html sh sum sums sha256 sha512 sig asc pem sbom spdx checksums`)

func words(list string) map[string]bool {
	set := map[string]bool{}
	for _, word := range strings.Fields(list) {
		set[word] = true
	}
	return set
}

// useAt matches a template or variable in the place of a version: {{…}}, ${{…}}, ${…},
// $(…), $NAME. A template may contain another one: {{"{{.Name}}"}}.
var useAt = regexp.MustCompile(`^v?(?:\$?\{\{[^}\n]*\}\}(?:["'` + "`" + `]\}\})?` +
	`|\$\{[^}\n]*\}|\$\([^)\n]*\)|\$[A-Za-z_][A-Za-z0-9_]*)`)

// useEnd returns the end of the use that begins at start, or -1.
func useEnd(data []byte, start int) int {
	b := at(data, start)
	if b == 'v' {
		b = at(data, start+1)
	}
	if b != '{' && b != '$' {
		return -1
	}
	match := useAt.FindIndex(data[start:lineEnd(data, start)])
	if match == nil {
		return -1
	}
	return start + match[1]
}

// movingEnd returns the end of the name that moves, such as latest, at start, or -1.
func movingEnd(data []byte, start int) int {
	for _, name := range []string{"latest", "main", "master"} {
		end := start + len(name)
		if !bytes.HasPrefix(data[min(start, len(data)):], []byte(name)) {
			continue
		}
		if next := at(data, end); !isWord(next) && next != '-' && next != '.' {
			return end
		}
	}
	return -1
}

// These match a digest or commit beside a version, and the comment with the version.
var (
	digestAt  = regexp.MustCompile(`^@(sha256:[0-9a-f]{64})(?:[^0-9a-f]|$)`)
	commentAt = regexp.MustCompile(`^["']?[ \t]+#[ \t]*(?:tag[=:][ \t]*)?`)
	commitAt  = regexp.MustCompile(`^([0-9a-f]{40})["']?[ \t]+#[ \t]*` +
		`(?:tag[=:][ \t]*|[A-Za-z0-9_.-]+(?:/[A-Za-z0-9_.-]+)*@)?`)
)

// lineEnd returns the offset of the newline after i, or the end of data.
func lineEnd(data []byte, i int) int {
	i = min(i, len(data))
	to := min(len(data), i+wide)
	if n := bytes.IndexByte(data[i:to], '\n'); n >= 0 {
		return i + n
	}
	return to
}

// wide is the number of bytes of a line that are searched on each side of a place.
const wide = 8 << 10

// lineStart returns the offset of the first byte of the line around i.
func lineStart(data []byte, i int) int {
	i = min(i, len(data))
	from := max(0, i-wide)
	if n := bytes.LastIndexByte(data[from:i], '\n'); n >= 0 {
		return from + n + 1
	}
	return from
}
