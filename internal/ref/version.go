// Package ref is the vocabulary of the project: versions, references and the
// places where they stand. It does no IO.
package ref

import (
	"fmt"
	"strings"

	"github.com/Masterminds/semver/v3"
)

// Placeholder is what git holds where a repository would otherwise name its
// own next version. It is valid semver, since helm accepts nothing else as a
// chart's version.
const Placeholder = "0.0.0-unstamped"

// Version is a semantic version; the zero value is no version at all.
type Version struct{ sem *semver.Version }

// maxTag is the longest tag that the OCI distribution specification allows.
const maxTag = 128

// ParseVersion reads a version, with or without its leading "v", by the strict
// rules of https://semver.org. Build metadata is refused: an image tag cannot
// hold its "+".
func ParseVersion(text string) (Version, error) {
	sem, err := semver.StrictNewVersion(strings.TrimPrefix(text, "v"))
	switch {
	case err != nil:
		return Version{}, fmt.Errorf("version %+q is not semver, want MAJOR.MINOR.PATCH or MAJOR.MINOR.PATCH-PRERELEASE, such as 1.2.3 or v1.2.3-rc.1", Shorten(text))
	case sem.Metadata() != "":
		return Version{}, fmt.Errorf("version %+q has build metadata, which no image tag can hold: drop %+q", Shorten(text), "+"+sem.Metadata())
	case len(text) > maxTag-1:
		return Version{}, fmt.Errorf("version %+q is %d characters long, want at most %d, the length of an image tag", Shorten(text), len(text), maxTag-1)
	}
	return Version{sem}, nil
}

// Shorten keeps a hostile text from flooding a message.
func Shorten(s string) string {
	const most = 80
	if len(s) <= most {
		return s
	}
	return s[:most] + "…"
}

// IsZero tells whether v holds no version.
func (v Version) IsZero() bool { return v.sem == nil }

// IsPlaceholder tells whether v is the Placeholder.
func (v Version) IsPlaceholder() bool { return v.String() == Placeholder }

// String is the version without a "v".
func (v Version) String() string {
	if v.sem == nil {
		return ""
	}
	return v.sem.String()
}

// Tag is the git tag of the version: the version with a "v".
func (v Version) Tag() string { return "v" + v.String() }

// Prerelease returns the part after the first dash, empty if there is none.
func (v Version) Prerelease() string {
	if v.IsZero() {
		return ""
	}
	return v.sem.Prerelease()
}

// Next is the version that a release after v would get: a prerelease's own
// release, else the next patch.
func (v Version) Next() Version {
	next := v.sem.IncPatch()
	return Version{&next}
}

// Compare orders versions by semver, except that prerelease identifiers such
// as rc9 and rc10 compare by their numbers: KubeStellar's releases are named
// so, and plain semver puts rc10 before rc9.
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

// Newest is the greatest of versions that are not zero, or the zero Version if
// there is none.
func Newest(versions []Version) Version {
	var newest Version
	for _, v := range versions {
		if !v.IsZero() && (newest.IsZero() || v.Compare(newest) > 0) {
			newest = v
		}
	}
	return newest
}
