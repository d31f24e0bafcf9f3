package decide

import (
	"fmt"
	"strings"

	"github.com/kubestellar/actions/internal/delivery"
	"github.com/kubestellar/actions/internal/find"
	"github.com/kubestellar/actions/internal/ref"
	"github.com/kubestellar/actions/internal/resolve"
)

// Named are the targets that the world is to be asked for: what the pins in a
// tree name, each with the first place that names it. Excused pins, and those
// that tell what once was, name nothing that has to be there.
func Named(f *delivery.File, references []ref.Reference, own ref.Version) (map[resolve.Target]ref.Reference, error) {
	named := map[resolve.Target]ref.Reference{}
	for _, v := range Follow(f, find.Pins(references), nil) {
		c := v.Context
		if v.Excused != "" || c.History || c.Output || c.Example {
			continue
		}
		r := v.Reference
		if v.Because != "" && !isPlaceholder(r) && r.Syntax == ref.Value {
			r.Syntax = ref.Prose // an older release may not have had all artifacts of today
		}
		targets, err := resolve.Targets(f, r, own)
		if err != nil {
			return nil, err
		}
		for _, t := range targets {
			if _, before := named[t]; !before {
				named[t] = r
			}
		}
	}
	return named, nil
}

// Absent is the finding that what a place names is not there. place is where it
// is named, by a reference or by what refers to it.
func Absent(a resolve.Answer, at ref.Site, place string) Finding {
	return Finding{Rule: "exists", File: at.File, Line: at.Line, Column: at.Column, Component: a.Component,
		Saw: fmt.Sprintf("%s, named at %s, is not there", a.Target, place), Want: "something published", Help: "publish it first, or name a version that exists"}
}

// Belongs finds pins whose digest or commit is not that of the version beside
// it. A stand-in never has the real one's. answers are those to what the pins name.
func Belongs(f *delivery.File, references []ref.Reference, own ref.Version, answers map[resolve.Target]resolve.Answer) []Finding {
	var findings []Finding
	for _, r := range find.Pins(references) {
		if r.Lock == nil || r.Excused != "" {
			continue
		}
		targets, err := resolve.Targets(f, r, own)
		if err != nil || len(targets) == 0 {
			continue
		}
		a, asked := answers[targets[0]]
		if want := LockOf(r, a); asked && a.Err == nil && a.StandIn == "" && want != "" && want != r.Lock.Written {
			findings = append(findings, At(r, "digest", fmt.Sprintf("%s beside %s", r.Lock.Written, r.Written), want,
				"the two name different things: ghhelper bump moves both together"))
		}
	}
	return findings
}

// LockOf is the digest or commit that belongs beside a pin's version, as the
// world answers; "" where it does not tell.
func LockOf(r ref.Reference, a resolve.Answer) string {
	if strings.HasPrefix(r.Lock.Written, "sha256:") {
		return a.Digest
	}
	return a.Revision
}
