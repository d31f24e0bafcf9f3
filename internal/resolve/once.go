package resolve

import (
	"context"
	"sync"
)

// Once is a Resolver that queries each target once and remembers the answer. A query that failed, or found nothing, is
// repeated.
type Once struct {
	Resolver Resolver

	entries sync.Map // Target → *entry
}

type entry struct {
	mu     sync.Mutex // held during the query, so that concurrent callers wait for its answer
	answer *Answer
}

// Resolve returns the remembered answer, or queries the target.
func (o *Once) Resolve(ctx context.Context, t Target) Answer {
	known := o.entry(t)
	known.mu.Lock()
	defer known.mu.Unlock()
	if known.answer == nil || known.answer.Err != nil {
		answer := o.Resolver.Resolve(ctx, t)
		known.answer = &answer
	}
	return *known.answer
}

// Learn remembers the answer of another query. Concurrent callers of Resolve wait for it.
func (o *Once) Learn(t Target, query func() Answer) {
	known := o.entry(t)
	known.mu.Lock()
	defer known.mu.Unlock()
	answer := query()
	known.answer = &answer
}

func (o *Once) entry(t Target) *entry {
	known, _ := o.entries.LoadOrStore(t, &entry{})
	return known.(*entry)
}
