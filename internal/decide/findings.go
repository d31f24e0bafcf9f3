package decide

import (
	"fmt"
	"slices"

	"github.com/kubestellar/actions/internal/outcome"
	"github.com/kubestellar/actions/internal/ref"
)

// Findings is an error of one or more findings.
type Findings struct{ List []Finding }

// Code returns outcome.Wrong.
func (f *Findings) Code() outcome.Code { return outcome.Wrong }

// Found returns the findings as an error, or nil if there are none.
func Found(list []Finding) error {
	if len(list) == 0 {
		return nil
	}
	return &Findings{list}
}

func (f *Findings) Error() string {
	text := "1 finding"
	if len(f.List) > 1 {
		text = fmt.Sprintf("%d findings", len(f.List))
	}
	for _, finding := range f.List {
		text += "\n  " + finding.String()
	}
	return text
}

// Unlisted returns findings, followed by more of them at other places.
func Unlisted(findings, more []Finding) []Finding {
	known := map[ref.Site]bool{}
	for _, f := range findings {
		known[f.site()] = true
	}
	return append(findings, slices.DeleteFunc(more, func(f Finding) bool { return known[f.site()] })...)
}

func (f Finding) site() ref.Site { return ref.Site{File: f.File, Line: f.Line, Column: f.Column} }
