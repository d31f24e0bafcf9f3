// Package interleaving_test runs releases, dispatches and bumps of three repositories at the same
// time, with faults. The repositories refer to each other in a cycle. The tests check invariants after
// each step.
package interleaving_test

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kubestellar/actions/internal/decide"
	"github.com/kubestellar/actions/internal/git"
	"github.com/kubestellar/actions/internal/oci"
	"github.com/kubestellar/actions/internal/outcome"
	"github.com/kubestellar/actions/internal/ref"
	"github.com/kubestellar/actions/internal/rehearsal/forge"
	"github.com/kubestellar/actions/test/networktest/faults"
)

var (
	seedFlag  = flag.Int64("seed", 1, "the seed of the first network; each further one has the next")
	countFlag = flag.Int("interleavings", 0, "how many interleavings to run (default: some dozen, and more with FAULTS=all)")
)

const perWorld = 15 // interleavings in one network, one after another

// seeds returns the seeds of the networks: about a thousand interleavings with FAULTS=all.
func seeds() []int64 {
	number := 5
	first, step := faults.Share()
	switch {
	case *countFlag > 0:
		number, first, step = (*countFlag+perWorld-1)/perWorld, 0, 1
	case step > 0:
		number = (67 - first + step - 1) / step
	default:
		step = 1
	}
	all := make([]int64, number)
	for i := range all {
		all[i] = *seedFlag + int64(first+i*step)
	}
	return all
}

// In every interleaving, no tag moves, no version is published again with other bytes, everything that
// a main refers to exists, no work of people is lost, and at the end nothing is left to do. The name
// of a failed test contains its seed. To repeat it, run go test ./test/interleaving -seed N
// -interleavings 15
func TestInterleavings(t *testing.T) {
	count := &counts{of: map[string]int{}}
	t.Run("networks", func(t *testing.T) {
		for _, seed := range seeds() {
			t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) {
				t.Parallel()
				w := newWood(t, seed, count)
				for round := range perWorld {
					w.round(round)
				}
				w.rest()
			})
		}
	})
	t.Logf("what happened:\n%s", count)
	if t.Failed() {
		return
	}
	for what, within := range map[string]int{
		"release: done": 50, "receive: done": 50, "proposal: opened": 50, "person: merge": 50, "fault: dies after": 50, "proposal: updated": 250,
	} {
		if count.of[what] == 0 && len(seeds())*perWorld >= within {
			t.Errorf("%q never happened: the test covers less than it claims", what)
		}
	}
}

// round starts some actors at the same time and waits for all of them.
func (w *wood) round(round int) {
	w.T.Helper()
	chance := draw(w.seed, round)
	w.clock.Add(60)
	w.byHand(chance)
	calm := chance.IntN(3) == 0
	lag := forge.Lag{}
	if chance.IntN(4) == 0 {
		lag.Reads = 1 + chance.IntN(3)
	}
	tasks := w.tasks(chance)
	w.Forge.SetLag(lag)
	w.T.Logf("round %d: %v, calm=%t, lag=%d", round, tasks, calm, lag.Reads)
	w.run(round, tasks, calm, lag == forge.Lag{})
	w.Forge.SetLag(forge.Lag{})
	w.report(fmt.Sprintf("after round %d", round), nil, w.check())
	w.count.add("interleavings")
}

// sortUnfinished makes the order independent of which actor died first.
func (w *wood) sortUnfinished() {
	slices.SortFunc(w.unfinished, func(a, b task) int { return strings.Compare(a.String(), b.String()) })
}

func (w *wood) run(round int, tasks []task, calm, prompt bool) {
	w.T.Helper()
	s := newSchedule(w.Network.Network, calm, w.count, w.seed, round)
	var all sync.WaitGroup
	begin := make(chan struct{})
	for i, k := range tasks {
		name := fmt.Sprintf("%s%d-%d", actorPrefix, round, i)
		ctx, cancel := context.WithCancel(w.T.Context())
		s.enter(name, cancel)
		all.Go(func() {
			defer cancel()
			<-begin
			err := w.do(ctx, s, name, k)
			w.ended(s, name, k, err, ctx.Err() != nil, calm && prompt)
			s.leave(name)
		})
	}
	close(begin)
	all.Wait()
	s.close()
	w.T.Logf("%d requests", s.turn)
}

// ended checks the invariants after an actor has ended, before another one continues.
func (w *wood) ended(s *schedule, name string, k task, err error, died, undisturbed bool) {
	w.T.Logf("%s, %s: %v (died: %t)", name, k, err, died)
	// Other actors continue when an actor has died. Their requests may take a host down during the
	// check.
	if falls, up := s.hosts(); up {
		broken := w.check()
		if now, _ := s.hosts(); now == falls {
			w.report(fmt.Sprintf("after %s, %s", name, k), s, broken)
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case died:
		w.count.add(k.does + ": died")
	case err == nil:
		w.count.add(k.does + ": done")
	default:
		w.count.add(fmt.Sprintf("%s: failed, exit code %d", k.does, outcome.Of(err)))
	}
	if undisturbed && !w.mayFail(k, err) {
		w.report(fmt.Sprintf("after %s, %s, with which nothing went wrong", name, k), s, []string{err.Error()})
	}
	if again := died || err != nil && outcome.Of(err) != outcome.Wrong; again && (k.does == releases || k.does == receives) {
		w.unfinished = append(w.unfinished, k)
	}
}

// hosts returns the number of outages, and whether all hosts are up.
func (s *schedule) hosts() (falls int, up bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.falls, len(s.down) == 0
}

func (w *wood) report(when string, s *schedule, broken []string) {
	if len(broken) == 0 {
		return
	}
	var trace []string
	if s != nil {
		s.mu.Lock()
		trace = slices.Clone(s.trace)
		s.mu.Unlock()
	}
	w.T.Errorf("seed %d: %s:\n%s\n%s", w.seed, when, strings.Join(broken, "\n"), strings.Join(trace, "\n"))
}

// mayFail reports whether other actors can cause a task to end like this without a fault.
func (w *wood) mayFail(k task, err error) bool {
	if err == nil || k.does == merges { // because of a conflict
		return true
	}
	_, found := errors.AsType[*decide.Findings](err)
	_, conflict := errors.AsType[*git.ConflictError](err)
	_, taken := errors.AsType[*oci.Conflict](err)
	saysOneOf := func(words ...string) bool {
		return slices.ContainsFunc(words, func(s string) bool { return strings.Contains(err.Error(), s) })
	}
	switch k.does {
	case releases:
		return found || taken && w.taken[k.tree.at()+":"+k.tree.tagOf(k.version)] || saysOneOf("another run or person made it; a tag never moves")
	case receives:
		return conflict || saysOneOf("nothing is written: ", "moved each of the 3 times", "holds commits of people, and no pull request is open")
	}
	return false
}

// tasks returns the tasks of a round, two or three. Most are for the same repository, and often equal.
func (w *wood) tasks(chance *rand.Rand) []task {
	w.T.Helper()
	n := 2 + chance.IntN(2)
	focus := chance.IntN(len(trees) + 2) // larger numbers mean no focus
	at := func() tree {
		if focus < len(trees) {
			return trees[focus]
		}
		return trees[chance.IntN(len(trees))]
	}
	tasks := w.rivals(chance, at())
	for len(tasks) < n {
		tasks = append(tasks, w.task(chance, at()))
	}
	return tasks
}

// rivals returns two tasks that conflict, or none.
func (w *wood) rivals(chance *rand.Rand, tree tree) []task {
	w.T.Helper()
	receive := func() task { return task{does: receives, tree: tree, version: w.announced(chance, tree)} }
	switch chance.IntN(6) {
	case 0:
		version := w.next(chance, tree)
		return []task{w.placed(task{does: releases, tree: tree, version: version}), w.placed(task{does: releases, tree: tree, version: version, late: true})}
	case 1:
		return []task{receive(), receive()}
	case 2:
		return []task{receive(), {does: pushToBranch, tree: tree}}
	}
	return nil
}

// task returns an unfinished task or a new one for a repository.
func (w *wood) task(chance *rand.Rand, tree tree) task {
	w.T.Helper()
	w.sortUnfinished()
	if n := len(w.unfinished); n > 0 && chance.IntN(3) == 0 {
		i := chance.IntN(n)
		k := w.unfinished[i]
		w.unfinished = slices.Delete(w.unfinished, i, i+1)
		return w.placed(k)
	}
	switch kind := chance.IntN(20); {
	case kind < 5:
		return w.placed(task{does: releases, tree: tree, version: w.next(chance, tree), late: chance.IntN(3) == 0})
	case kind < 13:
		return task{does: receives, tree: tree, version: w.announced(chance, tree)}
	}
	return w.byPeople(chance, tree)
}

// byPeople returns a person's action. It prefers a repository with a proposal, because other actions
// conflict with nothing.
func (w *wood) byPeople(chance *rand.Rand, tree tree) task {
	w.T.Helper()
	if !w.has(tree, tree.branch()) {
		for _, other := range trees {
			if w.has(other, other.branch()) {
				tree = other
			}
		}
	}
	return task{does: peoples[chance.IntN(len(peoples))], tree: tree}
}

// placed fills in the revision that the task releases at present.
func (w *wood) placed(k task) task {
	w.T.Helper()
	refs, err := w.refs(k.tree)
	w.Must(err)
	k.on = "main"
	if k.late {
		k.on = "main~1"
	}
	if _, tagged := refs["refs/tags/v"+k.version]; tagged {
		k.on = "v" + k.version
	}
	return k
}

func (w *wood) versions(tree tree) []ref.Version {
	w.T.Helper()
	refs, err := w.refs(tree)
	w.Must(err)
	return refs.versions()
}

// next returns the version after the newest, a release or a prerelease.
func (w *wood) next(chance *rand.Rand, tree tree) string {
	w.T.Helper()
	all := w.versions(tree)
	newest := all[len(all)-1]
	core, candidate, pre := strings.Cut(newest.String(), "-rc")
	number := 0
	if pre {
		fmt.Sscan(candidate, &number)
	}
	switch odds := chance.IntN(6); {
	case pre && odds < 3:
		return fmt.Sprintf("%s-rc%d", core, number+1)
	case pre || odds < 5:
		return newest.Next().String()
	}
	return newest.Next().String() + "-rc1"
}

// announced returns the version that a repository is notified of. It is mostly the last one that was sent,
// and sometimes an old one, or one that is not released yet or ever.
func (w *wood) announced(chance *rand.Rand, tree tree) string {
	w.T.Helper()
	upstream := named(tree.pins)
	var sent []string
	for _, d := range w.Forge.Dispatches(tree.repository()) {
		var payload struct{ Version string }
		w.Must(json.Unmarshal(d.ClientPayload, &payload))
		sent = append(sent, payload.Version)
	}
	all := w.versions(upstream)
	switch kind := chance.IntN(10); {
	case kind < 4 && len(sent) > 0:
		return sent[len(sent)-1]
	case kind < 6 && len(sent) > 0:
		return sent[chance.IntN(len(sent))]
	case kind < 9:
		return all[chance.IntN(len(all))].String()
	}
	return w.next(chance, upstream)
}

// byHand sometimes pushes an artifact with the name of the next version, as a person could.
func (w *wood) byHand(chance *rand.Rand) {
	w.T.Helper()
	if chance.IntN(20) > 0 {
		return
	}
	tree := trees[chance.IntN(len(trees))]
	version := w.next(chance, tree)
	name := tree.at() + ":" + tree.tagOf(version)
	charts, err := w.published(tree)
	w.Must(err)
	if _, there := charts[name]; !there {
		w.pushChart(tree, version, "by hand")
		w.count.add("person: pushes a chart by hand")
	}
}

// rest repeats everything without faults until nothing is left to do. Everything that was begun must
// then be complete, and another repetition must change nothing.
func (w *wood) rest() {
	w.T.Helper()
	w.again(perWorld)
	w.whole()
	before := w.state()
	w.again(perWorld + 100)
	if diff := cmp.Diff(before, w.state()); diff != "" {
		w.T.Errorf("seed %d: a repetition changes something (-before +after):\n%s", w.seed, diff)
	}
}

// again repeats the unfinished tasks and the last task of each kind, one after the other.
func (w *wood) again(round int) {
	w.T.Helper()
	alone := func(k task) {
		w.clock.Add(60)
		w.run(round, []task{w.placed(k)}, true, true)
		round++
	}
	w.sortUnfinished()
	tasks := w.unfinished
	w.unfinished = nil
	for _, k := range tasks {
		alone(k)
	}
	for _, tree := range trees {
		if newest := ref.Newest(w.versions(tree)).String(); !w.taken[tree.at()+":"+tree.tagOf(newest)] {
			alone(task{does: releases, tree: tree, version: newest})
		}
	}
	for _, tree := range trees {
		alone(task{does: receives, tree: tree, version: ref.Newest(w.versions(named(tree.pins))).String()})
	}
	if len(w.unfinished) > 0 {
		w.T.Errorf("seed %d: without faults these were not finished: %v", w.seed, w.unfinished)
	}
}

// whole checks that each tagged version is published, unless a person took its name before.
func (w *wood) whole() {
	w.T.Helper()
	for _, tree := range trees {
		charts, err := w.published(tree)
		w.Must(err)
		for _, v := range w.versions(tree) {
			if name := tree.at() + ":" + tree.tagOf(v.String()); charts[name] == "" {
				w.T.Errorf("seed %d: %s has tag %s, but %s does not exist", w.seed, tree.repository(), v.WithV(), name)
			}
		}
	}
}
