package tag

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/kubestellar/actions/internal/decide"
	"github.com/kubestellar/actions/internal/ref"
)

// line is a branch and the versions that are ordered in it: those of X.Y on a branch such as release-X.Y, and all
// versions on other branches.
type line struct {
	branch string
	minor  string // "X.Y.", or empty for branches of other names
}

var minorOf = regexp.MustCompile(`(?:^|[/_-])v?(\d+\.\d+)(\.|-|$)`)

func lineOf(branch string) line {
	if m := minorOf.FindStringSubmatch(branch); m != nil {
		return line{branch, m[1] + "."}
	}
	return line{branch: branch}
}

func (l line) has(v ref.Version) bool { return strings.HasPrefix(v.String(), l.minor) }

// newer checks that a version is newer than all others of its line. The line is that of the release branch of its X.Y
// if that branch contains the commit. Otherwise it is that of another branch.
func newer(v ref.Version, branches []string, tagged []ref.Version) (string, []decide.Finding) {
	lines := make([]line, 0, len(branches))
	for _, branch := range branches {
		lines = append(lines, lineOf(branch))
	}
	slices.SortStableFunc(lines, func(a, b line) int { return len(b.minor) - len(a.minor) }) // the others last
	at := slices.IndexFunc(lines, func(l line) bool { return l.has(v) })
	if at < 0 {
		return "", []decide.Finding{{
			Rule: "version-order",
			Saw:  fmt.Sprintf("version %s on %s", v, strings.Join(branches, ", ")),
			Want: fmt.Sprintf("a version that begins with %s", lines[0].minor),
			Help: "tag a commit of the default branch, or take a version of the branch's line",
		}}
	}
	in := lines[at]
	newest := ref.Newest(slices.DeleteFunc(slices.Clone(tagged), func(o ref.Version) bool {
		return !in.has(o) || o.Compare(v) == 0
	}))
	if newest.IsZero() || v.Compare(newest) > 0 {
		return newerThan(newest, in), nil
	}
	return "", []decide.Finding{{
		Rule: "version-order",
		Saw:  fmt.Sprintf("version %s, and %s is tagged on the line of %s", v, newest, in.branch),
		Want: "a version that is newer than all others of its line",
		Help: fmt.Sprintf("take %s or a newer one", newest.Next()),
	}}
}

func newerThan(newest ref.Version, in line) string {
	if newest.IsZero() {
		return "the first of the line of " + in.branch
	}
	return fmt.Sprintf("newer than %s, the newest of the line of %s", newest, in.branch)
}
