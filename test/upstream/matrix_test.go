package upstream_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kubestellar/actions/internal/rehearsal/forge"
	"github.com/kubestellar/actions/test/networktest"
	"github.com/kubestellar/actions/test/networktest/faults"
)

// Each request to the API fails in each way. FAULTS=all tries all of them.
func TestProposesWhateverFails(t *testing.T) {
	t.Parallel()
	for name, stage := range stages {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			faults.Matrix(t, func(t *testing.T) faults.Trial {
				d := newDownstream(t, pulls)
				stage.before(d)
				return faults.Trial{Network: d.Network.Network, State: d.state, Folders: []string{d.work.Dir}, Run: func() error {
					_, err := d.propose("1.3.0")
					return err
				}}
			})
		})
	}
}

// undisturbed returns the state after a stage without faults.
func undisturbed(t *testing.T, stage proposal) string {
	t.Helper()
	d := newDownstream(t, pulls)
	stage.before(d)
	d.must("1.3.0", stage.want)
	return d.state()
}

// The downstream has another name and another owner than its delivery.yaml states.
func TestProposesUnderAnotherName(t *testing.T) {
	t.Parallel()
	for name, stage := range stages {
		for _, to := range []string{"o/renamed", "elsewhere/us"} {
			t.Run(name+" to "+strings.ReplaceAll(to, "/", "|"), func(t *testing.T) {
				t.Parallel()
				want := undisturbed(t, stage)
				d := newDownstream(t, pulls)
				stage.before(d)
				d.rename(to)
				d.must("1.3.0", stage.want)
				if diff := cmp.Diff(want, d.state()); diff != "" {
					t.Errorf("it did not end as undisturbed (-want +got):\n%s", diff)
				}
				since := len(d.Requests())
				again := d.must("1.3.0", stage.again())
				if did := d.asked(since, true); len(did) > 0 {
					t.Errorf("the same again, %+v, did %q", again, did)
				}
			})
		}
	}
}

func (d *downstream) rename(to string) {
	d.t.Helper()
	d.Must(d.Forge.Rename(us, to))
	d.name = to
}

// The downstream is renamed right before each of the requests.
func TestProposesWhileItIsRenamed(t *testing.T) {
	t.Parallel()
	for name, stage := range stages {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			recording := newDownstream(t, pulls)
			stage.before(recording)
			since := len(recording.Requests())
			recording.must("1.3.0", stage.want)
			for i := range recording.asked(since, false) {
				d := newDownstream(t, pulls)
				stage.before(d)
				seen := 0
				d.Intercept(func(r networktest.Request) networktest.Fault {
					if r.Host == "api.github.com" {
						if seen == i {
							d.rename("elsewhere/us")
						}
						seen++
					}
					return networktest.Fault{}
				})
				d.must("1.3.0", stage.want)
				d.Intercept(nil)
				if diff := cmp.Diff(recording.state(), d.state()); diff != "" {
					t.Errorf("renamed before request %d (-undisturbed +got):\n%s", i, diff)
				}
			}
		})
	}
}

// The API shows writes late, but within the time that the command waits for them. Runs that follow at
// once do nothing twice.
func TestProposesWhereReadsLag(t *testing.T) {
	t.Parallel()
	for name, stage := range stages {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			want := undisturbed(t, stage)
			for reads := range 4 {
				d := newDownstream(t, pulls)
				stage.before(d)
				d.Network.Forge.SetLag(forge.Lag{Reads: reads})
				for range 3 {
					if done, err := d.propose("1.3.0"); err != nil {
						t.Fatalf("%d reads behind: %+v, %v", reads, done, err)
					}
				}
				if diff := cmp.Diff(want, d.state()); diff != "" {
					t.Errorf("%d reads behind (-undisturbed +got):\n%s", reads, diff)
				}
			}
		})
	}
}
