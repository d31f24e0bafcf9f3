package release_test

import (
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/kubestellar/actions/test/networktest"
)

// The order of the requests of a release without a fault.
func TestRequestsOfARelease(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	before := len(s.Requests())
	if _, err := s.release("0.2.0"); err != nil {
		t.Fatal(err)
	}
	requests := s.Requests()[before:]
	t.Run("no final name before everything is staged", func(t *testing.T) { finalLast(t, requests) })
	t.Run("everything is read back before the first final name", func(t *testing.T) { readBack(t, requests, s.state()) })
	t.Run("only the tags of the release", func(t *testing.T) { onlyItsTags(t, requests) })
}

// The last writes are the final names in their order, the release and the dispatch.
// Everything is staged before.
func finalLast(t *testing.T, requests []networktest.Request) {
	var writes []string
	for _, r := range requests {
		if r.Effect {
			writes = append(writes, r.Method+" "+r.Host+r.Path)
		}
	}
	want := []string{
		"PUT ghcr.io/v2/example/tiny/manifests/0.2.0",
		"PUT ghcr.io/v2/example/charts/zeta-chart/manifests/0.2.0",
		"PUT ghcr.io/v2/example/charts/edge-chart/manifests/v0.2.0",
		"PATCH api.github.com/repos/example/tiny/releases/",
		"POST api.github.com/repos/example/consumer/dispatches",
	}
	begin := len(writes) - len(want)
	for i, prefix := range want {
		if !strings.HasPrefix(writes[begin+i], prefix) {
			t.Fatalf("the last writes are\n%s\nwant\n%s", strings.Join(writes[begin:], "\n"), strings.Join(want, "\n"))
		}
	}
	for _, staged := range writes[:begin] {
		if isFinal(staged[strings.LastIndex(staged, "/")+1:]) {
			t.Errorf("%s, before everything was staged", staged)
		}
	}
	if begin < 20 {
		t.Errorf("only %d writes stage the release:\n%s", begin, strings.Join(writes, "\n"))
	}
}

func isFinal(tag string) bool { return tag == "0.2.0" || tag == "v0.2.0" }

// Before the first final name, each image and chart is fetched by its digest.
func readBack(t *testing.T, requests []networktest.Request, state string) {
	first := slices.IndexFunc(requests, func(r networktest.Request) bool {
		_, tag, isTag := manifest(r)
		return r.Method == http.MethodPut && isTag && isFinal(tag)
	})
	for _, name := range finals[:3] {
		at, _, _ := strings.Cut(name, ":")
		_, digest, _ := strings.Cut(state[strings.Index(state, name):], " ")
		digest, _, _ = strings.Cut(digest, "\n")
		asked := func(r networktest.Request) bool {
			repository, reference, ok := manifest(r)
			return ok && r.Method == http.MethodGet && repository == at && reference == digest
		}
		if first < 0 || !slices.ContainsFunc(requests[:first], asked) {
			t.Errorf("%s got a final name before %s@%s was read back", requests[max(first, 0)].Path, at, digest)
		}
	}
}

var manifestPath = regexp.MustCompile(`^/v2/(.+)/manifests/([^/]+)$`)

// manifest returns the repository and the reference of a request for a manifest.
func manifest(r networktest.Request) (repository, reference string, ok bool) {
	m := manifestPath.FindStringSubmatch(r.Path)
	if m == nil {
		return "", "", false
	}
	return r.Host + "/" + m[1], m[2], true
}

// Only tags of this release are pushed, and none that moves, such as latest.
func onlyItsTags(t *testing.T, requests []networktest.Request) {
	ours := regexp.MustCompile(`^(sha256:[0-9a-f]{64}|staging-0\.2\.0-[0-9a-f]{12}(-[0-9a-f]{12})?|base-[0-9a-f]{64}|v?0\.2\.0)$`)
	pushed := map[string]bool{}
	for _, r := range requests {
		repository, reference, ok := manifest(r)
		if !ok || r.Method != http.MethodPut {
			continue
		}
		if !ours.MatchString(reference) {
			t.Errorf("pushed %s:%s", repository, reference)
		}
		pushed[fmt.Sprintf("%s:%.4s", repository, reference)] = true
	}
	for _, want := range []string{
		"ghcr.io/example/tiny:0.2.", "ghcr.io/example/tiny:stag", "ghcr.io/example/charts/edge-chart:v0.2", "ghcr.io/kubestellar/actions/base:base",
	} {
		if !pushed[want] {
			t.Errorf("no push of %s… in the recording, which has %v", want, pushed)
		}
	}
}
