package resolve

import (
	"context"
	"sync"
)

// Once asks for each target once, for a while in which many ask for the same:
// what was there is not asked again, all else is.
type Once struct {
	By Interface

	asked sync.Map // Target → *asked
}

type asked struct {
	mu     sync.Mutex // held while it is asked for, so that whoever else wants it waits
	answer *Answer
}

// Resolve gives the answer that is known, or asks.
func (o *Once) Resolve(ctx context.Context, t Target) Answer {
	entry, _ := o.asked.LoadOrStore(t, &asked{})
	known := entry.(*asked)
	known.mu.Lock()
	defer known.mu.Unlock()
	if known.answer == nil || known.answer.Err != nil {
		answer := o.By.Resolve(ctx, t)
		known.answer = &answer
	}
	return *known.answer
}

// Learn takes an answer that is asked for by another way. Whoever wants it
// meanwhile waits for it.
func (o *Once) Learn(t Target, ask func() Answer) {
	entry, _ := o.asked.LoadOrStore(t, &asked{})
	known := entry.(*asked)
	known.mu.Lock()
	defer known.mu.Unlock()
	answer := ask()
	known.answer = &answer
}
