package find

import (
	"bytes"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/kubestellar/actions/internal/ref"
)

// holder is a variable whose value is a location of a component, or the beginning of a URL.
type holder struct {
	name, rest string // rest is the part of the value after the location
	ref.Reference
}

// heldBefore matches an assignment up to the location in its value.
var heldBefore = regexp.MustCompile(`(?:^|[\s;])([A-Za-z_][A-Za-z0-9_]*)(?:[ \t]*[:?]?=[ \t]*|:[ \t]+)["']?` +
	`(?:[a-z]+://)?(?:github\.com/)?$`)

// hold keeps the variable whose value is a location without a version.
func (t *text) hold(start, end int, r ref.Reference) {
	if match := heldBefore.FindSubmatch(t.before(start)); match != nil {
		t.holders = append(t.holders, holder{string(match[1]), strings.TrimSuffix(t.address(end), "/"), r})
	}
}

// expansions matches where the value of a variable is used.
func expansions(name string) *regexp.Regexp {
	return regexp.MustCompile(`\$` + name + `\b|\$\{` + name + `\}|\$\(` + name + `\)|` +
		`\{\{[ \t]*(?:env|\.)?\.?` + name + `[ \t]*\}\}`)
}

// variables finds the versions behind variables that hold a location, and the assignments
// of variables that hold the version of one component only.
func (f *Finder) variables(t *text) {
	for _, h := range t.holders {
		for _, match := range expansions(h.name).FindAllIndex(t.data, -1) {
			if h.Artifact == "" {
				t.page(h.rest, match[1], h.Reference)
			} else if h.rest == "" {
				t.tagAfter(match[1], h.Reference)
			}
		}
	}
	owners := map[int]string{} // by the offset of an assigned version
	values := map[string][]ref.Reference{}
	first := len(t.found)
	for i := 0; i < len(t.found); i++ {
		r := t.found[i]
		match := variableAt.FindStringSubmatch(r.Written)
		if !r.Use || match == nil || loose[r.Syntax] || f.file.IsOwn(r.Component) {
			continue
		}
		key := r.Component + " " + match[1]
		if _, ok := values[key]; !ok {
			values[key] = f.valuesOf(t, match[1], r.Component)
		}
		value, ok := t.assigned(values[key], r.Start)
		owner, known := owners[value.Start]
		switch {
		case !ok || owner == r.Component:
		case known:
			owners[value.Start] = several
		default:
			owners[value.Start] = r.Component
			t.found = append(t.found, value)
		}
	}
	added := slices.DeleteFunc(t.found[first:], func(r ref.Reference) bool { return owners[r.Start] == several })
	t.found = t.found[:first+len(added)]
}

// several is the owner of a version of more than one component.
const several = "*"

// loose are the forms whose variable may be a version of something else.
var loose = map[ref.Syntax]bool{ref.Prose: true, ref.FileName: true, ref.Link: true}

// variableAt matches a use that is one variable.
var variableAt = regexp.MustCompile(`^v?(?:\$\{?|\$\(|\$?\{\{[ \t]*\.?)(?:(?:env|inputs|var|local)\.)?` +
	`([A-Za-z_][A-Za-z0-9_]*)(?:$|[ \t]*[)}]|[#%/:-])`)

// valuesOf returns the values that a text assigns to a variable, in their order.
func (f *Finder) valuesOf(t *text, name, component string) []ref.Reference {
	found, unread := t.found, t.unread
	t.found = nil
	word := []byte(name)
	for start := bytes.Index(t.data, word); start >= 0; {
		end := start + len(word)
		f.identifier(t, start, end, component)
		next := bytes.Index(t.data[end:], word)
		if start = end + next; next < 0 {
			break
		}
	}
	all := t.found
	t.found, t.unread = found, unread
	return all
}

// assigned returns the value that is seen at a use: the last one before it in its job or
// stage, or else the only one after it.
func (t *text) assigned(values []ref.Reference, use int) (value ref.Reference, ok bool) {
	for _, next := range values {
		switch {
		case next.Start == use || !t.reaches(next.Start, use):
		case next.Start < use || !ok:
			value, ok = next, true
		case value.Start > use:
			return value, false
		}
	}
	return value, ok
}

// stageAt matches the beginning of a stage of a Dockerfile.
var stageAt = regexp.MustCompile(`(?mi)^from[ \t]`)

// reaches reports whether a value that is assigned at one place is seen at another: in the
// same job or stage, or from before all of them.
func (t *text) reaches(assigned, use int) bool {
	t.survey()
	if scope := t.scope(assigned); scope != t.name && scope != t.scope(use) {
		return false
	}
	base := strings.ToLower(path.Base(t.name))
	if !strings.Contains(base, "dockerfile") && !strings.Contains(base, "containerfile") {
		return true
	}
	stage := func(i int) int { return len(stageAt.FindAllIndex(t.data[:i], -1)) }
	return stage(assigned) == 0 || stage(assigned) == stage(use)
}
