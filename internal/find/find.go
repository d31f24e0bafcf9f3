// Package find finds the references in files: places that name a version of a
// declared component. Components are declared once, by what they publish;
// their references are found by the forms in which people write them, one
// file of this package a form.
package find

import (
	"bytes"
	"cmp"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"sort"
	"strings"

	"github.com/kubestellar/actions/internal/delivery"
	"github.com/kubestellar/actions/internal/ref"
)

// Finder finds references to the components of one delivery.yaml.
type Finder struct {
	file  *delivery.File
	forms []form
}

// form finds the references of one way of writing them in a text.
type form interface {
	find(t *text) []ref.Reference
}

// New makes a Finder for the components that f declares.
func New(f *delivery.File) *Finder {
	return &Finder{f, []form{newLocations(f), newNames(f), newLinks(f), chartFile{f}}}
}

// text is one file with the starts of its lines.
type text struct {
	name  string
	data  []byte
	lines []int
}

func newText(name string, data []byte) *text {
	t := &text{name: name, data: data, lines: []int{0}}
	for i, b := range data {
		if b == '\n' {
			t.lines = append(t.lines, i+1)
		}
	}
	return t
}

// site is the place of the bytes from start to end.
func (t *text) site(start, end int) ref.Site {
	line := sort.SearchInts(t.lines, start+1)
	return ref.Site{File: t.name, Line: line, Column: start - t.lines[line-1] + 1, Start: start, End: end}
}

// Text finds the references in one file's text, in the order of their places.
// A place is reported once, though several forms may fit it.
func (f *Finder) Text(name string, data []byte) []ref.Reference {
	if bytes.IndexByte(data, 0) >= 0 {
		return nil // binary
	}
	t := newText(name, data)
	var found []ref.Reference
	for _, form := range f.forms {
		found = append(found, form.find(t)...)
	}
	slices.SortStableFunc(found, func(a, b ref.Reference) int { return cmp.Compare(a.Start, b.Start) })
	return slices.CompactFunc(found, overlap)
}

func overlap(a, b ref.Reference) bool { return a.Start < b.End && b.Start < a.End }

// Files finds the references in the named files of a tree. A file that an
// excuse of delivery.yaml covers is passed over; an excuse that covers no file
// is an error, since it hides a mistake.
func (f *Finder) Files(fsys fs.FS, names []string) ([]ref.Reference, error) {
	var found []ref.Reference
	used := make([]bool, len(f.file.Ignore))
	for _, name := range names {
		if i := f.excuse(name); i >= 0 {
			used[i] = true
			continue
		}
		data, err := readRegular(fsys, name)
		if err != nil {
			return nil, fmt.Errorf("looking for references: %w", err)
		}
		found = append(found, f.Text(name, data)...)
	}
	if i := slices.Index(used, false); i >= 0 {
		return nil, fmt.Errorf("%s: ignore %q covers no file: correct it or take it out", delivery.FileName, f.file.Ignore[i].Files)
	}
	return found, nil
}

// Tree finds the references in all files of a tree, in the order of their
// paths; see Files.
func (f *Finder) Tree(fsys fs.FS) ([]ref.Reference, error) {
	var names []string
	err := fs.WalkDir(fsys, ".", func(name string, entry fs.DirEntry, err error) error {
		if err == nil && !entry.IsDir() {
			names = append(names, name)
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("looking for references: %w", err)
	}
	return f.Files(fsys, names)
}

// readRegular reads a file that is neither a link nor a submodule; those hold
// no text of this tree.
func readRegular(fsys fs.FS, name string) ([]byte, error) {
	info, err := fs.Lstat(fsys, name)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, nil
	}
	return fs.ReadFile(fsys, name)
}

// excuse is the index of the excuse that covers the file, or -1.
func (f *Finder) excuse(name string) int {
	return slices.IndexFunc(f.file.Ignore, func(e delivery.Excuse) bool { return covers(e.Files, name) })
}

// covers tells whether a pattern names the file: as a whole path, as a folder
// above it (with a slash at its end), or, without any slash, by its base name.
func covers(pattern, name string) bool {
	if strings.HasSuffix(pattern, "/") {
		return strings.HasPrefix(name, pattern)
	}
	if !strings.Contains(pattern, "/") {
		name = path.Base(name)
	}
	ok, err := path.Match(pattern, name)
	return ok && err == nil
}

// Pins are the references with a literal version.
func Pins(found []ref.Reference) []ref.Reference {
	return slices.DeleteFunc(slices.Clone(found), func(r ref.Reference) bool { return r.Use })
}
