package oci_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/kubestellar/actions/internal/oci"
	"github.com/kubestellar/actions/internal/outcome"
	"github.com/kubestellar/actions/test/networktest"
)

// Two runners push one tag at the same time: both see it free, both push, and then both
// read it back. With equal bytes both succeed. Otherwise the last one wins, and the other
// one gets an error that names the winner.
func TestTwoPushAtOnce(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	for name, push := range map[string]func(*oci.Registry, v1.Image) (string, error){
		"push": func(r *oci.Registry, i v1.Image) (string, error) { return r.PushImage(ctx, at, "1.0.0", i) },
		"promote": func(r *oci.Registry, i v1.Image) (string, error) {
			digest, err := r.PushStaged(ctx, at, "staging", i)
			if err != nil {
				return digest, err
			}
			return digest, r.Promote(ctx, at, digest, "1.0.0")
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			digests, errs := race(t, push, "the commit", "the commit")
			if digests[0] != digests[1] || errors.Join(errs...) != nil {
				t.Errorf("equal bytes: %v, %v", digests, errs)
			}
			digests, errs = race(t, push, "one commit", "another commit")
			loser := 0
			if errs[0] == nil {
				loser = 1
			}
			lost(t, digests, errs, loser, []string{"one commit", "another commit"}[1-loser])
		})
	}
}

func lost(t *testing.T, digests [2]string, errs []error, loser int, winner string) {
	t.Helper()
	var conflict *oci.Conflict
	if errs[1-loser] != nil || !errors.As(errs[loser], &conflict) {
		t.Fatalf("unequal bytes: %v, want a conflict for one of them", errs)
	}
	if conflict.Seen != digests[1-loser] || conflict.Want != digests[loser] || conflict.Revision != winner || outcome.Of(errs[loser]) != outcome.Wrong {
		t.Errorf("got %+v, want %s to have won with revision %q", conflict, digests[1-loser], winner)
	}
	for _, part := range []string{"another runner pushed it at the same time", digests[1-loser], digests[loser], "commit " + winner, "take the next version"} {
		if !strings.Contains(conflict.Error(), part) {
			t.Errorf("%q does not say %q", conflict, part)
		}
	}
	if strings.Contains(conflict.Error(), "published already") {
		t.Errorf("%q speaks of what was there before", conflict)
	}
}

// race pushes images with these revisions by two clients, in step.
func race(t *testing.T, push func(*oci.Registry, v1.Image) (string, error), revisions ...string) (digests [2]string, errs []error) {
	t.Helper()
	w, _ := start(t)
	errs = make([]error, len(revisions))
	var looks, looked, again, together sync.WaitGroup
	looks.Add(2)
	looked.Add(2)
	again.Add(2)
	var mu sync.Mutex
	seen := 0
	w.Intercept(func(r networktest.Request) networktest.Fault {
		if !strings.HasSuffix(r.Path, "/manifests/1.0.0") {
			return networktest.Fault{}
		}
		if r.Method == http.MethodPut {
			looked.Wait() // else a look that is slow would see what the other one has pushed
		}
		if r.Method != http.MethodGet {
			return networktest.Fault{}
		}
		mu.Lock()
		seen++
		n := seen
		mu.Unlock()
		switch { // the first two are looks, the next two are reads after the pushes
		case n <= 2:
			looks.Done()
			looks.Wait()
			return networktest.Fault{Done: looked.Done}
		case n <= 4:
			again.Done()
			again.Wait()
		}
		return networktest.Fault{}
	})
	for i, revision := range revisions {
		one := image(t, revision)
		together.Go(func() { digests[i], errs[i] = push(as(w, w.Token()), one) })
	}
	together.Wait()
	return digests, errs
}
