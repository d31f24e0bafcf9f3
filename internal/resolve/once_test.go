package resolve_test

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/kubestellar/actions/internal/outcome"
	"github.com/kubestellar/actions/internal/resolve"
)

// counted counts its queries. Everything exists, except the tag "gone".
type counted struct{ queries atomic.Int32 }

func (c *counted) Resolve(_ context.Context, t resolve.Target) resolve.Answer {
	c.queries.Add(1)
	answer := resolve.Answer{Target: t, Digest: t.Tag}
	if t.Tag == "gone" {
		answer.Err = outcome.ErrAbsent
	}
	return answer
}

func TestOnce(t *testing.T) {
	t.Parallel()
	for tag, want := range map[string]int32{"1.0.0": 1, "gone": 3} {
		var resolver counted
		once := &resolve.Once{Resolver: &resolver}
		learned := resolve.Target{Tag: "learned"}
		querying, answered := make(chan struct{}), make(chan struct{})
		go once.Learn(learned, func() resolve.Answer {
			close(querying)
			<-answered
			return resolve.Answer{Target: learned, Digest: "sha256:1"}
		})
		<-querying
		time.AfterFunc(10*time.Millisecond, func() { close(answered) }) // while Resolve waits
		if answer := once.Resolve(context.Background(), learned); answer.Digest != "sha256:1" {
			t.Errorf("the learned answer is not known: %+v", answer)
		}
		var group sync.WaitGroup
		for range 3 {
			group.Go(func() {
				answer := once.Resolve(context.Background(), resolve.Target{Tag: tag})
				if answer.Digest != tag || answer.Absent() != (tag == "gone") {
					t.Errorf("%s: %+v", tag, answer)
				}
			})
		}
		group.Wait()
		if resolver.queries.Load() != want {
			t.Errorf("%s: %d queries, want %d", tag, resolver.queries.Load(), want)
		}
	}
}
