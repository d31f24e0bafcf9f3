package announce_test

import (
	"context"
	"os"
	"testing"
	"time"

	"github.com/kubestellar/actions/internal/announce"
	"github.com/kubestellar/actions/internal/gh"
	"github.com/kubestellar/actions/internal/rehearsal/faults"
	"github.com/kubestellar/actions/internal/rehearsal/world"
)

// Each request to the API fails in each way, from the look at the release to the
// pull request that the run has led to. FAULTS=all takes all of them.
func TestAnnouncesWhateverFails(t *testing.T) {
	t.Parallel()
	for name, workflow := range map[string]string{"repository_dispatch": "", "workflow_dispatch": "bump.yml"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			faults.Matrix(t, os.Getenv("FAULTS") == "all", func(t *testing.T) faults.Trial {
				s := newStage(t, bumpFile(listening))
				s.OnRun(func(world.Run) string { return "success" })
				return faults.Trial{World: s.World, State: s.state, Run: func() error { return s.dispatch(workflow) }}
			})
		})
	}
}

// dispatch does what `ghhelper dispatch tiny 0.2.0 --wait` does.
func (s *stage) dispatch(workflow string) error {
	ctx, forge := context.Background(), s.forge()
	release, err := announce.Released(ctx, forge, "tiny", owned, "v0.2.0")
	if err != nil {
		return err
	}
	a := announce.Announcer{Forge: forge, Event: gh.NewEvent("tiny", "0.2.0"), Since: release.Published, Workflow: workflow, Ref: s.branch, Now: s.clock.Now, Wait: s.clock.Wait}
	_, err = a.Announce(ctx, consumer, time.Hour)
	return err
}
