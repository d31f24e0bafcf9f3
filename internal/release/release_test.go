package release_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/kubestellar/actions/internal/report"
)

func TestReleaseAndAgain(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	rep, err := s.release("0.2.0")
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range rep.Artifacts {
		if a.State != report.Proven {
			t.Errorf("%s: %s: %s", a.Name, a.State, a.How)
		}
	}
	for _, name := range []string{"ghcr.io/example/tiny:0.2.0", "ghcr.io/example/charts/zeta-chart:0.2.0", "ghcr.io/example/charts/edge-chart:v0.2.0", "release asset hook.yaml"} {
		if !mentions(rep, name) {
			t.Errorf("the report does not tell of %s", name)
		}
	}
	before := s.state()
	if !strings.Contains(before, "release v0.2.0 draft=false") || !strings.Contains(before, "1 dispatches") {
		t.Fatalf("after the release:\n%s", before)
	}
	if _, err := s.release("0.2.0"); err != nil {
		t.Fatalf("the second run: %v", err)
	}
	if after := s.state(); after != before {
		t.Errorf("the second run changed the world:\n%s\nwas:\n%s", after, before)
	}
}

func mentions(rep *report.Report, name string) bool {
	for _, a := range rep.Artifacts {
		if a.Name == name {
			return true
		}
	}
	return false
}

func failedStep(err error) string {
	var step *report.StepError
	if errors.As(err, &step) {
		return step.Step
	}
	return ""
}
