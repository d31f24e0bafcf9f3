package plan

import (
	"fmt"
	"strings"

	"github.com/kubestellar/actions/internal/delivery"
	"github.com/kubestellar/actions/internal/ref"
)

// Finding is one thing that is wrong at one place.
type Finding struct {
	Rule      string `json:"rule"`
	File      string `json:"file,omitempty"`
	Line      int    `json:"line,omitempty"`
	Column    int    `json:"column,omitempty"`
	Component string `json:"component,omitempty"`
	Saw       string `json:"saw"`
	Want      string `json:"want"`
	Help      string `json:"help"`
}

func (f Finding) String() string {
	where := ""
	if f.File != "" {
		where = fmt.Sprintf("%s:%d:%d: ", f.File, f.Line, f.Column)
	}
	return fmt.Sprintf("%ssaw %s, want %s; %s (%s)", where, f.Saw, f.Want, f.Help, f.Rule)
}

// At makes a finding at a reference's place.
func At(r ref.Reference, rule, saw, want, help string) Finding {
	return Finding{Rule: rule, File: r.File, Line: r.Line, Column: r.Column, Component: r.Component, Saw: saw, Want: want, Help: help}
}

// Check applies the rules that need nothing but the references themselves.
func Check(f *delivery.File, found []ref.Reference) []Finding {
	var findings []Finding
	for _, r := range found {
		if r.Use {
			continue
		}
		findings = append(findings, selfReference(f, r)...)
		findings = append(findings, fittingV(f, r)...)
	}
	return findings
}

// selfReference: git holds no version of our own component, but a placeholder.
func selfReference(f *delivery.File, r ref.Reference) []Finding {
	placeholder := strings.TrimPrefix(r.Written, "v") == ref.Placeholder
	switch {
	case f.IsOwn(r.Component) && !placeholder:
		return []Finding{At(r, "self-reference", fmt.Sprintf("%s %s", r.Component, r.Written), ref.Placeholder,
			"git holds no version of what this repository releases: the release stamps it")}
	case !f.IsOwn(r.Component) && placeholder:
		return []Finding{At(r, "placeholder", fmt.Sprintf("%s %s", r.Component, r.Written), "a published version",
			"only our own component is stamped; this one needs a real version")}
	}
	return nil
}

// fittingV: the version has a "v" exactly where the artifact's tag has one.
func fittingV(f *delivery.File, r ref.Reference) []Finding {
	artifact, ok := f.Components[r.Component].Artifacts[r.Artifact]
	if !ok || artifact.HasV() == strings.HasPrefix(r.Written, "v") {
		return nil
	}
	want := strings.TrimPrefix(r.Written, "v")
	if artifact.HasV() {
		want = "v" + want
	}
	return []Finding{At(r, "v-prefix", r.Written, want, fmt.Sprintf("the tags of %s/%s are declared as %q", r.Component, r.Artifact, orDefault(artifact.Tag)))}
}

func orDefault(tag string) string {
	if tag == "" {
		return "{version}"
	}
	return tag
}
