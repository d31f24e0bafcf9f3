package ref

import "fmt"

// Site is a place in a file: the bytes from Start to End, which begin at Line
// and Column (both counted from 1; Column in bytes).
type Site struct {
	File   string `json:"file"`
	Line   int    `json:"line"`
	Column int    `json:"column"`
	Start  int    `json:"-"`
	End    int    `json:"-"`
}

// String is the form that editors and terminals jump to.
func (s Site) String() string { return fmt.Sprintf("%s:%d:%d", s.File, s.Line, s.Column) }

// Reference is one place that names a version of a component.
type Reference struct {
	Site
	Component string `json:"component"`
	// Artifact is the key of the artifact in delivery.yaml, or "" where the
	// place names the component as a whole.
	Artifact string `json:"artifact,omitempty"`
	// Written is the version as it stands there, with its "v" if it has one.
	Written string `json:"version"`
	// Syntax names the form by which the reference was found.
	Syntax string `json:"syntax"`
	// Use says that the place holds a template or variable, whose version
	// stands elsewhere: an edge of the graph, not a pin.
	Use bool `json:"use,omitempty"`
}

// Version is the version that the reference names.
func (r Reference) Version() (Version, error) { return ParseVersion(r.Written) }
