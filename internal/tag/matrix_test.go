package tag_test

import (
	"os"
	"testing"

	"github.com/kubestellar/actions/internal/rehearsal/faults"
)

// Each request to the API fails in each way. FAULTS=all takes all of them.
func TestTagsWhateverFails(t *testing.T) {
	t.Parallel()
	faults.Matrix(t, os.Getenv("FAULTS") == "all", func(t *testing.T) faults.Trial {
		s := newStage(t)
		return faults.Trial{World: s.World, State: func() string { return kinds(s) }, Run: func() error {
			_, err := s.tag("0.2.0")
			return err
		}}
	})
}
