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

// counted answers that all but a tag "gone" is there.
type counted struct{ asked atomic.Int32 }

func (c *counted) Resolve(_ context.Context, t resolve.Target) resolve.Answer {
	c.asked.Add(1)
	answer := resolve.Answer{Target: t, Digest: t.Tag}
	if t.Tag == "gone" {
		answer.Err = outcome.ErrAbsent
	}
	return answer
}

func TestOnce(t *testing.T) {
	t.Parallel()
	for tag, want := range map[string]int32{"1.0.0": 1, "gone": 3} {
		var world counted
		once := &resolve.Once{Resolver: &world}
		told := resolve.Target{Tag: "told"}
		asking, answered := make(chan struct{}), make(chan struct{})
		go once.Learn(told, func() resolve.Answer {
			close(asking)
			<-answered
			return resolve.Answer{Target: told, Digest: "sha256:1"}
		})
		<-asking
		time.AfterFunc(10*time.Millisecond, func() { close(answered) }) // by then, it is wanted
		if answer := once.Resolve(context.Background(), resolve.Target{Tag: "told"}); answer.Digest != "sha256:1" {
			t.Errorf("what it was told is not known: %+v", answer)
		}
		var group sync.WaitGroup
		for range 3 {
			group.Go(func() {
				if answer := once.Resolve(context.Background(), resolve.Target{Tag: tag}); answer.Digest != tag || answer.Absent() != (tag == "gone") {
					t.Errorf("%s: %+v", tag, answer)
				}
			})
		}
		group.Wait()
		if world.asked.Load() != want {
			t.Errorf("%s: asked %d times, want %d", tag, world.asked.Load(), want)
		}
	}
}
