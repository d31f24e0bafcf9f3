// Package resolve turns references into targets, and defines what a query of a target answers. The package lookup makes
// the queries.
package resolve

import (
	"context"
	"errors"
	"slices"

	"golang.org/x/sync/errgroup"

	"github.com/kubestellar/actions/internal/outcome"
)

// Answer is the result of a query for a target. Err is nil if the target exists, and wraps outcome.ErrAbsent if it does
// not. Any other error means that neither is known.
type Answer struct {
	Target
	Digest   string
	Revision string // the commit recorded in the artifact
	Staged   bool   // only the release in progress has it
	StandIn  string // why the target is not the real artifact, or empty
	Err      error
}

// Absent reports whether the target is known not to exist.
func (a Answer) Absent() bool { return errors.Is(a.Err, outcome.ErrAbsent) }

// Resolver queries one target.
type Resolver interface {
	Resolve(ctx context.Context, t Target) Answer
}

// Table answers for the artifacts that a release has staged, and leaves other targets to Next.
type Table struct {
	Digests map[string]string // location:tag → digest
	Next    Resolver
}

// Resolve returns the answer of the table, if it has one.
func (t Table) Resolve(ctx context.Context, target Target) Answer {
	if digest, ok := t.Digests[target.At+":"+target.Tag]; ok {
		return Answer{Target: target, Digest: digest, Staged: true}
	}
	return t.Next.Resolve(ctx, target)
}

// atOnce bounds the number of open queries.
const atOnce = 32

// All queries each distinct target once. The answers are in the order in which the targets first appear.
func All(ctx context.Context, by Resolver, targets []Target) []Answer {
	distinct := unique(targets)
	answers := make([]Answer, len(distinct))
	var group errgroup.Group
	group.SetLimit(atOnce)
	for _, i := range spread(distinct) {
		group.Go(func() error {
			answers[i] = by.Resolve(ctx, distinct[i])
			return nil
		})
	}
	_ = group.Wait() // an answer holds its own error
	return answers
}

// spread returns the order of the queries: one for each location in turn. The first query of a location also fetches
// its token, and later ones wait for that.
func spread(targets []Target) []int {
	turn := map[string]int{}
	turns := make([]int, len(targets))
	order := make([]int, len(targets))
	for i, t := range targets {
		order[i], turns[i] = i, turn[t.At]
		turn[t.At]++
	}
	slices.SortStableFunc(order, func(a, b int) int { return turns[a] - turns[b] })
	return order
}

func unique(targets []Target) []Target {
	seen := map[Target]bool{}
	var out []Target
	for _, t := range targets {
		if !seen[t] {
			seen[t] = true
			out = append(out, t)
		}
	}
	return out
}
