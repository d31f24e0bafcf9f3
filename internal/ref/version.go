// Package ref defines versions, references and their places in files. It does no IO.
package ref

import (
	"fmt"
	"strings"

	"github.com/Masterminds/semver/v3"
	"golang.org/x/mod/module"
)

// Placeholder is written in git in place of a repository's own next version. It is
// valid semver, because helm accepts nothing else as the version of a chart.
const Placeholder = "0.0.0-unstamped"

// Version is a semantic version. The zero value is not a version.
type Version struct{ sem *semver.Version }

// maxTag is the longest tag that the OCI distribution specification allows.
const maxTag = 128

// ParseVersion parses a version by the strict rules of https://semver.org, with or
// without a leading "v". It refuses build metadata, because an image tag cannot
// contain "+".
func ParseVersion(text string) (Version, error) {
	sem, err := semver.StrictNewVersion(strings.TrimPrefix(text, "v"))
	switch {
	case err != nil:
		return Version{}, fmt.Errorf("version %+q is not semver, want MAJOR.MINOR.PATCH or "+
			"MAJOR.MINOR.PATCH-PRERELEASE, such as 1.2.3 or v1.2.3-rc.1", Shorten(text))
	case sem.Metadata() != "":
		return Version{}, fmt.Errorf("version %+q has build metadata, which an image tag cannot contain: drop %+q",
			Shorten(text), "+"+sem.Metadata())
	case len(text) > maxTag-1:
		return Version{}, fmt.Errorf("version %+q is %d characters long, want at most %d, the length of an image tag",
			Shorten(text), len(text), maxTag-1)
	}
	return Version{sem}, nil
}

// Shorten cuts text from others to a length that fits in a message.
func Shorten(s string) string {
	const most = 80
	if len(s) <= most {
		return s
	}
	return s[:most] + "…"
}

// IsZero reports whether v is the zero Version.
func (v Version) IsZero() bool { return v.sem == nil }

// IsPlaceholder reports whether v is the Placeholder.
func (v Version) IsPlaceholder() bool { return v.String() == Placeholder }

// String returns the version without a "v".
func (v Version) String() string {
	if v.sem == nil {
		return ""
	}
	return v.sem.String()
}

// WithV returns the version with a "v", as Go modules have it.
func (v Version) WithV() string { return "v" + v.String() }

// Prerelease returns the part after the first dash, or "" if there is none.
func (v Version) Prerelease() string {
	if v.IsZero() {
		return ""
	}
	return v.sem.Prerelease()
}

// Next returns the version of the release after v: for a prerelease the release
// itself, otherwise the next patch.
func (v Version) Next() Version {
	next := v.sem.IncPatch()
	return Version{&next}
}

// Compare orders versions by semver, except that prerelease identifiers such as rc9
// and rc10 are ordered by their numbers. KubeStellar names releases like this, and
// semver sorts rc10 before rc9.
func (v Version) Compare(o Version) int {
	if c := compareCore(v.sem, o.sem); c != 0 {
		return c
	}
	return comparePrerelease(v.sem.Prerelease(), o.sem.Prerelease())
}

func compareCore(a, b *semver.Version) int {
	for _, pair := range [][2]uint64{{a.Major(), b.Major()}, {a.Minor(), b.Minor()}, {a.Patch(), b.Patch()}} {
		if c := compareNumbers(pair[0], pair[1]); c != 0 {
			return c
		}
	}
	return 0
}

// Newest returns the greatest version, or the zero Version if there is none.
func Newest(versions []Version) Version {
	var newest Version
	for _, v := range versions {
		if !v.IsZero() && (newest.IsZero() || v.Compare(newest) > 0) {
			newest = v
		}
	}
	return newest
}

// IsPseudo reports whether v is a Go pseudo version, which names a commit and no release:
// https://go.dev/ref/mod#pseudo-versions
func (v Version) IsPseudo() bool { return !v.IsZero() && module.IsPseudoVersion(v.WithV()) }

// IsLine reports whether v belongs to a release line, which is given as MAJOR.MINOR.
func (v Version) IsLine(line string) bool {
	return !v.IsZero() && line == fmt.Sprintf("%d.%d", v.sem.Major(), v.sem.Minor())
}

// IsDated reports whether v is a build of a date, such as 1.2.3-20260401.
func (v Version) IsDated() bool {
	const date = 8 // digits
	return len(v.Prerelease()) == date && strings.Trim(v.Prerelease(), "0123456789") == ""
}
