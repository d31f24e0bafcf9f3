// Package apply applies edits: to text, to the files of a tree, and to the stamped copies of our artifacts. It also
// runs the commands that derive files from edited ones.
package apply

import (
	"bytes"
	"cmp"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/kubestellar/actions/internal/decide"
	"github.com/kubestellar/actions/internal/delivery"
	"github.com/kubestellar/actions/internal/find"
	"github.com/kubestellar/actions/internal/ref"
)

// splice replaces the bytes of a span.
type splice struct {
	ref.Span
	old, new string
}

// splices returns the splices of an edit: the version, and the digest or commit beside it.
func splices(e decide.Edit) []splice {
	all := []splice{{ref.Span{Start: e.Start, End: e.End}, e.Written, e.To}}
	if e.NameTo != "" {
		all = append(all, splice{e.Former.Span, strings.TrimPrefix(e.Former.Written, delivery.HTTPS), e.NameTo})
	}
	switch {
	case e.LockTo == "":
	case e.Lock != nil:
		all = append(all, splice{e.Lock.Span, e.Lock.Written, e.LockTo})
	default:
		end := e.End + len(e.Context.Suffix)
		all = append(all, splice{ref.Span{Start: end, End: end}, "", "@" + e.LockTo})
	}
	return all
}

// Edits applies edits to the text of one file, and searches the result for references. Each edited place must have its
// new version, and every other reference must be unchanged. If not, the error names the place.
func Edits(finder *find.Finder, name string, data []byte, edits []decide.Edit) ([]byte, error) {
	if len(edits) == 0 {
		return data, nil
	}
	var all []splice
	for _, e := range edits {
		all = append(all, splices(e)...)
	}
	all = sorted(all)
	edited, err := spliced(name, data, all)
	if err != nil {
		return nil, err
	}
	return edited, checkEdited(finder, name, data, edited, edits, all)
}

// sorted returns splices in the order of their places. Several edits may replace one name.
func sorted(all []splice) []splice {
	slices.SortStableFunc(all, func(a, b splice) int { return cmp.Compare(a.Start, b.Start) })
	return slices.Compact(all)
}

func spliced(name string, data []byte, all []splice) ([]byte, error) {
	var out bytes.Buffer
	last := 0
	for _, s := range all {
		if s.Start < last || s.End > len(data) || string(data[s.Start:s.End]) != s.old {
			return nil, fmt.Errorf("%s: want %q where %q is to be written: the file changed since it was read",
				name, s.old, s.new)
		}
		out.Write(data[last:s.Start])
		out.WriteString(s.new)
		last = s.End
	}
	out.Write(data[last:])
	return out.Bytes(), nil
}

// checkEdited compares the references in an edited text with those in the original.
func checkEdited(finder *find.Finder, name string, data, edited []byte, edits []decide.Edit, all []splice) error {
	planned := map[int]string{}
	for _, e := range edits {
		planned[e.Start] = e.To
	}
	found := map[int]ref.Reference{}
	for _, r := range finder.Text(name, edited) {
		if !r.Context.Encoded {
			found[r.Start] = r
		}
	}
	for _, e := range edits {
		at := e.Start + shift(all, e.Start)
		if got := edited[at:min(at+len(e.To), len(edited))]; string(got) != e.To {
			return fmt.Errorf("%s: after the edit, the place has %q, want %q", e.Site, got, e.To)
		}
	}
	for _, r := range finder.Text(name, data) {
		if r.Context.Encoded {
			continue
		}
		want, moved := planned[r.Start]
		if !moved {
			want = r.Written
		}
		at := r.Start + shift(all, r.Start)
		if got := found[at]; got.Written != want || got.Component != r.Component {
			return fmt.Errorf("%s: after the edit, the place has %q of %q, want %q",
				r.Site, got.Written, got.Component, want)
		}
	}
	return nil
}

// shift returns the number of bytes by which the splices before an offset move it.
func shift(all []splice, offset int) int {
	by := 0
	for _, s := range all {
		if s.Start < offset {
			by += len(s.new) - len(s.old)
		}
	}
	return by
}

// Line is the line of an edit, before and after all edits.
type Line struct{ Before, After string }

// Lines returns the lines of edits, in their order.
func Lines(tree fs.FS, edits []decide.Edit) ([]Line, error) {
	lines := make([]Line, len(edits))
	texts := map[string][]byte{}
	for i, e := range edits {
		if _, read := texts[e.File]; !read {
			data, err := fs.ReadFile(tree, e.File)
			if err != nil {
				return nil, err
			}
			texts[e.File] = data
		}
		var err error
		if lines[i], err = lineOf(texts[e.File], e, edits); err != nil {
			return nil, err
		}
	}
	return lines, nil
}

func lineOf(data []byte, e decide.Edit, edits []decide.Edit) (Line, error) {
	start := bytes.LastIndexByte(data[:min(e.Start, len(data))], '\n') + 1
	end := len(data)
	if n := bytes.IndexByte(data[start:], '\n'); n >= 0 {
		end = start + n
	}
	var all []splice
	for _, other := range edits {
		for _, s := range splices(other) {
			if other.File == e.File && start <= s.Start && s.End <= end {
				s.Start, s.End = s.Start-start, s.End-start
				all = append(all, s)
			}
		}
	}
	after, err := spliced(e.File, data[start:end], sorted(all))
	trim := func(line []byte) string { return strings.TrimSuffix(string(line), "\r") }
	return Line{trim(data[start:end]), trim(after)}, err
}
