package interleaving_test

import (
	"cmp"
	"context"
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"maps"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/kubestellar/actions/test/networktest"
)

// draw returns a generator seeded with the words, independent of the order of calls.
func draw(words ...any) *rand.Rand {
	h := fnv.New128a()
	fmt.Fprintln(h, words...)
	sum := h.Sum(nil)
	return rand.New(rand.NewPCG(binary.BigEndian.Uint64(sum[:8]), binary.BigEndian.Uint64(sum[8:])))
}

// schedule lets the requests of several actors through one at a time. It waits until each actor has a
// request or has ended. Then it chooses the next request and its fault at random.
//
// The choice depends only on the seed and on the number of requests that each actor has sent. A seed
// therefore repeats an interleaving, with one exception. Requests that one actor sends in parallel,
// such as blobs, arrive in an order that Go and the kernel choose.
type schedule struct {
	network *networktest.Network
	seed    []any
	calm    bool // no faults

	mu     sync.Mutex
	actors map[string]*actor // of this round, by the agent of their requests
	busy   bool              // a request is being handled
	turn   int
	down   map[string]int // hosts that are down, with the turn in which they come back
	falls  int            // number of outages
	trace  []string
	count  *counts
}

// actor is a sender of scheduled requests.
type actor struct {
	name    string
	cancel  context.CancelFunc
	waiting []*waiting
	turns   int
	at      float64 // its own clock; the actor that is furthest behind is next
	dead    bool
}

// waiting is a request before its turn.
type waiting struct {
	networktest.Request
	fault chan networktest.Fault
}

func (w *waiting) String() string { return w.Method + " " + w.Host + w.Path }

// newSchedule starts the schedule of one round.
func newSchedule(w *networktest.Network, calm bool, count *counts, seed ...any) *schedule {
	s := &schedule{network: w, seed: seed, calm: calm, actors: map[string]*actor{}, down: map[string]int{}, count: count}
	w.Intercept(s.intercept)
	return s
}

// enter adds an actor. All enter before the first one begins.
func (s *schedule) enter(name string, cancel context.CancelFunc) {
	s.mu.Lock()
	defer s.mu.Unlock()
	a := &actor{name: name, cancel: cancel}
	s.actors[name] = a
	s.late(a)
	s.pass(a)
}

// leave removes an actor that has ended.
func (s *schedule) leave(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.actors[name].cut()
	delete(s.actors, name)
	s.next()
}

// close brings all hosts back, and refuses later requests of actors.
func (s *schedule) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for host := range s.down {
		s.network.Up(host)
	}
	s.network.Intercept(func(r networktest.Request) networktest.Fault {
		return networktest.Fault{CutBefore: isActor(r.Agent)}
	})
}

const actorPrefix = "actor-"

func isActor(agent string) bool { return strings.HasPrefix(agent, actorPrefix) }

// intercept holds a request until its turn. Observers do not wait.
func (s *schedule) intercept(r networktest.Request) networktest.Fault {
	if !isActor(r.Agent) {
		return networktest.Fault{}
	}
	return s.wait(r)
}

func (s *schedule) wait(r networktest.Request) networktest.Fault {
	w := &waiting{r, make(chan networktest.Fault, 1)}
	s.mu.Lock()
	a := s.actors[r.Agent]
	if a == nil || a.dead {
		s.mu.Unlock()
		return networktest.Fault{CutBefore: true} // from a process that outlives its actor
	}
	a.waiting = append(a.waiting, w)
	s.next()
	s.mu.Unlock()
	return <-w.fault
}

// act waits for a turn for an action that sends no request.
func (s *schedule) act(name, what string, do func()) {
	fault := s.wait(networktest.Request{Agent: name, Method: "DO", Path: what})
	do()
	fault.Done()
}

// next lets a request through if all actors are ready. It is called with mu held.
func (s *schedule) next() {
	if s.busy || len(s.actors) == 0 {
		return
	}
	var ready []*actor
	for _, a := range s.actors {
		if a.dead {
			continue
		}
		if len(a.waiting) == 0 {
			return // its next request may be first
		}
		ready = append(ready, a)
	}
	ready = s.mayGo(ready)
	if len(ready) == 0 {
		return
	}
	s.let(slices.MinFunc(ready, func(a, b *actor) int { return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.name, b.name)) }))
}

// mayGo excludes people's pushes while an actor is about to force a branch. GitHub has no
// compare-and-swap for branches, so a push in that instant is overwritten. The command reads the
// branch again just before, which keeps the gap as small as possible.
func (s *schedule) mayGo(ready []*actor) []*actor {
	about := func(a *actor) bool {
		return slices.ContainsFunc(a.waiting, func(w *waiting) bool {
			return w.Method == http.MethodPatch && strings.Contains(w.Path, "/git/refs/heads/")
		})
	}
	if !slices.ContainsFunc(ready, about) {
		return ready
	}
	return slices.DeleteFunc(ready, func(a *actor) bool { return a.waiting[0].Path == pushToBranch })
}

// let gives an actor its turn. It is called with mu held.
func (s *schedule) let(a *actor) {
	slices.SortStableFunc(a.waiting, func(x, y *waiting) int { return strings.Compare(x.String(), y.String()) })
	w := a.waiting[0]
	a.waiting = a.waiting[1:]
	s.turn++
	a.turns++
	s.pass(a)
	for host, until := range s.down {
		if s.turn >= until {
			delete(s.down, host)
			s.network.Up(host)
		}
	}
	fault, what := s.fault(a, w)
	s.trace = append(s.trace, strings.TrimSpace(fmt.Sprintf("%s %s %s", a.name, w, what)))
	s.busy = true
	fault.Done = s.done
	w.fault <- fault
}

func (s *schedule) done() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.busy = false
	s.next()
}

// late delays half of the actors.
func (s *schedule) late(a *actor) {
	const most = 15 // turns
	chance := draw(append(slices.Clone(s.seed), a.name, "late")...)
	a.at = float64(chance.IntN(2)) * chance.Float64() * most
}

// pass advances an actor's clock, mostly by a little, and sometimes so much that all others overtake
// it.
func (s *schedule) pass(a *actor) {
	chance := draw(append(slices.Clone(s.seed), a.name, a.turns)...)
	step := chance.Float64()
	if chance.IntN(12) == 0 {
		step *= 25
	}
	a.at += step
}

// fault returns the fault of a request and its name. It is called with mu held.
func (s *schedule) fault(a *actor, w *waiting) (networktest.Fault, string) {
	chance := draw(append(slices.Clone(s.seed), a.name, a.turns, "fault")...)
	oneIn := 50
	if w.Effect {
		oneIn = 8
	}
	if s.calm || w.Method == "DO" || chance.IntN(oneIn) > 0 {
		return networktest.Fault{}, ""
	}
	kind := slices.Sorted(maps.Keys(suffered))[chance.IntN(len(suffered))]
	s.count.add("fault: " + kind)
	return suffered[kind](s, a, w, chance), kind
}

// suffered are the faults that a request may suffer.
var suffered = map[string]func(*schedule, *actor, *waiting, *rand.Rand) networktest.Fault{
	"cut before": func(*schedule, *actor, *waiting, *rand.Rand) networktest.Fault {
		return networktest.Fault{CutBefore: true}
	},
	"cut after": func(*schedule, *actor, *waiting, *rand.Rand) networktest.Fault {
		return networktest.Fault{CutAfter: true}
	},
	"truncated": func(*schedule, *actor, *waiting, *rand.Rand) networktest.Fault {
		return networktest.Fault{Truncated: true}
	},
	"server error": func(*schedule, *actor, *waiting, *rand.Rand) networktest.Fault {
		return networktest.Fault{Status: http.StatusBadGateway}
	},
	"too many": func(*schedule, *actor, *waiting, *rand.Rand) networktest.Fault {
		return networktest.TooManyRequests(time.Second)
	},
	"host down": func(s *schedule, _ *actor, w *waiting, chance *rand.Rand) networktest.Fault {
		s.down[w.Host] = s.turn + 1 + chance.IntN(20)
		s.falls++
		s.network.Down(w.Host)
		return networktest.Fault{CutBefore: true}
	},
	"dies before": func(_ *schedule, a *actor, _ *waiting, _ *rand.Rand) networktest.Fault {
		a.die()
		return networktest.Fault{CutBefore: true}
	},
	"dies after": func(_ *schedule, a *actor, _ *waiting, _ *rand.Rand) networktest.Fault {
		a.die()
		return networktest.Fault{CutAfter: true}
	},
}

// die ends the actor's process, as seen from the network.
func (a *actor) die() {
	a.dead = true
	a.cancel()
	a.cut()
}

// cut cuts the waiting requests of an actor.
func (a *actor) cut() {
	for _, w := range a.waiting {
		w.fault <- networktest.Fault{CutBefore: true}
	}
	a.waiting = nil
}

// counts counts events over all networks.
type counts struct {
	mu sync.Mutex
	of map[string]int
}

func (c *counts) add(what string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.of[what]++
}

func (c *counts) String() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var b strings.Builder
	for _, what := range slices.Sorted(maps.Keys(c.of)) {
		fmt.Fprintf(&b, "%6d %s\n", c.of[what], what)
	}
	return b.String()
}
