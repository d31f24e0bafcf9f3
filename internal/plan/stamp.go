// Package plan decides. It takes references, answers and rules, gives ordered
// changes and findings, and does no IO.
package plan

import (
	"strings"

	"github.com/kubestellar/actions/internal/delivery"
	"github.com/kubestellar/actions/internal/ref"
)

// Edit puts another version in the place of a reference's own.
type Edit struct {
	ref.Reference
	To string `json:"to"`
}

// Stamp plans the edits that put a version in the place of every placeholder
// for our own component and those in lock step with it.
func Stamp(f *delivery.File, found []ref.Reference, version ref.Version) []Edit {
	var edits []Edit
	for _, r := range found {
		if !f.IsOwn(r.Component) || strings.TrimPrefix(r.Written, "v") != ref.Placeholder {
			continue
		}
		edits = append(edits, Edit{r, asWritten(r.Written, version)})
	}
	return edits
}

// asWritten is the version with a "v" if the place has one.
func asWritten(old string, version ref.Version) string {
	if strings.HasPrefix(old, "v") {
		return version.Tag()
	}
	return version.String()
}
