package main

import (
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/kubestellar/actions/internal/decide"
	"github.com/kubestellar/actions/internal/report"
)

// The section of an error is a heading of the page that the output names.
func TestErrorsNameTheirSection(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../docs/errors.md")
	if err != nil {
		t.Fatal(err)
	}
	headings := strings.NewReplacer(",", "", " ", "-").Replace(strings.ToLower(string(page)))
	for want, err := range map[string]error{
		"wrong-usage-configuration-or-environment": usage("x"),
		"could-not-check":                          uncheckedError{1},
		"exit-codes":                               &decide.Findings{List: []decide.Finding{{Rule: "exists"}, {Rule: "tag-moves"}}},
		"tag-moves": errors.Join(errors.New("x"),
			&decide.Findings{List: []decide.Finding{{Rule: "tag-moves"}, {Rule: "tag-moves"}}}),
		"chart-own": &report.RefutedError{Associations: []report.Association{{Rule: "chart-own"}}},
	} {
		if got := sectionOf(err); got != want {
			t.Errorf("%v: saw section %s, want %s", err, got, want)
		}
		if !strings.Contains(headings, "#-"+want+"\n") {
			t.Errorf("docs/errors.md has no heading for #%s", want)
		}
	}
}
