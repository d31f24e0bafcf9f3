package release_test

import (
	"context"
	"errors"
	"net/http"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/kubestellar/actions/internal/git"
	"github.com/kubestellar/actions/internal/oci"
	"github.com/kubestellar/actions/internal/outcome"
	"github.com/kubestellar/actions/internal/release"
	"github.com/kubestellar/actions/internal/report"
	"github.com/kubestellar/actions/test/networktest"
)

// second returns another clone of the same commit, as another runner has it.
func (s *stage) second() *stage {
	s.T.Helper()
	other := &stage{s.Network, git.Repo{Dir: filepath.Join(s.T.TempDir(), "clone"), Env: s.clone.Env}}
	s.Git(filepath.Dir(other.clone.Dir), "clone", "--quiet", "https://github.com/"+owned, other.clone.Dir)
	return other
}

// atOnce has two runners release the same version at the same time.
func (s *stage) atOnce(run func(*release.Releaser, context.Context) (*report.Report, error)) [2]error {
	s.T.Helper()
	releasers := [2]*release.Releaser{s.releaser("0.2.0"), s.second().releaser("0.2.0")}
	var errs [2]error
	var both sync.WaitGroup
	for i, releaser := range releasers {
		both.Go(func() { _, errs[i] = run(releaser, context.Background()) })
	}
	both.Wait()
	return errs
}

// Two runners release one commit at once. They build the same bytes, so the registries end
// with one set of artifacts, and there is one public release. GitHub has no
// compare-and-swap, so each of these may happen:
//   - A runner finds an asset that the other one is replacing in the draft. It fails, and
//     another run succeeds.
//   - The draft becomes public just before the other runner's goreleaser looks for it.
//     goreleaser creates a second draft, which stays and does no harm.
//   - Both look for the dispatch before one has sent it. It is sent twice, and receivers
//     must accept that.
func TestTwoReleasesAtOnce(t *testing.T) {
	t.Parallel()
	undisturbed := newStage(t)
	if _, err := undisturbed.release("0.2.0"); err != nil {
		t.Fatal(err)
	}
	want := undisturbed.state()
	s := newStage(t)
	errs := s.atOnce((*release.Releaser).Release)
	for _, err := range errs {
		steps := []string{"build", "stage", "check", "publish", "prove"}
		if step := failedStep(err); err != nil && !slices.Contains(steps, step) {
			t.Errorf("failed at %q: %v", step, err)
		}
	}
	if _, err := s.release("0.2.0"); err != nil {
		t.Fatalf("run again, after %v: %v", errors.Join(errs[:]...), err)
	}
	got := secondDraft.ReplaceAllString(strings.Replace(s.state(), "2 dispatches", "1 dispatches", 1), "")
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the state differs from that with one runner (-want +got):\n%s\nafter %v", diff, errors.Join(errs[:]...))
	}
}

var secondDraft = regexp.MustCompile(`(?m)^release v0\.2\.0 draft=true\n(  .*\n)*`)

// Both find no release, and each creates a draft. One counts, and the other is deleted by
// the runner that created it.
func TestTwoDraftsAtOnce(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	var drafts sync.WaitGroup
	var made atomic.Int32
	drafts.Add(2)
	s.Intercept(func(r networktest.Request) networktest.Fault {
		if r.Method == http.MethodPost && r.Host == "api.github.com" && strings.HasSuffix(r.Path, "/releases") {
			if made.Add(1) <= 2 { // goreleaser may create one more, see above
				drafts.Done()
				drafts.Wait()
			}
		}
		return networktest.Fault{}
	})
	errs := s.atOnce((*release.Releaser).Release)
	deleted := slices.ContainsFunc(s.Requests(), func(r networktest.Request) bool {
		return r.Method == http.MethodDelete && strings.Contains(r.Path, "/releases/") && !strings.Contains(r.Path, "/assets/")
	})
	if !deleted {
		t.Errorf("no draft was deleted, after %v", errors.Join(errs[:]...))
	}
	for _, err := range errs {
		if err != nil && strings.Contains(err.Error(), "drafts") {
			t.Error(err)
		}
	}
}

// Two runners publish only charts at once. Both succeed, with one set of charts.
func TestTwoPublishAtOnce(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.Git(s.clone.Dir, "tag", "v0.2.0")
	s.Git(s.clone.Dir, "push", "--quiet", "origin", "v0.2.0")
	s.PushImage("ghcr.io/example/tiny", "0.2.0", map[string]string{oci.KeyRevision: s.Git(s.clone.Dir, "rev-parse", "HEAD")})
	errs := s.atOnce((*release.Releaser).Publish)
	if err := errors.Join(errs[:]...); err != nil {
		t.Fatal(err)
	}
	state := s.state()
	for at, want := range map[string]int{"ghcr.io/example/charts/zeta-chart": 3, "ghcr.io/example/charts/edge-chart": 3} {
		if got := strings.Count(state, at+":"); got != want { // an earlier one, staging, final
			t.Errorf("%s has %d tags, want %d:\n%s", at, got, want, state)
		}
	}
}

// Another program pushes other bytes to a final tag after the release did. The release stops
// there, and reports the other image.
func TestAnotherPushWins(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	var mu sync.Mutex
	pushed, theirs := false, ""
	s.Intercept(func(r networktest.Request) networktest.Fault {
		repository, tag, ok := manifest(r)
		if !ok || repository != "ghcr.io/example/charts/zeta-chart" || tag != "0.2.0" {
			return networktest.Fault{}
		}
		mu.Lock()
		defer mu.Unlock()
		if pushed && theirs == "" { // the release reads it back next
			s.Intercept(nil)
			theirs = s.overwrite(repository+":"+tag, strings.Repeat("0123456789", 4))
		}
		pushed = pushed || r.Method == http.MethodPut
		return networktest.Fault{}
	})
	_, err := s.release("0.2.0")
	var conflict *oci.Conflict
	if failedStep(err) != "promote" || !errors.As(err, &conflict) || outcome.Of(err) != outcome.Wrong {
		t.Fatalf("got %v, want a conflict at promote", err)
	}
	if !conflict.Raced || conflict.Seen != theirs || conflict.Revision != strings.Repeat("0123456789", 4) {
		t.Errorf("got %+v, want theirs, %s", conflict, theirs)
	}
	if strings.Contains(s.state(), "edge-chart:v0.2.0 ") || strings.Contains(s.state(), "draft=false") {
		t.Errorf("the release continued:\n%s", s.state())
	}
}

// overwrite pushes an image without a check of the tag, as docker and helm do.
func (s *stage) overwrite(at, revision string) string {
	s.T.Helper()
	config := v1.Config{Labels: map[string]string{oci.KeyRevision: revision}}
	image, err := mutate.ConfigFile(empty.Image, &v1.ConfigFile{OS: "linux", Architecture: "amd64", Config: config})
	s.Must(err)
	to, err := name.ParseReference(at)
	s.Must(err)
	s.Must(remote.Write(to, image, s.Remote()...))
	digest, err := image.Digest()
	s.Must(err)
	return digest.String()
}
