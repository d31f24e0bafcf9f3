package find

import (
	"bytes"
	"path"
	"regexp"

	"github.com/kubestellar/actions/internal/ref"
)

// module finds a Go module by its path: in go.mod, and as path@VERSION.
func module(_ *Finder, t *text, n needle, start, end int) {
	if !t.is(n.word, start, end) || !t.starts(start, false) || at(t.data, start-1) == '/' {
		return // what follows slashes is an address
	}
	r := ref.Reference{Component: n.component, Artifact: n.artifact, Syntax: ref.GoModule}
	if match := subpathAt.FindIndex(t.after(end)); match != nil {
		t.add(end+match[1], r)
		return
	}
	t.moduleVersion(end, r)
}

var (
	majorAt   = regexp.MustCompile(`^(?:/v[0-9]+)?[ \t]+`)
	goVersion = regexp.MustCompile(`^v[0-9]`)
)

// moduleVersion adds the version that follows a module's path, which always has
// its "v", unless the line only excludes it.
func (t *text) moduleVersion(i int, r ref.Reference) bool {
	version := t.skip(majorAt, i)
	if version == i || !goVersion.Match(t.after(version)) || path.Base(t.name) == "go.mod" && t.excludes(i) {
		return false
	}
	r.Syntax = ref.GoModule
	return t.add(version, r)
}

// excludes tells whether a line of a go.mod is about versions that are not
// used: https://go.dev/ref/mod#go-mod-file-exclude
func (t *text) excludes(i int) bool {
	line := bytes.TrimSpace(t.before(i))
	if bytes.Contains(line, []byte("//")) {
		return true // a comment
	}
	if open := bytes.LastIndex(t.data[:i], []byte("(\n")); open >= 0 && bytes.IndexByte(t.data[open:i], ')') < 0 {
		line = bytes.TrimSpace(t.before(open))
	}
	return bytes.HasPrefix(line, []byte("exclude")) || bytes.HasPrefix(line, []byte("retract"))
}
