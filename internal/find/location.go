package find

import (
	"path"

	"github.com/kubestellar/actions/internal/delivery"
	"github.com/kubestellar/actions/internal/ref"
)

// location finds the version of an image or chart by its location: the tag after it, the
// --version of its command, or a version beside it in one mapping.
func location(f *Finder, t *text, n needle, start, end int) {
	if !t.is(n.word, start, end) || !t.starts(start) || !t.ends(end) {
		return
	}
	r := ref.Reference{Component: n.component, Artifact: n.artifact}
	if t.tagAfter(end, r) {
		return
	}
	if f.file.Components[n.component].Artifacts[n.artifact].Kind == delivery.Chart {
		if option := t.option(start, end); option >= 0 {
			r.Syntax = ref.Option
			t.add(option, r)
			return
		}
	}
	t.beside(start, end, r, versionKeys)
}

// tagAfter finds the tag or digest that follows a location. It reports whether there is one.
func (t *text) tagAfter(end int, r ref.Reference) bool {
	r.Syntax = ref.Tag
	if at(t.data, end) == ':' && at(t.data, end+1) > ' ' {
		if t.add(end+1, r) && t.found[len(t.found)-1].Lock == nil {
			last := &t.found[len(t.found)-1]
			m, _ := t.siblings(*last)
			last.Lock = t.lockBeside(m)
		}
		return true
	}
	match := digestAt.FindSubmatchIndex(t.after(end))
	if match != nil {
		t.commented(end+match[2], end+match[3], r)
	}
	return match != nil
}

// versionKeys are keys for the version of an artifact that another key of the mapping
// names.
var versionKeys = []string{
	"tag", "newTag", "imageTag", "image_tag", "version", "chartVersion", "targetRevision", "ref.tag", "ref.semver",
}

// commented adds the version in the comment after the digest from start to end:
// `@sha256:… # v1.2.3`.
func (t *text) commented(start, end int, r ref.Reference) {
	version := t.skip(commentAt, end)
	if version == end {
		return
	}
	if e := versionEnd(t.data, version); e >= 0 {
		r.Lock = t.lock(start, end)
		t.addEnding(version, e, r)
	}
}

// beside adds the version that is beside a whole value in one mapping.
func (t *text) beside(start, end int, r ref.Reference, keys []string) {
	t.hold(start, end, r)
	if t.setBeside(start, end, r) {
		return
	}
	if m := t.mapping(start, end); m != nil {
		t.addBeside(m, r, append(m.paired(m.keyAt(start)), keys...))
		return
	}
	t.keyed(start, end, r)
}

func (t *text) addBeside(m mapping, r ref.Reference, keys []string) {
	r.Syntax = ref.Key
	for _, key := range keys {
		value, ok := m[key]
		if !ok || t.isSelf(value.Start) {
			continue
		}
		version, prefix := t.versionStart(value.Start, r.Component)
		r.Context.Prefix = prefix
		r.Lock = t.lockBeside(m)
		if t.add(version, r) || t.addCommit(value.Start, r) {
			return
		}
	}
}

// digestKeys are keys for the digest of the image or chart that a mapping names.
var digestKeys = []string{"digest", "sha", "imageDigest", "image_digest"}

// lockBeside returns the digest in a mapping, or nil. It may lack its algorithm.
func (t *text) lockBeside(m mapping) *ref.Lock {
	for _, key := range digestKeys {
		if digest, ok := m[key]; ok && digestValue.Match(t.data[digest.Start:digest.End]) {
			return t.lock(digest.Start, digest.End)
		}
	}
	return nil
}

// addCommit adds the version in the comment after a commit.
func (t *text) addCommit(start int, r ref.Reference) bool {
	match := commitAt.FindSubmatchIndex(t.after(start))
	if match == nil {
		return false
	}
	r.Lock = t.lock(start+match[2], start+match[3])
	version := start + match[1]
	end := versionEnd(t.data, version)
	return end >= 0 && t.addEnding(version, end, r)
}

// ownChart finds the versions in the Chart.yaml of a chart of this repository: those that a release writes, and the
// appVersion of a chart around the software of another component.
func (f *Finder) ownChart(t *text) {
	if path.Base(t.name) != "Chart.yaml" {
		return
	}
	add := func(key string, r ref.Reference) {
		if value, ok := t.topLevel(key); ok {
			t.add(value, r)
		}
	}
	dir := path.Dir(t.name)
	if own, artifact, ok := f.file.ChartAt(dir); ok {
		version, app := f.file.ChartForms(f.file.Components[own].Artifacts[artifact])
		if version != delivery.Free {
			add("version", ref.Reference{Component: own, Artifact: artifact, Syntax: ref.ChartVersion})
		}
		if app != delivery.Free {
			add("appVersion", ref.Reference{Component: own, Artifact: artifact, Syntax: ref.ChartApp})
		}
	}
	if component, ok := f.file.AppOf(dir); ok {
		add("appVersion", ref.Reference{Component: component, Syntax: ref.AppVersion})
	}
}
