package main

import (
	"errors"
	"fmt"

	"github.com/kubestellar/actions/internal/decide"
	"github.com/kubestellar/actions/internal/outcome"
	"github.com/kubestellar/actions/internal/rehearsal"
	"github.com/kubestellar/actions/internal/report"
)

const errorsPage = "https://github.com/kubestellar/actions/blob/main/docs/errors.md"

// explain ends the output of an error with the page that explains it.
func (p process) explain(err error) {
	var rehearsed *rehearsal.FailedError
	if errors.As(err, &rehearsed) {
		return // the rehearsed command printed it
	}
	fmt.Fprintf(p.Stderr, "  see %s#%s\n", errorsPage, sectionOf(err))
}

// sectionOf returns the section about an error: of its rule if it has only one,
// otherwise of its class.
func sectionOf(err error) string {
	rules := map[string]bool{}
	var rule string
	add := func(r string) { rule, rules[r] = r, true }
	var findings *decide.Findings
	if errors.As(err, &findings) {
		for _, f := range findings.List {
			add(f.Rule)
		}
	}
	var refuted *report.RefutedError
	if errors.As(err, &refuted) {
		for _, a := range refuted.Associations {
			add(a.Rule)
		}
	}
	if len(rules) == 1 {
		return rule
	}
	switch outcome.Of(err) {
	case outcome.Usage:
		return "wrong-usage-configuration-or-environment"
	case outcome.Unchecked:
		return "could-not-check"
	}
	return "exit-codes"
}
