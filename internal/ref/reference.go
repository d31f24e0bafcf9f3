package ref

import (
	"fmt"
	"strings"
)

// Span is a run of bytes in a file, from Start up to End.
type Span struct{ Start, End int }

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
	Syntax Syntax `json:"syntax"`
	// Use says that the place holds a template or variable, whose version
	// stands elsewhere: an edge of the graph, not a pin.
	Use bool `json:"use,omitempty"`
	// Moving says that the place holds a name that moves, such as latest.
	Moving bool `json:"moving,omitempty"`
	// Path is the rest of what is named, where the place names a file of a
	// release or of a tag: a path in the repository, or an asset's name.
	Path string `json:"path,omitempty"`
	// Lock is the digest or commit that stands beside the version, if any.
	Lock *Lock `json:"lock,omitempty"`
	// Excused is the reason why delivery.yaml, or a mark in the file, leaves
	// the place alone.
	Excused string  `json:"excused,omitempty"`
	Context Context `json:"-"`
}

// Lock is a digest or commit that pins the same thing as the version beside it.
type Lock struct {
	Span    `json:"-"`
	Written string `json:"written"` // sha256:… or a commit's 40 hexadecimal digits
}

// Syntax names a form of reference.
type Syntax string

// The forms. What is written in them names an artifact by its tag, unless it
// says otherwise.
const (
	Tag          Syntax = "tag"              // location:VERSION
	Option       Syntax = "--version"        // location … --version VERSION
	Key          Syntax = "key"              // a version beside a location in one mapping
	Value        Syntax = "value"            // IDENTIFIER=VERSION
	ChartVersion Syntax = "chart version"    // version in our own Chart.yaml
	ChartApp     Syntax = "chart appVersion" // appVersion in our own Chart.yaml
	GoModule     Syntax = "module"           // path VERSION, path@VERSION
	Uses         Syntax = "uses"             // an action or reusable workflow
	Raw          Syntax = "raw file"         // a file of the repository, to be fetched
	Download     Syntax = "download"         // a release's asset
	Archive      Syntax = "archive"          // the repository's files at a tag
	Link         Syntax = "link"             // a page about a tag, for people
	Checkout     Syntax = "checkout"         // a clone, or a remote base, at a tag
	Installer    Syntax = "installer"        // the argument of a script that the repository serves
	FileName     Syntax = "file name"        // name-VERSION
	Prose        Syntax = "prose"            // the component's name, then VERSION
	Matched      Syntax = "pattern"          // a pattern of delivery.yaml
)

// NamesGitTag tells whether a place of this form names a git tag of the
// component's repository, which always carries a "v".
func (s Syntax) NamesGitTag() bool {
	switch s {
	case Uses, Raw, Download, Archive, Link, Checkout:
		return true
	}
	return false
}

// Context says in what surroundings a reference stands. It is what the text
// shows; what follows from it is decided elsewhere.
type Context struct {
	Document bool   // a text for people: Markdown and the like
	History  bool   // a text about the past: release notes, a point-in-time statement
	Script   bool   // a program's text, in which prose is what it prints or compares
	Comment  bool   // commented out, or said in a comment
	Example  bool   // introduced by "e.g." or the like
	Output   bool   // pasted output of a command
	Bound    bool   // a lower or upper bound
	Fixed    bool   // a link to fixed lines, or a page about one release
	Listed   bool   // one of several versions in a list
	Encoded  bool   // inside base64 data
	Checksum bool   // a checksum of what is named stands beside it
	Name     string // the identifier whose value it is
	Prefix   string // what the name of a branch or tag has before the version: release-
	Suffix   string // what a tag has behind the version: -alpine
	Page     string // what kind of page of a repository is named: blob, tree
	Scope    string // what belongs together: a job of a workflow, else the file
}

// Version is the version that the reference names.
func (r Reference) Version() (Version, error) { return ParseVersion(r.Plain()) }

// Plain is the version as written, with dots where the place has dashes.
func (r Reference) Plain() string {
	if r.Dashed() {
		return strings.Replace(r.Written, "-", ".", 2)
	}
	return r.Written
}

// Dashed tells whether the place writes 1-2-3 for 1.2.3.
func (r Reference) Dashed() bool {
	i := strings.IndexAny(r.Written, ".-")
	return r.Syntax == Value && !r.Use && !r.Moving && i >= 0 && r.Written[i] == '-'
}

// Spell writes a version as this place writes versions: with its "v" or
// without, with dots or dashes.
func (r Reference) Spell(v Version) string {
	text := v.String()
	if r.Dashed() {
		text = strings.Replace(text, ".", "-", 2)
	}
	if strings.HasPrefix(r.Written, "v") {
		text = "v" + text
	}
	return text
}
