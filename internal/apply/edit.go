// Package apply carries out plans: edited bytes, copies, tags, pushes. What it
// does twice has the effect of once.
package apply

import (
	"bytes"
	"cmp"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/kubestellar/actions/internal/decide"
	"github.com/kubestellar/actions/internal/find"
	"github.com/kubestellar/actions/internal/ref"
)

// splice puts other bytes in the place of some.
type splice struct {
	ref.Span
	old, new string
}

// splices of an edit: its version, and the digest or commit beside it.
func splices(e decide.Edit) []splice {
	all := []splice{{ref.Span{Start: e.Start, End: e.End}, e.Written, e.To}}
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

// Edits splices the edits of one file into its text, and finds again in what
// comes of it: every place must hold what was planned, and all others what
// they held. Else nothing is edited, and the error says where.
func Edits(finder *find.Finder, name string, data []byte, edits []decide.Edit) ([]byte, error) {
	if len(edits) == 0 {
		return data, nil // the same bytes hold the same
	}
	var all []splice
	for _, e := range edits {
		all = append(all, splices(e)...)
	}
	slices.SortStableFunc(all, func(a, b splice) int { return cmp.Compare(a.Start, b.Start) })
	edited, err := spliced(name, data, all)
	if err != nil {
		return nil, err
	}
	return edited, lookAgain(finder, name, data, edited, edits, all)
}

func spliced(name string, data []byte, all []splice) ([]byte, error) {
	var out bytes.Buffer
	last := 0
	for _, s := range all {
		if s.Start < last || s.End > len(data) || string(data[s.Start:s.End]) != s.old {
			return nil, fmt.Errorf("%s: %q is not there to be replaced by %q: the file changed since it was read", name, s.old, s.new)
		}
		out.Write(data[last:s.Start])
		out.WriteString(s.new)
		last = s.End
	}
	out.Write(data[last:])
	return out.Bytes(), nil
}

// lookAgain compares what is found in an edited text with what should be.
func lookAgain(finder *find.Finder, name string, data, edited []byte, edits []decide.Edit, all []splice) error {
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
			return fmt.Errorf("%s: edited, the place should read %q, but what is found there is %q of %q", r.Site, want, got.Written, got.Component)
		}
	}
	return nil
}

// shift is by how much the splices before an offset move it.
func shift(all []splice, offset int) int {
	by := 0
	for _, s := range all {
		if s.Start < offset {
			by += len(s.new) - len(s.old)
		}
	}
	return by
}

// Line is the line of an edit, as it is and as all edits make it.
type Line struct{ Before, After string }

// Lines are the lines of edits, in their order.
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
	slices.SortStableFunc(all, func(a, b splice) int { return cmp.Compare(a.Start, b.Start) })
	after, err := spliced(e.File, data[start:end], all)
	trim := func(line []byte) string { return strings.TrimSuffix(string(line), "\r") }
	return Line{trim(data[start:end]), trim(after)}, err
}
