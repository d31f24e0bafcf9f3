package find

import (
	"regexp"
	"sort"

	"github.com/kubestellar/actions/internal/ref"
)

// suspectReach is the distance within which a version after a component's name is
// suspected to be that component's.
const suspectReach = 40 // bytes

// suspects returns versions right after a component's name that no form has found, and
// values of declared identifiers that begin like a version. It skips output and texts about the past.
func (t *text) suspects() []ref.Reference {
	var all []ref.Reference
	for i, m := range t.mentions {
		limit := min(lineEnd(t.data, m.End), m.End+suspectReach)
		if i+1 < len(t.mentions) && t.mentions[i+1].Start >= m.End {
			limit = min(limit, t.mentions[i+1].Start)
		}
		gap := t.data[m.End:limit]
		if other := otherThing.FindIndex(gap); other != nil {
			gap = gap[:other[0]]
		}
		start, end, ok := t.looseVersion(m.End, m.End+len(gap))
		if !ok || t.claimed(start) || t.isChartLabel(start) {
			continue
		}
		r := ref.Reference{
			Site:      t.site(start, end),
			Component: m.component,
			Written:   string(t.data[start:end]),
			Syntax:    ref.Prose,
		}
		if r.Context = t.context(r); !r.Context.Output && !r.Context.History {
			all = append(all, r)
		}
	}
	for _, r := range t.unlike {
		next := sort.Search(len(t.found), func(k int) bool { return t.found[k].Start >= r.Start })
		isUndeclared := next < len(t.found) && t.found[next].Start == r.Start && t.found[next].Component == undeclared
		r.Context = t.context(r)
		if c := r.Context; isUndeclared && !c.Output && !c.History && !c.Fixed && !r.Use {
			all = append(all, r)
		}
	}
	for _, r := range t.unread {
		if r.Context = t.context(r); !r.Context.Output && !r.Context.History && !r.Context.Comment {
			all = append(all, r)
		}
	}
	return all
}

// otherThing matches the beginning of a text about something else: the rest of a compound word, a path, another
// sentence or clause, a verb's distance of words, and another name before the version.
var otherThing = regexp.MustCompile(`^-[A-Za-z]|/|;|\.[ \t]|(?:[ \t]+[A-Za-z][a-z]*){4}|` +
	`\b[A-UW-Z][A-Za-z0-9-]*[ \t]+v?[0-9]`)

// looseVersion returns the first version between two offsets that is not part of
// another name.
func (t *text) looseVersion(from, to int) (start, end int, ok bool) {
	for i := from; i < to; i++ {
		before := at(t.data, i-1)
		if isWord(before) && before != '_' || before == '.' || before == '@' ||
			before == ':' && isWord(at(t.data, i-2)) {
			continue
		}
		if end := versionEnd(t.data, i); end >= 0 {
			return i, end, true
		}
	}
	return 0, 0, false
}

// claimed reports whether a form has found a reference at i. t.found is sorted, and its
// references do not overlap.
func (t *text) claimed(i int) bool {
	next := sort.Search(len(t.found), func(k int) bool { return t.found[k].Start > i })
	return next > 0 && i < t.found[next-1].End
}
