package release_test

import (
	"fmt"
	"io/fs"
	"net/http"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kubestellar/actions/test/networktest"
	"github.com/kubestellar/actions/test/networktest/faults"
)

// A host dies at a request of the release: before it is processed, or after it, with the
// answer lost. The host comes back, and the release runs again, once for each state that such
// a death leaves. Everything must then be as after a release without a fault.
//
// The requests are those of a recording. A request that only reads finds the same state as
// the next one with an effect, and so does an upload before its end. So only FAULTS=all
// includes all of them. CI takes a share.
func TestAHostDiesAtEachRequest(t *testing.T) {
	t.Parallel()
	recording := newStage(t)
	before := len(recording.Requests())
	if _, err := recording.release("0.2.0"); err != nil {
		t.Fatal(err)
	}
	requests, want := recording.Requests()[before:], recording.state()
	for i, request := range requests {
		takes := faults.Takes(i, request.Effect && !isUpload(request))
		if takes && request.Effect {
			dies(t, i, request, true, want)
		}
		if takes {
			dies(t, i, request, false, want)
		}
	}
}

func dies(t *testing.T, i int, at networktest.Request, done bool, want string) {
	name := fmt.Sprintf("%03d %s %s%s done=%t", i, at.Method, at.Host, at.Path, done)
	t.Run(strings.ReplaceAll(name, "/", "|"), func(t *testing.T) {
		t.Parallel()
		s := newStage(t)
		fired := s.killAt(len(s.Requests())+1+i, done)
		rep, err := s.release("0.2.0")
		reported := err != nil || len(rep.Unchecked) > 0
		// If only the answer was lost, a client may have tried again.
		if fired() && !done && !reported || reported && !fired() {
			t.Fatalf("the host died: %t, and the release ended with %v, unchecked: %+v", fired(), err, rep.Unchecked)
		}
		s.noHalfRelease(want)
		s.revive()
		if s.isRepeated("host", s.clone.Dir) {
			return
		}
		if _, err := s.release("0.2.0"); err != nil {
			t.Fatalf("after the host came back: %v", err)
		}
		if diff := cmp.Diff(want, s.state()); diff != "" {
			t.Errorf("the state differs from that without a fault (-want +got):\n%s", diff)
		}
	})
}

// repeated holds the states that isRepeated was asked about.
var repeated sync.Map

// isRepeated reports whether another test with the same fault has reached the same state: the
// same requests had an effect, and the folders have files of the same names. The recovery
// depends on nothing else, so only the first such test continues.
func (s *stage) isRepeated(fault string, dirs ...string) bool {
	s.T.Helper()
	var effects, files []string
	for _, r := range s.Requests() {
		if r.Effect && r.Status != 0 && r.Status < http.StatusBadRequest && !isUpload(r) {
			effects = append(effects, fmt.Sprintln(r.Method, r.Host, changing.ReplaceAllString(r.Path+"?"+r.Query, "N")))
		}
	}
	for _, dir := range dirs {
		s.Must(filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
			files = append(files, changing.ReplaceAllString(strings.TrimPrefix(path, dir), "N"))
			return err
		}))
	}
	slices.Sort(effects)
	slices.Sort(files)
	state := fmt.Sprintln(fault, effects, slices.Compact(files))
	_, known := repeated.LoadOrStore(state, true)
	return known
}

// isUpload reports whether a request opens, fills or ends an upload. Only the request that
// completes it has an effect on other requests.
func isUpload(r networktest.Request) bool {
	return strings.Contains(r.Path, "/blobs/uploads/") && r.Method != http.MethodPut
}

// changing matches the parts of names that are made at random, and hashes of objects that
// hold the time.
var changing = regexp.MustCompile(`uploads/[0-9a-f-]+|_state=[^&]*|\b[0-9a-f]{38,40}\b|[0-9]{6,}`)

// killAt stops the host of the nth request at that request.
func (s *stage) killAt(n int, done bool) (fired func() bool) {
	var died atomic.Bool
	s.Intercept(func(r networktest.Request) networktest.Fault {
		if r.N != n {
			return networktest.Fault{}
		}
		died.Store(true)
		if done {
			return networktest.Fault{CutAfter: true}
		}
		s.Down(r.Host)
		return networktest.Fault{CutBefore: true}
	})
	return died.Load
}

func (s *stage) revive() {
	s.Intercept(nil)
	for _, host := range []string{"ghcr.io", "quay.io", "github.com", "api.github.com", "uploads.github.com"} {
		s.Up(host)
	}
}

// finals are the final names of the release in the form of state. They may become visible
// in this order: the image, the chart that runs it, the chart that installs the first
// chart, and the GitHub release.
var finals = []string{
	"ghcr.io/example/tiny:0.2.0 ",
	"ghcr.io/example/charts/zeta-chart:0.2.0 ",
	"ghcr.io/example/charts/edge-chart:v0.2.0 ",
	"release v0.2.0 draft=false",
}

// noHalfRelease checks that a final name is only visible if every part of the release
// exists with the right digest: the staged images and charts, and the assets. An artifact
// must not be visible before the artifacts that it needs.
func (s *stage) noHalfRelease(whole string) {
	s.T.Helper()
	s.revive()
	there := strings.Split(s.state(), "\n")
	if s.visible(there) == 0 {
		return
	}
	parts := 0
	for _, line := range strings.Split(whole, "\n") {
		staged, asset := strings.Contains(line, ":staging-"), strings.HasPrefix(line, "  ")
		if !staged && !asset {
			continue
		}
		parts++
		if !slices.Contains(there, line) {
			s.T.Errorf("a final name is visible without %q:\n%s", line, strings.Join(there, "\n"))
		}
	}
	const want = 3 + 3 // the image and two charts; an archive, the checksums and a hook
	if parts != want {
		s.T.Fatalf("the release has %d parts, want %d:\n%s", parts, want, whole)
	}
}

// visible returns the number of visible final names. Each needs all before it.
func (s *stage) visible(there []string) int {
	s.T.Helper()
	seen := 0
	for i, name := range finals {
		if !slices.ContainsFunc(there, func(line string) bool { return strings.HasPrefix(line, name) }) {
			continue
		}
		if seen < i {
			s.T.Errorf("%q is visible, but one before it is not:\n%s", name, strings.Join(there, "\n"))
		}
		seen++
	}
	return seen
}

// GitHub's list shows the public release some seconds after its answer.
func TestAReleaseThatShowsLate(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	var promoted, published atomic.Bool // goreleaser edits the draft before
	var late atomic.Int32
	s.Intercept(func(r networktest.Request) networktest.Fault {
		if strings.HasSuffix(r.Path, "/manifests/v0.2.0") && r.Effect {
			promoted.Store(true)
		}
		if r.Method == http.MethodPatch && promoted.Load() {
			published.Store(true)
		}
		if published.Load() && strings.HasSuffix(r.Path, "/releases/tags/v0.2.0") && late.Add(1) <= 2 {
			return networktest.Fault{Status: http.StatusNotFound, Body: `{"message":"Not Found"}`}
		}
		if published.Load() && strings.HasSuffix(r.Path, "/releases") && late.Load() <= 2 {
			return networktest.Fault{Status: http.StatusOK, Body: "[]"}
		}
		return networktest.Fault{}
	})
	if _, err := s.release("0.2.0"); err != nil || late.Load() < 3 {
		t.Errorf("after %d queries: %v", late.Load(), err)
	}
}
