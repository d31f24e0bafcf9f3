package release_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/kubestellar/actions/internal/outcome"
	"github.com/kubestellar/actions/internal/report"
)

func TestReleaseAndAgain(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	rep, err := s.release("0.2.0")
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range rep.Artifacts {
		if a.State != report.Proven {
			t.Errorf("%s: %s: %s", a.Name, a.State, a.How)
		}
	}
	for _, name := range []string{"ghcr.io/example/tiny:0.2.0", "ghcr.io/example/charts/zeta-chart:0.2.0", "ghcr.io/example/charts/edge-chart:v0.2.0", "release asset hook.yaml"} {
		if !mentions(rep, name) {
			t.Errorf("the report does not tell of %s", name)
		}
	}
	before := s.state()
	if !strings.Contains(before, "release v0.2.0 draft=false") || !strings.Contains(before, "1 dispatches") {
		t.Fatalf("after the release:\n%s", before)
	}
	if _, err := s.release("0.2.0"); err != nil {
		t.Fatalf("the second run: %v", err)
	}
	if after := s.state(); after != before {
		t.Errorf("the second run changed the world:\n%s\nwas:\n%s", after, before)
	}
}

func mentions(rep *report.Report, name string) bool {
	for _, a := range rep.Artifacts {
		if a.Name == name {
			return true
		}
	}
	return false
}

func failedStep(err error) string {
	var step *report.StepError
	if errors.As(err, &step) {
		return step.Step
	}
	return ""
}

// Each case breaks one thing. The release must stop at the step that can know
// of it, say so, and leave nothing under a final name.
func TestReleaseStops(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		wrong      func(*stage)
		step, says string
		code       outcome.Code
	}{
		"the lock-step image is missing": {func(s *stage) { s.withhold("quay.io", "example/engine", "0.2.0") },
			"preflight", "image quay.io/example/engine:0.2.0, named at delivery.yaml (lock step with tiny), is not there", outcome.Wrong},
		"the lock-step image is of another commit": {func(s *stage) { s.moveTag("example/engine", needed) },
			"preflight", "its image was built from something else", outcome.Wrong},
		"the lock-step repository has no tag": {func(s *stage) { s.git(s.RepositoryDir("example/engine"), "update-ref", "-d", "refs/tags/"+needed) },
			"preflight", "release engine first", outcome.Wrong},
		"a referenced image is missing": {func(s *stage) { s.withhold("quay.io", "example/tool", "v1.4.0") },
			"preflight", "image quay.io/example/tool:v1.4.0, named at edge-chart/values.yaml:1:16, is not there", outcome.Wrong},
		"a self-reference": {func(s *stage) { s.change("hooks/hook.yaml", "0.0.0-unstamped", "0.1.0") },
			"preflight", "(self-reference)", outcome.Wrong},
		"no right to push to a registry": {func(s *stage) { s.DenyPush("ghcr.io", "example/charts") },
			"preflight", "no right to push to ghcr.io/example/charts/zeta-chart", outcome.Unchecked},
		"a chart that renders to latest": {func(s *stage) {
			s.change("app-chart/templates/deployment.yaml", "tiny:{{ .Chart.AppVersion }}", "tiny:latest")
		},
			"stamp", "saw image ghcr.io/example/tiny:latest, want a version, not latest", outcome.Wrong},
		"a chart with a v too many": {func(s *stage) { s.change("app-chart/templates/deployment.yaml", "engine:{{", "engine:v{{") },
			"stamp", "quay.io/example/engine:v0.2.0", outcome.Wrong},
		"charts that need each other": {func(s *stage) {
			s.change("app-chart/templates/deployment.yaml", "      - name: engine", "        args: [\"oci://ghcr.io/example/charts/edge-chart\", \"--version\", \"v{{ .Chart.AppVersion }}\"]\n      - name: engine")
		}, "stamp", "none can be published first", outcome.Unchecked},
		"source that does not compile": {func(s *stage) { s.change("main.go", "println", "printin") },
			"build", "undefined: printin", outcome.Wrong},
		"an image that does not say its commit": {func(s *stage) { s.change(".goreleaser.yaml", "revision: \"{{ .FullCommit }}\"", "revision: unknown") },
			"check", `label org.opencontainers.image.revision is "unknown", want "`, outcome.Wrong},
		"an image without a declared platform": {func(s *stage) { s.change("delivery.yaml", "[linux/amd64]", "[linux/amd64, linux/s390x]") },
			"check", "platform linux/s390x is missing, it has linux/amd64", outcome.Wrong},
		"an image that is not built": {func(s *stage) { s.change("delivery.yaml", "at: ghcr.io/example/tiny,", "at: ghcr.io/example/tinier,") },
			"build", "goreleaser built the image ghcr.io/example/tiny, which delivery.yaml does not declare", outcome.Usage},
		"a base image that is not there": {func(s *stage) { s.change(".goreleaser.yaml", "base@sha256:a", "base@sha256:b") },
			"build", "base_image", outcome.Wrong},
		"a chart published with other bytes": {func(s *stage) { s.place("ghcr.io/example/charts/zeta-chart", "0.2.0", nil) },
			"check", "is published already with other bytes: it is sha256:", outcome.Wrong},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStage(t)
			test.wrong(s)
			rep, err := s.release("0.2.0")
			if failedStep(err) != test.step || !strings.Contains(err.Error(), test.says) || outcome.Of(err) != test.code {
				t.Fatalf("stopped at %q with code %d, want %q with %d, saying %q:\n%v", failedStep(err), outcome.Of(err), test.step, test.code, test.says, err)
			}
			if rep.Failed != test.step {
				t.Errorf("the report says that %q failed", rep.Failed)
			}
			s.nothingPublic()
		})
	}
}

// withhold takes a stand-in away.
func (s *stage) withhold(host, repository, tag string) {
	s.t.Helper()
	s.must(s.DeleteManifest(host, repository, tag))
}

// moveTag does what nobody may do: it puts a tag on another commit.
func (s *stage) moveTag(repository, tag string) {
	s.t.Helper()
	dir := s.RepositoryDir(repository)
	other := s.git(dir, "commit-tree", "-m", "another", "4b825dc642cb6eb9a060e54bf8d69288fbee4904")
	s.git(dir, "update-ref", "refs/tags/"+tag, other)
}

// nothingPublic: the one thing under a final name is what a case put there.
func (s *stage) nothingPublic() {
	s.t.Helper()
	public := 0
	for _, line := range strings.Split(s.state(), "\n") {
		if strings.Contains(line, ":0.2.0 ") || strings.Contains(line, ":v0.2.0 ") || strings.Contains(line, "draft=false") {
			public++
		}
	}
	if public > 0 && !strings.Contains(s.t.Name(), "published_with_other_bytes") || public > 1 {
		s.t.Errorf("public:\n%s", s.state())
	}
	if n := len(s.Dispatches("example/consumer")); n > 0 {
		s.t.Errorf("%d dispatches", n)
	}
}

// Charts alone, of a tag whose images are published: the same stages.
func TestPublish(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.place("ghcr.io/example/tiny", "0.2.0", nil)
	rep, err := s.train("0.2.0").Publish(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	if len(rep.Artifacts) != 2 || !mentions(rep, "ghcr.io/example/charts/edge-chart:v0.2.0") {
		t.Errorf("published %+v", rep.Artifacts)
	}
	if len(s.releases()) > 0 {
		t.Error("made a release")
	}
	s.withhold("ghcr.io", "example/charts/edge-chart", "v0.2.0")
	s.withhold("ghcr.io", "example/tiny", "0.2.0")
	if _, err := s.train("0.2.0").Publish(context.Background()); failedStep(err) != "stage" || !strings.Contains(err.Error(), "ghcr.io/example/tiny:0.2.0") {
		t.Errorf("without the image that a chart runs: %v", err)
	}
}
