package decide

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/kubestellar/actions/internal/delivery"
)

// CleanTree returns a finding if a work tree has changed or untracked files.
func CleanTree(dirty []string) []Finding {
	if len(dirty) == 0 {
		return nil
	}
	saw := "1 changed or untracked file: "
	if len(dirty) > 1 {
		saw = fmt.Sprintf("%d changed or untracked files: ", len(dirty))
	}
	const most = 10
	return []Finding{{
		Rule: "clean-tree",
		Saw:  saw + strings.Join(dirty[:min(most, len(dirty))], ", "),
		Want: "a clean tree",
		Help: "commit, stash or remove them: a release contains only committed files",
	}}
}

// OffBranch returns the finding for a commit that is on no branch that releases.
func OffBranch(f *delivery.File, commit string) Finding {
	return Finding{
		Rule: "on-main",
		Saw:  "commit " + commit + " on no branch that " + f.Own().Repository + " releases from",
		Want: "a commit of the default branch or of " + strings.Join(f.ReleaseBranches(), ", "),
		Help: "merge it first",
	}
}

// TagStays returns a finding for each place where a git tag is on another commit.
// tags are the commits by place, "" if a place has no tag.
func TagStays(tag, commit string, tags map[string]string) []Finding {
	var findings []Finding
	for _, place := range slices.Sorted(maps.Keys(tags)) {
		if at := tags[place]; at != "" && at != commit {
			findings = append(findings, Finding{
				Rule: "tag-moves",
				Saw:  fmt.Sprintf("tag %s %s on commit %s", tag, place, at),
				Want: "no such tag, or one on " + commit,
				Help: "a tag never moves: take the next version",
			})
		}
	}
	return findings
}
