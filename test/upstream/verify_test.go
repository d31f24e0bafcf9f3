package upstream_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/kubestellar/actions/internal/outcome"
	"github.com/kubestellar/actions/internal/verify"
	"github.com/kubestellar/actions/test/networktest"
)

// short returns a short form of a result.
func short(r verify.Result) string {
	var b strings.Builder
	for _, f := range r.Findings {
		fmt.Fprintf(&b, "%s:%d %s: %s\n", f.File, f.Line, f.Rule, f.Saw)
	}
	for _, o := range r.Unchecked {
		fmt.Fprintf(&b, "? %s: %.60s\n", o.What, o.Because)
	}
	return b.String()
}

func TestCheck(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.chart(t, "v1.2.4", "ghcr.io/o/up:1.2.4")
	s.chart(t, "v1.2.5", "ghcr.io/elsewhere/gone:7")
	other := "sha256:" + strings.Repeat("0", 64)
	for name, test := range map[string]struct{ text, want string }{
		"all there": {`image: ghcr.io/o/up:1.2.3
helm install x oci://ghcr.io/o/up-chart --version v1.2.3
# https://github.com/o/up/blob/v1.2.3/docs/guide.md https://github.com/o/up/tree/release-1.2.3/docs
bash <(curl https://raw.githubusercontent.com/o/up/v1.2.3/install.sh)
- uses: o/up/x@` + s.commit + " # v1.2.3\nimage: ghcr.io/o/up:1.2.3@" + s.digest + "\n", ""},
		"an image that is not there": {"image: ghcr.io/o/up:1.2.9\n",
			"x.sh:1 exists: image ghcr.io/o/up:1.2.9, which does not exist\n"},
		"a chart that runs an image that is not there": {"helm install x oci://ghcr.io/o/up-chart --version v1.2.4\n",
			"x.sh:1 exists: image ghcr.io/o/up:1.2.4, named at the rendering of chart ghcr.io/o/up-chart:v1.2.4, named at x.sh:1:51, which does not exist\n"},
		"a chart that runs an image of somebody else that is not there": {"helm install x oci://ghcr.io/o/up-chart --version v1.2.5\n",
			"x.sh:1 exists: image ghcr.io/elsewhere/gone:7, named at the rendering of chart ghcr.io/o/up-chart:v1.2.5, " +
				"named at x.sh:1:51, which does not exist\n"},
		"files that are not there": {"# https://github.com/o/up/blob/v1.2.3/docs/gone.md https://github.com/o/up/tree/release-9.9.9/docs\n",
			"x.sh:1 exists: branch or tag release-9.9.9 of o/up, which does not exist\n" +
				"x.sh:1 exists: https://github.com/o/up/blob/v1.2.3/docs/gone.md, which does not exist\n" +
				"x.sh:1 exists: https://github.com/o/up/tree/release-9.9.9/docs, which does not exist\n"},
		"a pair that does not belong together": {"image: ghcr.io/o/up:1.2.3@" + other + "\n- uses: o/up/x@" + strings.Repeat("1", 40) + " # v1.2.3\n",
			"x.sh:1 digest: " + other + " beside 1.2.3\nx.sh:2 digest: " + strings.Repeat("1", 40) + " beside v1.2.3\n"},
		"a module without a proxy": {"go install github.com/o/up/cmd/x@v1.2.3\n",
			"? module github.com/o/up@v1.2.3, named at x.sh:1:34: looking for module github.com/o/up@v1.2.3: could not ask: GO\n"},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, short(s.check(t, declared, "x.sh", test.text))); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func TestExcusedTargets(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	const text = "image: ghcr.io/o/up:1.2.9\n"
	config := declared + "ignore: [{target: 'ghcr.io/o/up:1.2.9', because: x}, {target: 'ghcr.io/o/up:1.3.0', because: x}]\n"
	want := "delivery.yaml:10 idle-excuse: an entry of ignore for target \"ghcr.io/o/up:1.3.0\", which nothing names\n"
	if diff := cmp.Diff(want, short(s.check(t, config, "x.sh", text))); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// Each target is queried once, however often it is named.
func TestAsksOnce(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	before := len(s.Requests())
	r := s.check(t, declared, "x.sh", strings.Repeat("image: ghcr.io/o/up:1.2.3\n", 50))
	asked := 0
	for _, request := range s.Requests()[before:] {
		if strings.Contains(request.Path, "/manifests/") {
			asked++
		}
	}
	if asked != 1 || r.References != 50 || r.Targets != 1 {
		t.Errorf("%d queries for %d targets of %d references", asked, r.Targets, r.References)
	}
}

// An absent artifact and a failed query are different answers.
func TestCouldNotAsk(t *testing.T) {
	t.Parallel()
	const text = `image: ghcr.io/o/up:1.2.3
# https://github.com/o/up/blob/v1.2.3/docs/guide.md
`
	for name, break_ := range map[string]func(*stage){
		"401":  func(s *stage) { s.answer(401) },
		"403":  func(s *stage) { s.answer(403) },
		"429":  func(s *stage) { s.answer(429) },
		"500":  func(s *stage) { s.answer(500) },
		"503":  func(s *stage) { s.answer(503) },
		"down": func(s *stage) { s.Down("ghcr.io"); s.Down("github.com") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStage(t)
			s.registry.Backoff = remote.Backoff{Steps: 1}
			break_(s)
			r := s.check(t, declared, "x.sh", text)
			if len(r.Findings) != 0 || len(r.Unchecked) != 3 {
				t.Fatalf("want three things unchecked and no finding, got\n%s", short(r))
			}
			for _, o := range r.Unchecked {
				if !strings.Contains(o.Because, "could not ask") && !strings.Contains(o.Because, "ls-remote") {
					t.Errorf("%s: %s", o.What, o.Because)
				}
			}
			if code := outcome.Of(r.Err(false)); code != outcome.Unchecked {
				t.Errorf("exit code %d", code)
			}
		})
	}
}

// answer makes every host answer with a status.
func (s *stage) answer(status int) {
	s.Intercept(func(networktest.Request) networktest.Fault { return networktest.Fault{Status: status} })
}

// Registries answer 401 or 403 for private artifacts and for absent ones.
func TestPrivateOrAbsent(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.registry.Backoff = remote.Backoff{Steps: 1}
	s.answer(403)
	r := s.check(t, declared, "x.sh", "image: ghcr.io/o/up:1.2.3\n")
	if len(r.Unchecked) != 1 || !strings.Contains(r.Unchecked[0].Because, "it does not exist, or is private") ||
		!strings.Contains(r.Unchecked[0].Because, "docker login") {
		t.Errorf("got %s", short(r))
	}
}
