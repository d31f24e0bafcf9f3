// Package decide decides. It takes references, answers and rules, gives ordered
// changes and findings, and does no IO.
package decide

import (
	"strings"

	"github.com/kubestellar/actions/internal/delivery"
	"github.com/kubestellar/actions/internal/ref"
)

// Edit puts another version in the place of a reference's own.
type Edit struct {
	ref.Reference
	To string
	// LockTo is the digest or commit of the new version, where one stands
	// beside the old.
	LockTo string
	// WantsDigest says that a digest is to stand beside the version.
	WantsDigest bool
	// Behind says that the place held an older version than the others.
	Behind bool
}

// Stamp plans the edits that put a version in the place of every placeholder
// for our own component and those in lock step with it.
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
