// Package apply carries out plans: edited bytes, copies, tags, pushes. What it
// does twice has the effect of once.
package apply

import (
	"bytes"
	"fmt"

	"github.com/kubestellar/actions/internal/plan"
)

// Edits splices the edits of one file, which are in the order of their
// places, into its text. Where the text does not hold what an edit expects,
// nothing is edited and the error says where.
func Edits(data []byte, edits []plan.Edit) ([]byte, error) {
	var out bytes.Buffer
	last := 0
	for _, e := range edits {
		if e.Start < last || e.End > len(data) || string(data[e.Start:e.End]) != e.Written {
			return nil, fmt.Errorf("%s: %q is not there to be replaced by %q: the file changed since it was read", e.Site, e.Written, e.To)
		}
		out.Write(data[last:e.Start])
		out.WriteString(e.To)
		last = e.End
	}
	out.Write(data[last:])
	return out.Bytes(), nil
}
