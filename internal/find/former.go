package find

import (
	"bytes"
	"strings"

	"github.com/kubestellar/actions/internal/delivery"
	"github.com/kubestellar/actions/internal/ref"
)

// formerly separates a name in delivery.yaml from a former location or repository.
const formerly = "\x00"

// withFormer returns a file in which each former location is an artifact, and each former repository a component.
// Every form then finds the former names too.
func withFormer(f *delivery.File) *delivery.File {
	all := *f
	all.Components = map[string]delivery.Component{}
	for name, c := range f.Components {
		artifacts := map[string]delivery.Artifact{}
		for key, a := range c.Artifacts {
			artifacts[key] = a
			for _, at := range a.Formerly {
				former := delivery.Artifact{Kind: a.Kind, Tag: a.Tag}
				former.At, former.HTTPS = strings.CutPrefix(at, delivery.HTTPS)
				artifacts[key+formerly+at] = former
			}
		}
		for _, repository := range c.Formerly {
			former := c
			former.Repository, former.Artifacts, former.AppOf = repository, nil, nil
			former.Names, former.Patterns = nil, nil
			all.Components[name+formerly+repository] = former
		}
		c.Artifacts = artifacts
		all.Components[name] = c
	}
	return &all
}

// today gives a reference found by a former name the name of today, and records the former one.
func (t *text) today(r ref.Reference) ref.Reference {
	component, repository, isRepository := strings.Cut(r.Component, formerly)
	artifact, at, isArtifact := strings.Cut(r.Artifact, formerly)
	if isRepository || isArtifact {
		r.Former = &ref.Former{Written: repository + at}
		r.Former.Span = t.nameOf(r)
	}
	r.Component, r.Artifact = component, artifact
	return r
}

// nameOf returns the place of the former name that a reference is found by, on its line or in its mapping. It is empty
// if the name is in several parts.
func (t *text) nameOf(r ref.Reference) ref.Span {
	name := []byte(strings.TrimPrefix(r.Former.Written, delivery.HTTPS))
	if i := bytes.LastIndex(t.before(r.Start), name); i >= 0 {
		start := lineStart(t.data, r.Start) + i
		return ref.Span{Start: start, End: start + len(name)}
	}
	spans := []ref.Span{{Start: r.End, End: lineEnd(t.data, r.End)}}
	m, _ := t.siblings(r)
	for _, value := range m {
		spans = append(spans, value)
	}
	for _, s := range spans {
		if i := bytes.Index(t.data[s.Start:s.End], name); i >= 0 {
			return ref.Span{Start: s.Start + i, End: s.Start + i + len(name)}
		}
	}
	return ref.Span{}
}
