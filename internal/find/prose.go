package find

import (
	"bytes"
	"strings"

	"github.com/kubestellar/actions/internal/ref"
)

// proseReach is the distance within which a version is searched after a component's name.
const proseReach = 64 // bytes

// prose finds a component's name followed by a version. Only punctuation and a few words
// may be between them: "KubeFlex release 0.8.1".
func prose(_ *Finder, t *text, n needle, start, end int) {
	if !t.starts(start) || at(t.data, start-1) == '/' || at(t.data, start-1) == '@' || isWord(at(t.data, end)) {
		return
	}
	t.spoken(start, end, n.component)
}

// proseOfIdentifier is prose for an identifier, which must match exactly.
func proseOfIdentifier(_ *Finder, t *text, n needle, start, end int) {
	if t.is(n.word, start, end) && t.starts(start) && !isWord(at(t.data, end)) {
		t.spoken(start, end, n.component)
	}
}

func (t *text) spoken(start, end int, component string) {
	t.mentions = append(t.mentions, mention{ref.Span{Start: start, End: end}, component})
	if version := t.fill(end, min(lineEnd(t.data, end), end+proseReach)); version > end {
		if e := versionEnd(t.data, version); e >= 0 {
			t.addEnding(version, e, ref.Reference{Component: component, Syntax: ref.Prose})
		}
	}
}

// fill returns the offset of the version after punctuation and filler words, within a
// limit, or -1 if there is anything else.
func (t *text) fill(i, limit int) int {
	for i < limit {
		b := t.data[i]
		switch {
		case isDigit(b) || b == 'v' && isDigit(at(t.data, i+1)):
			return i
		case b == ']' && at(t.data, i+1) == '(': // the name was a link
			closing := bytes.IndexByte(t.after(i), ')')
			if closing < 0 {
				return -1
			}
			i += closing + 1
			limit = min(lineEnd(t.data, i), i+proseReach)
		case bytes.IndexByte([]byte(" \t:=|,([*_`\"'])<>~^\xe2\x89\xa5"), b) >= 0:
			i++
		case isWord(b):
			end := i
			for isWord(at(t.data, end)) && t.data[end] != '_' {
				end++
			}
			if !fillers[strings.ToLower(string(t.data[i:end]))] {
				return -1
			}
			i = end
		default:
			return -1
		}
	}
	return -1
}

// fillers are the words that may be between a name and its version.
var fillers = words(`release releases version versions tag image images chart cli is to at than higher later newer older
	greater lower after before since from least minimum min up only operator module`)

// fileName finds a component's or a chart's name that is joined to a version, such as
// name-1.2.3.tgz, and the equal appVersion that helm prints after it.
func fileName(_ *Finder, t *text, n needle, start, end int) {
	joint := at(t.data, end)
	if joint != '-' && joint != '_' || !t.starts(start) && at(t.data, start-1) != '/' {
		return
	}
	if n.artifact == "" && t.isChartLabel(end+1) {
		return // the label names a chart, which the component may not release
	}
	r := ref.Reference{Component: n.component, Artifact: n.artifact, Syntax: ref.FileName}
	version := end + 1
	if fileVersionEnd(t.data, version) < 0 && useEnd(t.data, version) < 0 || !t.addFile(version, r) {
		return
	}
	last := t.found[len(t.found)-1]
	i := last.End
	for at(t.data, i) == ' ' || at(t.data, i) == '\t' {
		i++
	}
	if i > last.End+1 || at(t.data, last.End) == '\t' {
		if e := versionEnd(t.data, i); e >= 0 && string(t.data[i:e]) == last.Written {
			t.addEnding(i, e, r)
		}
	}
}
