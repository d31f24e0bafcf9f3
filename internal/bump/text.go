package bump

import (
	"fmt"
	"slices"
	"strings"

	"github.com/kubestellar/actions/internal/delivery"
	"github.com/kubestellar/actions/internal/gh"
	"github.com/kubestellar/actions/internal/ref"
)

func (a *attempt) title() string { return a.file.Bumps.TitleFor(a.Move.Component, a.Move.Version) }

// longestBody is the limit for a pull request's text in bytes. GitHub's own limit is
// 65536 characters.
const longestBody = 60_000

// body returns the text of the pull request: first the decisions of the reviewer, then
// what the diff shows as well.
func (a *attempt) body(tree string) string {
	head := fmt.Sprintf("%s [%s](%s/releases/tag/%s) is released%s.\n",
		a.Move.Component, a.Move.Version, a.upstream(), a.component().GitTag(a.Move.Version), a.changes())
	end := "\n<!-- " + treeTrailer + tree + " -->\n"
	own := a.file.Bumps.BodyFor(a.Move.Component, a.Move.Version)
	if own != "" && len(own)+len(head)+len(end) < longestBody {
		head = own + "\n" + head
	}
	const words = 200 // bytes of the sentence below
	parts := slices.Concat(a.plan.decisions(), a.plan.details())
	return head + render(parts, longestBody-words-len(head)-len(end), func(rows int) string {
		return fmt.Sprintf("And %d rows more, which do not fit here: the commits have all places, "+
			"and `ghhelper bump --dry-run` prints them.", rows)
	}) + end
}

// isAbout reports whether the pull request's text was written for a tree of ours.
func isAbout(pull *gh.Pull, tree string) bool {
	return strings.Contains(pull.Body, treeTrailer+tree)
}

// upstream returns the address of the repository that releases the component.
func (a *attempt) upstream() string {
	return a.Server + "/" + a.component().Repository
}

func (a *attempt) component() delivery.Component { return a.file.Components[a.Move.Component] }

// changes returns links to the changes since the versions that are replaced.
func (a *attempt) changes() string {
	var from []ref.Version
	for _, e := range a.plan.Edits {
		if v, err := e.Version(); err == nil {
			from = append(from, v)
		}
	}
	slices.SortFunc(from, func(a, b ref.Version) int { return b.Compare(a) })
	from = slices.CompactFunc(from, func(a, b ref.Version) bool { return a.Compare(b) == 0 })
	var links []string
	for _, v := range from {
		links = append(links, fmt.Sprintf("[%s](%s/compare/%s...%s)",
			v, a.upstream(), a.component().GitTag(v), a.component().GitTag(a.Move.Version)))
	}
	if len(links) == 0 {
		return ""
	}
	return ": what has changed since " + strings.Join(links, ", ")
}
