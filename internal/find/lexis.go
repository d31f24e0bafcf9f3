package find

import (
	"bytes"
	"path"
	"regexp"
	"strings"
)

func isWord(b byte) bool {
	return b == '_' || '0' <= b && b <= '9' || 'a' <= b && b <= 'z' || 'A' <= b && b <= 'Z'
}

func isDigit(b byte) bool { return '0' <= b && b <= '9' }

// at is the byte at i, or 0 outside of data.
func at(data []byte, i int) byte {
	if i < 0 || i >= len(data) {
		return 0
	}
	return data[i]
}

// versionEnd is where the version that begins at start ends, with or without
// "v", or -1 where no version stands there as a whole word: 1.2.3x, 1.2.3.4 and
// 1.2.3+build are none.
func versionEnd(data []byte, start int) int {
	end := prereleaseEnd(data, coreEnd(data, start), variants)
	if end < 0 || goesOn(data, end) || at(data, end) == '_' || at(data, end) == '.' && isWord(at(data, end+1)) {
		return -1
	}
	return end
}

// fileVersionEnd is versionEnd in the name of a file, where the version ends
// before an extension and before words such as linux and amd64.
func fileVersionEnd(data []byte, start int) int {
	end := prereleaseEnd(data, coreEnd(data, start), fileWords)
	if end < 0 || goesOn(data, end) || at(data, end) == '.' && isWord(at(data, end+1)) && !fileWords[strings.ToLower(wordAt(data, end+1))] {
		return -1
	}
	return end
}

// wordAt is the word of letters and digits that begins at i.
func wordAt(data []byte, i int) string {
	end := i
	for b := at(data, end); isWord(b) && b != '_'; b = at(data, end) {
		end++
	}
	return string(data[i:end])
}

// goesOn tells whether what begins at i shows that a word goes on.
func goesOn(data []byte, i int) bool {
	b := at(data, i)
	return isWord(b) && b != '_' || b == '+' || b == '.' && isDigit(at(data, i+1))
}

// coreEnd is where MAJOR.MINOR.PATCH ends, or -1.
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

// prereleaseEnd is where the prerelease that may begin at i ends. It stops
// before the words given.
func prereleaseEnd(data []byte, i int, stop map[string]bool) int {
	if i < 0 || at(data, i) != '-' {
		return i
	}
	for at(data, i) == '-' || i >= 0 && at(data, i) == '.' {
		text := wordAt(data, i+1)
		numbered := strings.Trim(text, "0123456789") == ""
		if at(data, i) == '-' && coreEnd(data, i+1) >= 0 {
			return i // the other end of a range
		}
		if text == "" || stop[strings.ToLower(text)] || numbered && len(text) > 1 && text[0] == '0' {
			return i
		}
		i += 1 + len(text)
	}
	return i
}

// variants end a version in a tag: what stands behind it says which build of
// that version is meant, and is kept.
var variants = words(`alpine slim debug distroless nonroot static scratch busybox bookworm bullseye buster trixie jammy noble focal
	ubi ubi8 ubi9 rhel8 rhel9 centos fedora debian ubuntu fips musl glibc gnu linux windows darwin amd64 arm64 arm armv7 ppc64le s390x`)

// fileWords end a version in a file's name.
var fileWords = words(`linux darwin windows freebsd macos amd64 arm64 arm armv6 armv7 ppc64le s390x 386 i386 x86 aarch64 all any noarch
	tar tgz gz xz bz2 zip zst rpm deb apk exe msi dmg pkg appimage rb jar war whl gem crate nupkg iso img qcow2 yaml yml json toml txt md html sh sum sums sha256 sha512 sig asc pem sbom spdx checksums`)

func words(list string) map[string]bool {
	set := map[string]bool{}
	for _, word := range strings.Fields(list) {
		set[word] = true
	}
	return set
}

// A template or variable where a version would stand: {{…}}, ${{…}}, ${…},
// $(…), $NAME. A template may itself be wrapped in one: {{"{{.Name}}"}}.
var useAt = regexp.MustCompile(`^v?(?:\$?\{\{[^}\n]*\}\}(?:["'` + "`" + `]\}\})?|\$\{[^}\n]*\}|\$\([^)\n]*\)|\$[A-Za-z_][A-Za-z0-9_]*)`)

// useEnd is where a use that begins at start ends, or -1.
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

// movingEnd is where a name that moves, such as latest, ends, or -1.
func movingEnd(data []byte, start int) int {
	for _, name := range []string{"latest", "main", "master"} {
		end := start + len(name)
		if bytes.HasPrefix(data[min(start, len(data)):], []byte(name)) && !isWord(at(data, end)) && at(data, end) != '-' && at(data, end) != '.' {
			return end
		}
	}
	return -1
}

// A digest, and a commit, as they stand beside a version.
var (
	digestAt  = regexp.MustCompile(`^@(sha256:[0-9a-f]{64})(?:[^0-9a-f]|$)`)
	commentAt = regexp.MustCompile(`^["']?[ \t]+#[ \t]*(?:tag[=:][ \t]*)?`)
	commitAt  = regexp.MustCompile(`^([0-9a-f]{40})["']?[ \t]+#[ \t]*(?:tag[=:][ \t]*|[A-Za-z0-9_.-]+(?:/[A-Za-z0-9_.-]+)*@)?`)
)

// lineEnd is the offset of the newline that ends the line around i, or the end.
func lineEnd(data []byte, i int) int {
	i = min(i, len(data))
	to := min(len(data), i+wide)
	if n := bytes.IndexByte(data[i:to], '\n'); n >= 0 {
		return i + n
	}
	return to
}

// wide bounds how much of a line is looked at around a place, in bytes: a line
// of a megabyte is nobody's command.
const wide = 8 << 10

// lineStart is the offset of the first byte of the line around i.
func lineStart(data []byte, i int) int {
	i = min(i, len(data))
	from := max(0, i-wide)
	if n := bytes.LastIndexByte(data[from:i], '\n'); n >= 0 {
		return from + n + 1
	}
	return from
}

// covers tells whether a pattern names the file: as a whole path, as a folder
// above it (with a slash at its end), or, without any slash, by its base name.
func covers(pattern, name string) bool {
	if strings.HasSuffix(pattern, "/") {
		return strings.HasPrefix(name, pattern)
	}
	if !strings.Contains(pattern, "/") {
		name = name[strings.LastIndexByte(name, '/')+1:]
	}
	ok, err := path.Match(pattern, name)
	return ok && err == nil
}
