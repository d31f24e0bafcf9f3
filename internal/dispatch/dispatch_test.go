package dispatch_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/kubestellar/actions/internal/dispatch"
	"github.com/kubestellar/actions/internal/gh"
	"github.com/kubestellar/actions/internal/git"
	"github.com/kubestellar/actions/internal/outcome"
	"github.com/kubestellar/actions/internal/ref"
	"github.com/kubestellar/actions/internal/rehearsal/forge"
	"github.com/kubestellar/actions/internal/rehearsal/network"
	"github.com/kubestellar/actions/test/networktest"
	"github.com/kubestellar/actions/test/networktest/faults"
	"github.com/kubestellar/actions/test/testkit"
)

const (
	owned    = "example/tiny"
	consumer = "example/consumer"
)

// listening is a receiver's workflow that is started by either event.
const listening = `name: Bump
run-name: ${{ github.event.client_payload.id || inputs.id }}
on:
  repository_dispatch: {types: [upstream-released]}
  workflow_dispatch:
    inputs: {component: {required: true}, version: {required: true}, id: {required: true}}
jobs:
  bump: {runs-on: ubuntu-24.04}
  report: {name: Report it, runs-on: ubuntu-24.04}
`

// stage has a released tiny 0.2.0, and one receiver.
type stage struct {
	*testkit.Network
	clone  git.Repo // of the receiver
	clock  *clock
	said   bytes.Buffer
	branch string // of the receiver, at which workflows are started
}

// clock advances when a caller waits. A short real pause lets the forge's runs proceed.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) set(now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = now
}

func (c *clock) Wait(ctx context.Context, d time.Duration) error {
	c.mu.Lock()
	c.now = c.now.Add(d)
	c.mu.Unlock()
	time.Sleep(5 * time.Millisecond)
	return ctx.Err()
}

func newStage(t *testing.T, workflows map[string]string) *stage {
	t.Helper()
	s := &stage{Network: testkit.Start(t, network.Options{}), clock: &clock{now: time.Now()}, branch: "main"}
	s.Slow = faults.Slow
	s.Seed(owned, map[string]string{"main.go": "package main\n"})
	s.clone = s.Seed(consumer, workflows)
	s.release("v0.2.0")
	return s
}

func bumpFile(text string) map[string]string {
	return map[string]string{".github/workflows/bump.yml": text}
}

// release publishes a release of tiny.
func (s *stage) release(tag string) {
	s.T.Helper()
	ctx, forge := context.Background(), s.GitHub(s.Token())
	id, err := forge.CreateDraft(ctx, owned, tag, "main")
	s.Must(err)
	s.Must(forge.Publish(ctx, owned, id, ref.Version{}))
}

func (s *stage) announcer(workflow string) *dispatch.Announcer {
	s.T.Helper()
	forge := s.GitHub(s.Token())
	release, err := dispatch.Released(context.Background(), forge, "tiny", owned, "v0.2.0")
	s.Must(err)
	return &dispatch.Announcer{Forge: forge, Event: gh.NewEvent("tiny", "0.2.0"), Since: release.Published, Workflow: workflow, Ref: s.branch,
		Now: s.clock.Now, Wait: s.clock.Wait, Progress: &s.said}
}

// proposes is a run that opens a pull request, as that of a receiver does.
func (s *stage) proposes(branch string) func(forge.Run) string {
	return func(r forge.Run) string {
		ctx := context.Background()
		for _, args := range [][]string{
			{"commit", "--quiet", "--allow-empty", "--message", r.Title},
			{"push", "--quiet", "origin", "HEAD:refs/heads/" + branch},
		} {
			if _, err := s.clone.Run(ctx, args...); err != nil {
				return "failure"
			}
		}
		if _, err := s.GitHub(s.Token()).CreatePull(ctx, consumer, gh.Proposal{Title: r.Title, Head: branch, Base: "main"}); err != nil {
			return "failure"
		}
		return "success"
	}
}

// Either event is sent once and followed to its end, and its pull request is found.
func TestAnnounce(t *testing.T) {
	t.Parallel()
	const declares = "version: 1\nself: consumer\ncomponents: {consumer: {repository: example/consumer}}\nbumps: {branch: \"%s\"}\n"
	for name, tc := range map[string]struct{ workflow, branch, event, declared string }{
		"repository_dispatch":                  {"", "bump-tiny", "repository_dispatch", ""},
		"workflow_dispatch":                    {"bump.yml", "bump-tiny", "workflow_dispatch", ""},
		"a pull request that names versions":   {"", "bump-tiny-0.2.0", "repository_dispatch", ""},
		"a branch that the receiver declares":  {"", "deps-tiny", "repository_dispatch", fmt.Sprintf(declares, "deps-{component}")},
		"a receiver that declares what is not": {"", "bump-tiny", "repository_dispatch", "version: 1\nbumps: [wrong]\n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			files := bumpFile(listening)
			if tc.declared != "" {
				files["delivery.yaml"] = tc.declared
			}
			s := newStage(t, files)
			s.Forge.OnRun(s.proposes(tc.branch))
			result, err := s.announcer(tc.workflow).Announce(context.Background(), consumer, time.Hour)
			if err != nil {
				t.Fatal(err)
			}
			if result.Status != dispatch.Sent || result.Run == nil || result.Run.State() != "success" ||
				result.Pull == nil || result.Pull.State != "open" || result.Pull.Number != 1 {
				t.Errorf("result %+v, run %+v, pull request %+v", result, result.Run, result.Pull)
			}
			for _, want := range []string{"example/consumer: run ", ": success", "job bump: success", "job Report it: success"} {
				if !strings.Contains(s.said.String(), want) {
					t.Errorf("it printed\n%s\nwant %q in it", &s.said, want)
				}
			}
			again, err := s.announcer(tc.workflow).Announce(context.Background(), consumer, time.Hour)
			if err != nil || again.Status != dispatch.SentBefore || again.Run.ID != result.Run.ID || again.Pull == nil {
				t.Errorf("again: %+v, %v", again, err)
			}
			runs := s.Forge.Runs(consumer)
			if len(runs) != 1 || runs[0].Event != tc.event || runs[0].Title != "tiny 0.2.0" {
				t.Errorf("runs: %+v, want one", runs)
			}
		})
	}
}

// A workflow gets the three words as its inputs. An event has the documented payload.
func TestWhatIsSent(t *testing.T) {
	t.Parallel()
	s := newStage(t, bumpFile(listening))
	for _, workflow := range []string{"", "bump.yml"} {
		if _, err := s.announcer(workflow).Notify(context.Background(), consumer); err != nil {
			t.Fatal(err)
		}
	}
	runs := s.Forge.Runs(consumer)
	if got := string(runs[0].ClientPayload); got != `{"component":"tiny","version":"0.2.0","id":"tiny 0.2.0"}` {
		t.Errorf("the payload is %s", got)
	}
	if diff := cmp.Diff(map[string]string{"component": "tiny", "version": "0.2.0", "id": "tiny 0.2.0"}, runs[1].Inputs); diff != "" {
		t.Errorf("the inputs (-want +got):\n%s", diff)
	}
}

// A server that does not know return_run_details is queried without it, and the run
// is found by its title.
func TestAnOlderServerTellsNoRun(t *testing.T) {
	t.Parallel()
	for _, status := range []int{400, 422} {
		s := newStage(t, bumpFile(listening))
		s.Forge.OnRun(func(forge.Run) string { return "success" })
		var refused atomic.Bool
		s.Intercept(func(r networktest.Request) networktest.Fault {
			if strings.HasSuffix(r.Path, "/dispatches") && refused.CompareAndSwap(false, true) {
				return networktest.Fault{Status: status, Body: `{"message":"Invalid request.\n\n\"return_run_details\" is not a permitted key."}`}
			}
			return networktest.Fault{}
		})
		result, err := s.announcer("bump.yml").Announce(context.Background(), consumer, time.Hour)
		if err != nil || !refused.Load() || result.Run == nil || result.Run.State() != "success" || len(s.Forge.Runs(consumer)) != 1 {
			t.Errorf("%d: result %+v, %v; runs %+v", status, result, err, s.Forge.Runs(consumer))
		}
	}
}

// Any other refusal is final.
func TestARefusalIsNotRepeated(t *testing.T) {
	t.Parallel()
	s := newStage(t, bumpFile(listening))
	s.branch = "nowhere"
	asked := len(s.Requests())
	_, err := s.announcer("bump.yml").Notify(context.Background(), consumer)
	posts := 0
	for _, r := range s.Requests()[asked:] {
		if r.Effect {
			posts++
		}
	}
	if err == nil || posts != 1 || !strings.Contains(err.Error(), "No ref found for: nowhere") {
		t.Errorf("%d requests, %v", posts, err)
	}
}

// The conclusion of a run decides the outcome. A run that takes too long has none.
func TestFollow(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		run  func(forge.Run) string // nil has it stay queued
		code outcome.Code
		says string
	}{
		"failure": {func(forge.Run) string { return "failure" }, outcome.Wrong,
			`ended with "failure", want success: see https://github.com/example/consumer/actions/runs/`},
		"cancelled":   {func(forge.Run) string { return "cancelled" }, outcome.Wrong, `"cancelled"`},
		"skipped":     {func(forge.Run) string { return "skipped" }, outcome.Fine, ""},
		"no end":      {func(forge.Run) string { return "" }, outcome.Unchecked, "the time is over, and tiny 0.2.0 is in_progress: see"},
		"no runner":   {nil, outcome.Unchecked, "the time is over, and tiny 0.2.0 is queued"},
		"nothing led": {func(forge.Run) string { return "success" }, outcome.Fine, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStage(t, bumpFile(listening))
			end := make(chan struct{})
			t.Cleanup(func() { close(end) }) // before the forge waits for its runs
			if tc.run != nil {
				s.Forge.OnRun(func(r forge.Run) string {
					conclusion := tc.run(r)
					if conclusion == "" {
						<-end
					}
					return conclusion
				})
			}
			begun := s.clock.Now()
			result, err := s.announcer("bump.yml").Announce(context.Background(), consumer, time.Minute)
			if outcome.Of(err) != tc.code || err != nil && !strings.Contains(err.Error(), tc.says) {
				t.Errorf("saw %v, want %q and outcome %d", err, tc.says, tc.code)
			}
			if result.Status != dispatch.Sent || result.Pull != nil || result.Run == nil {
				t.Errorf("result %+v", result)
			}
			if took := s.clock.Now().Sub(begun); took > time.Minute {
				t.Errorf("it took %s, want at most a minute", took)
			}
		})
	}
}

// A run that shows no id is not found. A note and the final error explain it.
func TestARunWithoutItsIDIsNotFound(t *testing.T) {
	t.Parallel()
	s := newStage(t, bumpFile(strings.Replace(listening, "run-name: ${{ github.event.client_payload.id || inputs.id }}\n", "", 1)))
	result, err := s.announcer("").Announce(context.Background(), consumer, time.Minute)
	if outcome.Of(err) != outcome.Unchecked ||
		!strings.Contains(err.Error(), `no run of example/consumer shows "tiny 0.2.0": is there a workflow that listens`) {
		t.Errorf("saw %v", err)
	}
	if len(result.Notes) != 1 || !strings.Contains(result.Notes[0], "does not set its run-name to the id") {
		t.Errorf("notes: %q", result.Notes)
	}
}

// A run from before the release is not about it.
func TestARunFromBeforeTheReleaseIsNotOfIt(t *testing.T) {
	t.Parallel()
	s := newStage(t, bumpFile(listening))
	a := s.announcer("")
	if _, err := a.Notify(context.Background(), consumer); err != nil {
		t.Fatal(err)
	}
	a.Since = time.Now().Add(time.Hour)
	if sent, err := a.Notify(context.Background(), consumer); err != nil || sent.Status != dispatch.Sent {
		t.Errorf("sent %+v, %v", sent, err)
	}
}

// If runs cannot be read, the receiver is notified on every try.
func TestUnreadableRuns(t *testing.T) {
	t.Parallel()
	s := newStage(t, bumpFile(listening))
	s.Intercept(func(r networktest.Request) networktest.Fault {
		if strings.HasSuffix(r.Path, "/actions/runs") {
			return networktest.Fault{Status: 403, Body: `{"message":"Resource not accessible by integration"}`}
		}
		return networktest.Fault{}
	})
	for range 2 {
		sent, err := s.announcer("").Notify(context.Background(), consumer)
		if err != nil || sent.Status != dispatch.SentAgain || sent.String() != "example/consumer again, because its runs cannot be read" {
			t.Errorf("sent %+v, %v", sent, err)
		}
	}
	if n := len(s.Forge.Dispatches(consumer)); n != 2 {
		t.Errorf("%d events, want 2", n)
	}
}

func TestReleased(t *testing.T) {
	t.Parallel()
	s := newStage(t, nil)
	s.Git(s.Forge.RepositoryDir(owned), "tag", "v0.3.0", "main")
	for tag, want := range map[string][]string{
		"v0.2.0": nil,
		"v0.3.0": {"no published release v0.3.0 of example/tiny"},
		"v0.4.0": {"no tag v0.4.0 of example/tiny", "no published release v0.4.0"},
	} {
		_, err := dispatch.Released(context.Background(), s.GitHub(s.Token()), "tiny", owned, tag)
		if len(want) == 0 && err != nil || len(want) > 0 && outcome.Of(err) != outcome.Wrong {
			t.Errorf("%s: %v", tag, err)
		}
		for _, text := range want {
			if !strings.Contains(err.Error(), text) {
				t.Errorf("%s: saw %v, want %q in it", tag, err, text)
			}
		}
	}
	if _, err := dispatch.Released(context.Background(), s.GitHub(s.Token()), "x", "example/none", "v1.0.0"); outcome.Of(err) != outcome.Unchecked {
		t.Errorf("a repository that is out of reach: %v", err)
	}
}

// A receiver without a workflow that listens is not notified, and the error explains what to add.
func TestCheck(t *testing.T) {
	t.Parallel()
	inputs := "on: {workflow_dispatch: {inputs: {component: , version: , id: %s}}}\nrun-name: ${{ inputs.id }}\n"
	for name, tc := range map[string]struct {
		files    map[string]string
		workflow string
		says     string // "" is fine
	}{
		"nothing": {nil, "", "saw example/consumer without a workflow that listens, " +
			"want a workflow on repository_dispatch with type upstream-released; add .github/workflows/bump.yml"},
		"another type":  {bumpFile("on: {repository_dispatch: {types: [other]}}\n"), "", "without a workflow that listens"},
		"one type":      {bumpFile("on: {repository_dispatch: {types: upstream-released}}\n"), "", ""},
		"any type":      {bumpFile("on: repository_dispatch\n"), "", ""},
		"among others":  {bumpFile("on: [push, repository_dispatch]\n"), "", ""},
		"another event": {bumpFile("on: push\n"), "", "without a workflow that listens"},
		"no YAML":       {bumpFile("on: [\n"), "", "without a workflow that listens"},
		"no such file": {bumpFile(listening), "other.yml", "saw no .github/workflows/other.yml at main of example/consumer, " +
			"want a workflow on workflow_dispatch with the inputs component, version, id; add .github/workflows/other.yml"},
		"another start":            {bumpFile("on: push\n"), "bump.yml", "is not started by workflow_dispatch"},
		"no input":                 {bumpFile("on: workflow_dispatch\n"), "bump.yml", `has no input "component"`},
		"one input too few":        {bumpFile("on: {workflow_dispatch: {inputs: {component: , id: }}}\n"), "bump.yml", `has no input "version"`},
		"one input too many":       {bumpFile(fmt.Sprintf(inputs, ", extra: {required: true}")), "bump.yml", `wants one more input, "extra"`},
		"one more with a default":  {bumpFile(fmt.Sprintf(inputs, ", extra: {required: true, default: x}")), "bump.yml", ""},
		"one more that is allowed": {bumpFile(fmt.Sprintf(inputs, ", extra: ")), "bump.yml", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStage(t, tc.files)
			result, err := s.announcer(tc.workflow).Announce(context.Background(), consumer, 0)
			if tc.says == "" {
				if err != nil || result.Status != dispatch.Sent {
					t.Errorf("result %+v, %v", result, err)
				}
				return
			}
			if outcome.Of(err) != outcome.Wrong || !strings.Contains(err.Error(), tc.says) || result.Status != "" {
				t.Errorf("result %+v, saw %v, want %q", result, err, tc.says)
			}
			if n := len(s.Forge.Runs(consumer)) + len(s.Forge.Dispatches(consumer)); n > 0 {
				t.Errorf("it was notified")
			}
		})
	}
}

// A disabled workflow does not listen, and a token without the right is reported.
func TestCheckFindsWhatIsOff(t *testing.T) {
	t.Parallel()
	s := newStage(t, bumpFile(listening))
	s.Forge.SetWorkflowDisabled(consumer, "bump.yml", true)
	for _, workflow := range []string{"", "bump.yml"} {
		_, err := s.announcer(workflow).Check(context.Background(), consumer)
		if outcome.Of(err) != outcome.Wrong || !strings.Contains(err.Error(), "disabled (disabled_manually)") {
			t.Errorf("%q: %v", workflow, err)
		}
	}
	s.Must(s.Forge.CreateRepository("example/closed", forge.Repository{Rights: "read"}))
	if _, err := s.announcer("").Check(context.Background(), "example/closed"); err == nil ||
		!strings.Contains(err.Error(), "no permission to write to example/closed: use a token (X_TOKEN)") {
		t.Errorf("no right: %v", err)
	}
	if _, err := s.announcer("").Check(context.Background(), "example/none"); outcome.Of(err) != outcome.Unchecked {
		t.Errorf("out of reach: %v", err)
	}
}

// The forge dies at a request with an effect, before or after it has the effect.
// After a second try, the receiver has the event once.
func TestTheForgeDiesAtEachRequest(t *testing.T) {
	t.Parallel()
	for _, workflow := range []string{"", "bump.yml"} {
		recording := newStage(t, bumpFile(listening))
		before := len(recording.Requests())
		if _, err := recording.announcer(workflow).Announce(context.Background(), consumer, 0); err != nil {
			t.Fatal(err)
		}
		effects := 0
		for _, r := range recording.Requests()[before:] {
			if !r.Effect {
				continue
			}
			effects++
			for _, done := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s done=%t", strings.ReplaceAll(r.Path, "/", "|"), done), func(t *testing.T) {
					t.Parallel()
					dies(t, workflow, r, done, recording.state())
				})
			}
		}
		if effects != 1 {
			t.Errorf("%q: %d requests have an effect, want one", workflow, effects)
		}
	}
}

// state lists the events of the receivers.
func (s *stage) state() string {
	s.T.Helper()
	var b strings.Builder
	for _, r := range s.Forge.Runs(consumer) {
		inputs, err := json.Marshal(r.Inputs)
		s.Must(err)
		fmt.Fprintln(&b, r.Event, r.Workflow, r.Title, string(inputs), string(r.ClientPayload))
	}
	return b.String()
}

func dies(t *testing.T, workflow string, at networktest.Request, done bool, want string) {
	s := newStage(t, bumpFile(listening))
	var fired atomic.Bool
	s.Intercept(func(r networktest.Request) networktest.Fault {
		switch {
		case r.Host != at.Host:
		case fired.Load():
			return networktest.Fault{CutBefore: true}
		case r.Method == at.Method && r.Path == at.Path:
			fired.Store(true)
			return networktest.Fault{CutAfter: done, CutBefore: !done}
		}
		return networktest.Fault{}
	})
	if _, err := s.announcer(workflow).Announce(context.Background(), consumer, 0); err == nil || !fired.Load() {
		t.Fatalf("the forge died: %t, and the announcer returned: %v", fired.Load(), err)
	}
	s.Intercept(nil)
	if result := len(s.Forge.Runs(consumer)) == 1; result != done {
		t.Errorf("when it died, the receiver had result: %t, want %t", result, done)
	}
	result, err := s.announcer(workflow).Announce(context.Background(), consumer, 0)
	if err != nil || (result.Status == dispatch.SentBefore) != done {
		t.Errorf("after the forge came back: %+v, %v", result, err)
	}
	if diff := cmp.Diff(want, s.state()); diff != "" {
		t.Errorf("the receiver did not hear as undisturbed (-want +got):\n%s", diff)
	}
}

// If only the answer is lost, the run is found, and nothing is sent twice.
func TestALostAnswerIsLookedFor(t *testing.T) {
	t.Parallel()
	for _, workflow := range []string{"", "bump.yml"} {
		s := newStage(t, bumpFile(listening))
		s.Forge.OnRun(func(forge.Run) string { return "success" })
		var lost atomic.Bool
		s.Intercept(func(r networktest.Request) networktest.Fault {
			return networktest.Fault{CutAfter: strings.HasSuffix(r.Path, "/dispatches") && lost.CompareAndSwap(false, true)}
		})
		result, err := s.announcer(workflow).Announce(context.Background(), consumer, time.Hour)
		if err != nil || !lost.Load() || result.Status != dispatch.Sent || result.Run.State() != "success" || len(s.Forge.Runs(consumer)) != 1 {
			t.Errorf("%q: result %+v, %v; runs %+v", workflow, result, err, s.Forge.Runs(consumer))
		}
	}
}
