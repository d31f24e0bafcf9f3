package dispatch_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/kubestellar/actions/internal/dispatch"
	"github.com/kubestellar/actions/internal/gh"
	"github.com/kubestellar/actions/internal/outcome"
	"github.com/kubestellar/actions/internal/rehearsal/forge"
	"github.com/kubestellar/actions/test/networktest"
	"github.com/kubestellar/actions/test/networktest/faults"
)

// Each request to the API fails in each way, from the query of the release to that
// of the pull request. FAULTS=all tries every one.
func TestAnnouncesWhateverFails(t *testing.T) {
	t.Parallel()
	for name, workflow := range map[string]string{"repository_dispatch": "", "workflow_dispatch": "bump.yml"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			faults.Matrix(t, func(t *testing.T) faults.Trial {
				s := newStage(t, bumpFile(listening))
				s.Forge.OnRun(func(forge.Run) string { return "success" })
				return faults.Trial{
					Network: s.Network.Network, State: s.state, Run: func() error { return s.dispatch(workflow) },
					Reset: func() { s.clock.set(time.Now()) },
				}
			})
		})
	}
}

// followed does the same as `ghhelper dispatch tiny 0.2.0 --wait`.
func (s *stage) dispatch(workflow string) error {
	_, err := s.followed(workflow)
	return err
}

func (s *stage) followed(workflow string) (dispatch.Result, error) {
	ctx, forge := context.Background(), s.GitHub(s.Token())
	release, err := dispatch.Released(ctx, forge, "tiny", owned, "v0.2.0")
	if err != nil {
		return dispatch.Result{}, err
	}
	a := dispatch.Announcer{Forge: forge, Event: gh.NewEvent("tiny", "0.2.0"), Since: release.Published,
		Workflow: workflow, Ref: s.branch, Now: s.clock.Now, Wait: s.clock.Wait}
	return a.Announce(ctx, consumer, time.Hour)
}

// A failed query of the runs does not notify a receiver twice.
func TestATroubledLookTellsNobodyTwice(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]networktest.Fault{
		"failing": {Status: 503}, "cut": {CutBefore: true}, "torn": {Truncated: true},
		"limited": networktest.PrimaryLimit(time.Unix(1<<40, 0)), "unknown": {Status: 401},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStage(t, bumpFile(listening))
			s.Forge.OnRun(func(forge.Run) string { return "success" })
			s.Must(s.dispatch(""))
			s.Intercept(func(r networktest.Request) networktest.Fault {
				if strings.HasSuffix(r.Path, "/actions/runs") {
					return fault
				}
				return networktest.Fault{}
			})
			if err := s.dispatch(""); outcome.Of(err) != outcome.Unchecked {
				t.Errorf("saw %v, want that it could not be asked", err)
			}
			if n := len(s.Forge.Dispatches(consumer)); n != 1 {
				t.Errorf("%d events, want 1", n)
			}
		})
	}
}

// The repository of the release, or the receiver, has another name than in
// delivery.yaml.
func TestAnnouncesUnderAnotherName(t *testing.T) {
	t.Parallel()
	for name, workflow := range map[string]string{"repository_dispatch": "", "workflow_dispatch": "bump.yml"} {
		for old, to := range map[string]string{owned: "example/renamed", consumer: "elsewhere/consumer"} {
			t.Run(name+" "+strings.ReplaceAll(old, "/", "|"), func(t *testing.T) {
				t.Parallel()
				s := newStage(t, bumpFile(listening))
				s.Forge.OnRun(s.proposes("bump-tiny"))
				s.Must(s.Forge.Rename(old, to))
				for range 2 {
					result, err := s.followed(workflow)
					if err != nil || result.Pull == nil {
						t.Errorf("result %+v, %v", result, err)
					}
				}
				if n := len(s.Forge.Runs(consumer)) + len(s.Forge.Runs("elsewhere/consumer")); n != 1 {
					t.Errorf("%d runs, want 1", n)
				}
			})
		}
	}
}

// Reads of the API lag behind writes.
func TestAnnouncesWhereReadsLag(t *testing.T) {
	t.Parallel()
	for name, workflow := range map[string]string{"repository_dispatch": "", "workflow_dispatch": "bump.yml"} {
		for reads := range 4 {
			t.Run(fmt.Sprintf("%s %d", name, reads), func(t *testing.T) {
				t.Parallel()
				s := newStage(t, bumpFile(listening))
				s.Forge.OnRun(s.proposes("bump-tiny"))
				s.Forge.SetLag(forge.Lag{Reads: reads})
				if result, err := s.followed(workflow); err != nil || result.Status != dispatch.Sent ||
					result.Run.State() != "success" || len(s.Forge.Runs(consumer)) != 1 {
					t.Errorf("result %+v, %v; runs %+v", result, err, s.Forge.Runs(consumer))
				}
			})
		}
	}
}
