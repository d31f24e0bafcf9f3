package tag_test

import (
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kubestellar/actions/test/networktest"
)

// The forge dies at a request with an effect: before it is done, or after it is
// done with its answer lost. It comes back, the command is run again, and the
// repository must be as if nothing had happened. The requests are those of a
// recording.
func TestTheForgeDiesAtEachRequest(t *testing.T) {
	t.Parallel()
	recording := newStage(t)
	before := len(recording.Requests())
	if _, err := recording.tag("0.2.0"); err != nil {
		t.Fatal(err)
	}
	want := kinds(recording)
	effects := 0
	for _, r := range recording.Requests()[before:] {
		if !r.Effect {
			continue
		}
		effects++
		for _, done := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s done=%t", strings.ReplaceAll(r.Path, "/", "|"), done), func(t *testing.T) {
				t.Parallel()
				dies(t, r, done, want)
			})
		}
	}
	if effects != 2 {
		t.Errorf("%d requests have an effect, want two: the tag's object and its name", effects)
	}
}

// kinds is the state without the commits, which differ between stages.
func kinds(s *stage) string { return strings.ReplaceAll(s.state(), s.head(), "COMMIT") }

func dies(t *testing.T, at networktest.Request, done bool, want string) {
	s := newStage(t)
	var fired atomic.Bool
	s.Intercept(func(r networktest.Request) networktest.Fault {
		switch {
		case r.Host != at.Host:
		case fired.Load(): // a look after the lost answer does not come through either
			return networktest.Fault{CutBefore: true}
		case r.Method == at.Method && r.Path == at.Path:
			fired.Store(true)
			return networktest.Fault{CutAfter: done, CutBefore: !done}
		}
		return networktest.Fault{}
	})
	if _, err := s.tag("0.2.0"); err == nil {
		t.Error("the forge died, and the command returned nothing")
	}
	if !fired.Load() {
		t.Fatalf("%s %s was never asked", at.Method, at.Path)
	}
	s.Intercept(nil)
	if there, named := strings.Contains(s.state(), "refs/tags/"), done && strings.HasSuffix(at.Path, "/git/refs"); there != named {
		t.Errorf("when it died, the tag was there: %t, want %t", there, named)
	}
	if _, err := s.tag("0.2.0"); err != nil {
		t.Fatalf("after the forge came back: %v", err)
	}
	if diff := cmp.Diff(want, kinds(s)); diff != "" {
		t.Errorf("the repository did not end as undisturbed (-want +got):\n%s", diff)
	}
}

// If only the answer of a request is lost, the command queries the result and succeeds.
func TestALostAnswerIsLookedFor(t *testing.T) {
	t.Parallel()
	for _, path := range []string{"/git/tags", "/git/refs"} {
		s := newStage(t)
		lost := 0
		s.Intercept(func(r networktest.Request) networktest.Fault {
			if r.Method == "POST" && strings.HasSuffix(r.Path, path) && lost == 0 {
				lost++
				return networktest.Fault{CutAfter: true}
			}
			return networktest.Fault{}
		})
		made, err := s.tag("0.2.0")
		if err != nil || lost != 1 || made.Commit != s.head() || strings.Count(s.state(), "refs/tags/") != 1 {
			t.Errorf("%s: made %+v, %v, after %d lost answers; the repository has\n%s", path, made, err, lost, s.state())
		}
	}
}

// Two runners tag at once. The same commit is tagged once, and another commit is an error.
func TestTwoTagAtOnce(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	other := s.git("rev-parse", "HEAD~1")
	s.Intercept(func(r networktest.Request) networktest.Fault {
		if r.Method == "POST" && strings.HasSuffix(r.Path, "/git/tags") {
			s.Intercept(nil)
			s.tagged(other, "v0.2.0")
		}
		return networktest.Fault{}
	})
	_, err := s.tag("0.2.0")
	if err == nil || !strings.Contains(err.Error(), "another run or person made it; a tag never moves") {
		t.Errorf("another commit: %v", err)
	}
	s = newStage(t)
	s.Intercept(func(r networktest.Request) networktest.Fault {
		if r.Method == "POST" && strings.HasSuffix(r.Path, "/git/tags") {
			s.Intercept(nil)
			s.tagged("HEAD", "v0.2.0")
		}
		return networktest.Fault{}
	})
	if made, err := s.tag("0.2.0"); err != nil || made.Commit != s.head() || made.Annotated() {
		t.Errorf("the same commit: %+v, %v, want the pushed tag", made, err)
	}
}
