// Package decide holds the decisions: which pins follow, what an answer means, what an edit changes. It takes
// references, answers and rules, and returns edits and findings. It does no IO.
package decide

import (
	"strings"

	"github.com/kubestellar/actions/internal/delivery"
	"github.com/kubestellar/actions/internal/ref"
)

// Edit replaces the version of a reference.
type Edit struct {
	ref.Reference
	To          string
	LockTo      string // the digest or commit of the new version, if one is beside the old version
	WantsDigest bool   // a digest must be added beside the version
	Behind      bool   // the place had an older version than the others
	// NameTo is the name of today, if the edit replaces a former name.
	NameTo string
	// Because is the evidence for the edit; empty if the form of the place is enough.
	Because string
	// Commits are those in which the place moved with the others.
	Commits []string
}

// Reason returns why a place moves, if its form alone does not tell: the evidence with
// its commits, and whether the place was behind the others. A place that was behind, and
// has no other evidence than commits, moved with the others until the first of them.
func (e Edit) Reason() string {
	ids := make([]string, len(e.Commits))
	for i, c := range e.Commits {
		ids[i] = ShortID(c)
	}
	text := e.Because
	if e.NameTo != "" {
		text = strings.TrimPrefix(text+"; replaces "+e.Former.Written, "; ")
	}
	switch {
	case e.Behind && text == "" && len(ids) > 0:
		return "moved with the others until " + ids[0]
	case e.Behind && text == "":
		return "was behind the others"
	default:
		if len(ids) > 0 {
			text += " in " + strings.Join(ids, ", ")
		}
		if e.Behind {
			text = "was behind the others; " + text
		}
		return text
	}
}

// ShortID returns the beginning of a commit's id, as git shows it.
func ShortID(commit string) string {
	const short = 8
	return commit[:min(short, len(commit))]
}

// Stamp returns the edits that replace each placeholder for our own component, and for those in lock step with it.
func Stamp(f *delivery.File, found []ref.Reference, version ref.Version) []Edit {
	var edits []Edit
	for _, r := range found {
		if !f.IsOwn(r.Component) || strings.TrimPrefix(r.Written, "v") != ref.Placeholder {
			continue
		}
		edits = append(edits, Edit{Reference: r, To: r.Spell(version)})
	}
	return edits
}
