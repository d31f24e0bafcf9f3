package decide

import (
	"fmt"

	"github.com/kubestellar/actions/internal/outcome"
)

// Findings stop a command that would change something: things that are wrong,
// each with its place.
type Findings struct{ List []Finding }

// Code of findings.
func (f *Findings) Code() outcome.Code { return outcome.Wrong }

// Found is an error of these findings, nil if there are none.
func Found(list []Finding) error {
	if len(list) == 0 {
		return nil
	}
	return &Findings{list}
}

func (f *Findings) Error() string {
	text := fmt.Sprintf("%d found wrong", len(f.List))
	for _, finding := range f.List {
		text += "\n  " + finding.String()
	}
	return text
}
