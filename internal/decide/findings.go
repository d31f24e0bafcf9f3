package decide

import (
	"fmt"

	"github.com/kubestellar/actions/internal/outcome"
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
