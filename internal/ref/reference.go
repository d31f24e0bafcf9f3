package ref

import (
	"fmt"
	"strings"
)

// Span is a range of bytes in a file, from Start up to End.
type Span struct{ Start, End int }

// Site is a place in a file: the bytes from Start up to End. They begin at Line and
// Column, which count from 1. Columns are bytes.
type Site struct {
	File   string `json:"file"`
	Line   int    `json:"line"`
	Column int    `json:"column"`
	Start  int    `json:"-"`
	End    int    `json:"-"`
}

// String returns FILE:LINE:COLUMN, which editors and terminals recognise.
func (s Site) String() string { return fmt.Sprintf("%s:%d:%d", s.File, s.Line, s.Column) }

// Reference is one place that names a version of a component.
type Reference struct {
	Site
	Component string `json:"component"`
	// Artifact is the key of the artifact in delivery.yaml. It is empty if the
	// place names the component as a whole.
	Artifact string `json:"artifact,omitempty"`
	// Written is the version as written, with its "v" if it has one.
	Written string `json:"version"`
	// Syntax is the form of the reference.
	Syntax Syntax `json:"syntax"`
	// Use is set if the place contains a template or variable, whose version is
	// defined elsewhere. It is an edge of the graph, not a pin.
	Use bool `json:"use,omitempty"`
	// Moving is set if the place contains a name that moves, such as latest.
	Moving bool `json:"moving,omitempty"`
	// Path is the path in the repository, or the name of the asset, if the place
	// names a file of a tag or of a release.
	Path string `json:"path,omitempty"`
	// Lock is the digest or commit beside the version, if there is one.
	Lock *Lock `json:"lock,omitempty"`
	// Former is the former location or repository that the place names, if it does.
	Former *Former `json:"former,omitempty"`
	// Excused is the reason in delivery.yaml, or in a mark in the file, for
	// leaving the place alone.
	Excused string  `json:"excused,omitempty"`
	Context Context `json:"-"`
}

// Lock is a digest or commit that pins the same thing as the version beside it.
type Lock struct {
	Span    `json:"-"`
	Written string `json:"written"` // sha256:… or a commit's 40 hexadecimal digits
}

// Former is a former name at a place. Its span is empty if the name is in several parts.
type Former struct {
	Span    `json:"-"`
	Written string `json:"name"`
}

// Syntax is a form of reference.
type Syntax string

// The forms of references. A reference names an artifact by its tag unless its
// comment states otherwise.
const (
	Tag          Syntax = "tag"              // location:VERSION
	Option       Syntax = "--version"        // location … --version VERSION
	Key          Syntax = "key"              // a version beside a location in one mapping
	Value        Syntax = "value"            // IDENTIFIER=VERSION
	ChartVersion Syntax = "chart version"    // version in our own Chart.yaml
	ChartApp     Syntax = "chart appVersion" // appVersion in our own Chart.yaml
	AppVersion   Syntax = "appVersion"       // appVersion of a chart around the component's software
	GoModule     Syntax = "module"           // path VERSION, path@VERSION
	Uses         Syntax = "uses"             // an action or reusable workflow
	Raw          Syntax = "raw file"         // a URL of a file of the repository
	Download     Syntax = "download"         // an asset of a release
	Archive      Syntax = "archive"          // an archive of the repository at a tag
	Link         Syntax = "link"             // a page about a tag, for people
	Checkout     Syntax = "checkout"         // a clone, or a remote base, at a tag
	Installer    Syntax = "installer"        // the argument of a script that the repository serves
	FileName     Syntax = "file name"        // name-VERSION
	Prose        Syntax = "prose"            // the component's name, then VERSION
	Matched      Syntax = "pattern"          // a pattern of delivery.yaml
	Word         Syntax = "version"          // a version alone, whose component only the surroundings tell
)

// NamesGitTag reports whether a place of this form names a git tag of the
// component's repository. Such a tag always begins with "v".
func (s Syntax) NamesGitTag() bool {
	switch s {
	case Uses, Raw, Download, Archive, Link, Checkout:
		return true
	}
	return false
}

// IsDeclared reports whether delivery.yaml declares the place of this form itself.
func (s Syntax) IsDeclared() bool { return s == Matched || s == AppVersion }

// Context describes the text around a reference. Package decide draws the
// conclusions.
type Context struct {
	Document bool   // a text for people: Markdown and the like
	History  bool   // a text about the past: release notes, a dated statement
	Script   bool   // source code, where prose is in messages and comparisons
	Comment  bool   // commented out, or prose in a comment
	Example  bool   // introduced by "e.g." or the like
	Output   bool   // pasted output of a command
	Bound    bool   // a lower or upper bound
	Fixed    bool   // a link to fixed lines, or a page about one release
	Lines    bool   // such a link to lines
	Rendered bool   // in a file that a command derives
	Listed   bool   // one of several versions in a list
	Encoded  bool   // inside base64 data
	Checksum bool   // beside a checksum of the artifact
	Name     string // the identifier that has this value
	Prefix   string // of the name of a branch or tag, before the version: release-
	Suffix   string // of a tag, after the version: -alpine
	Doubt    string // the reason why the component is uncertain
	Module   string // the path of a Go module, with its major
	Page     string // the kind of page in a repository: blob, tree
	Scope    string // the part of the file that belongs together: a job of a workflow, or the whole file
	List     int    // the line of the innermost YAML list around the place, 0 without one
	Shape    string // the line without its versions, see history.Shape
	Owner    Owner  // what the version belongs to according to its surroundings; of a Word
}

// Owner describes what a version may belong to. A Word has it.
type Owner struct {
	Ours  string // a location or repository of the component that it is attached to, or that its mapping names
	Other string // the same of something else
	// Near are the declared components that its line, its mapping or the key above name.
	Near []string
	// Beside are the offsets of the component's references in its line, the lines next to
	// it, or its mapping.
	Beside []int
	Prose  bool // in a sentence
	Row    bool // in a row of a table
	Self   bool // the version of the file itself, such as that of a Chart.yaml
}

// Version returns the version that the reference names.
func (r Reference) Version() (Version, error) { return ParseVersion(r.Plain()) }

// Plain returns the version as written, with dots instead of dashes.
func (r Reference) Plain() string {
	if r.Dashed() {
		return strings.Replace(r.Written, "-", ".", 2)
	}
	return r.Written
}

// Dashed reports whether the place writes 1-2-3 for 1.2.3.
func (r Reference) Dashed() bool {
	i := strings.IndexAny(r.Written, ".-")
	return r.Syntax == Value && !r.Use && !r.Moving && i >= 0 && r.Written[i] == '-'
}

// Spell returns a version in the spelling of this place: with or without "v", with
// dots or dashes.
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
