package tag_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kubestellar/actions/internal/rehearsal/forge"
	"github.com/kubestellar/actions/test/networktest/faults"
)

// Each request to the API fails in each way, the second page of the checks too.
// FAULTS=all takes all of them.
func TestTagsWhateverFails(t *testing.T) {
	t.Parallel()
	faults.Matrix(t, func(t *testing.T) faults.Trial {
		s := newStage(t)
		for i := range 130 {
			s.Forge.SetCheck(owned, s.head(), forge.Check{Name: fmt.Sprintf("check %d", i), Conclusion: "success"})
		}
		return faults.Trial{
			Network: s.Network.Network, State: func() string { return kinds(s) }, Folders: []string{s.clone.Dir},
			Run: func() error {
				_, err := s.tag("0.2.0")
				return err
			},
		}
	})
}

// The repository was renamed after its delivery.yaml was written.
func TestTagsUnderAnotherName(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.Must(s.Forge.Rename(owned, "elsewhere/renamed"))
	for range 2 {
		if made, err := s.tag("0.2.0"); err != nil || made.Commit != s.head() {
			t.Fatalf("made %+v, %v", made, err)
		}
	}
	if !strings.Contains(s.stateOf("elsewhere/renamed"), "refs/tags/v0.2.0 tag "+s.head()) {
		t.Errorf("the repository has\n%s", s.stateOf("elsewhere/renamed"))
	}
}

// The answers of the API lag behind its writes.
func TestTagsWhereReadsLag(t *testing.T) {
	t.Parallel()
	undisturbed := newStage(t)
	if _, err := undisturbed.tag("0.2.0"); err != nil {
		t.Fatal(err)
	}
	for reads := range 4 {
		s := newStage(t)
		s.Forge.SetLag(forge.Lag{Reads: reads})
		for range 3 {
			if made, err := s.tag("0.2.0"); err != nil || made.Commit != s.head() {
				t.Errorf("%d reads behind: made %+v, %v", reads, made, err)
			}
		}
		if diff := cmp.Diff(kinds(undisturbed), kinds(s)); diff != "" {
			t.Errorf("%d reads behind (-undisturbed +got):\n%s", reads, diff)
		}
	}
}
