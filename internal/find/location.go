package find

import (
	"bytes"
	"regexp"

	"github.com/kubestellar/actions/internal/delivery"
	"github.com/kubestellar/actions/internal/ref"
)

// locations finds where an artifact is named by the location at which it is
// published: ghcr.io/o/r:1.2.3 and oci://ghcr.io/o/chart --version v1.2.3.
type locations struct{ places []place }

type place struct{ component, artifact, at string }

func newLocations(f *delivery.File) locations {
	var l locations
	for _, component := range f.Names() {
		c := f.Components[component]
		for _, name := range c.ArtifactNames() {
			if at := c.Artifacts[name].At; at != "" {
				l.places = append(l.places, place{component, name, at})
			}
		}
	}
	return l
}

func (l locations) find(t *text) []ref.Reference {
	var found []ref.Reference
	for _, p := range l.places {
		occurrences(t.data, p.at, startsInside, continues, func(_, end int) {
			if r, ok := p.reference(t, end); ok {
				found = append(found, r)
			}
		})
	}
	return found
}

// startsInside: a location may follow a scheme's slashes, but not a path.
func startsInside(b byte) bool { return isWord(b) || b == '.' || b == '-' }

func continues(b byte) bool { return isWord(b) || b == '/' || b == '-' }

// reference reads what follows a location.
func (p place) reference(t *text, end int) (ref.Reference, bool) {
	if bytes.HasPrefix(t.data[end:], []byte(":")) {
		return p.versionAt(t, end+1, "tag")
	}
	if start := versionOption(t.data, end); start >= 0 {
		return p.versionAt(t, start, "--version")
	}
	return ref.Reference{}, false
}

// versionAt is the reference whose version begins at start.
func (p place) versionAt(t *text, start int, syntax string) (ref.Reference, bool) {
	return referenceAt(t, start, ref.Reference{Component: p.component, Artifact: p.artifact, Syntax: syntax})
}

// referenceAt completes r by the version, or the use of one, at start.
func referenceAt(t *text, start int, r ref.Reference) (ref.Reference, bool) {
	end := versionEnd(t.data, start)
	if end < 0 {
		match := useAt.FindIndex(t.data[start:])
		if match == nil {
			return r, false
		}
		end, r.Use = start+match[1], true
	}
	r.Site = t.site(start, end)
	r.Written = string(t.data[start:end])
	return r, true
}

// A --version option as words of one command: on the same line, after a
// backslash, or as items of a YAML list.
var optionAt = regexp.MustCompile(`--version(?:=|["']?,?(?:[ \t]|\\?\r?\n)+(?:-[ \t]+)?)["']?`)

// A command or another chart begins: what follows belongs to that.
var nextCommand = regexp.MustCompile(`oci://|(?:^|[\s;&|])helm[ \t]|\r?\n[ \t]*\r?\n|\n[ \t]*-?[ \t]*(?:image|name|command):`)

// versionOption is where the value of the --version option begins that
// belongs to the chart which is named before end, or -1.
func versionOption(data []byte, end int) int {
	const near = 400 // bytes; a command's words stand close together
	tail := data[end:min(end+near, len(data))]
	if other := nextCommand.FindIndex(tail); other != nil {
		tail = tail[:other[0]]
	}
	option := optionAt.FindIndex(tail)
	if option == nil {
		return -1
	}
	return end + option[1]
}
