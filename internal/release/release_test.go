package release_test

import (
	"context"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/kubestellar/actions/internal/chart"
	"github.com/kubestellar/actions/internal/decide"
	"github.com/kubestellar/actions/internal/oci"
	"github.com/kubestellar/actions/internal/outcome"
	"github.com/kubestellar/actions/internal/rehearsal/forge"
	"github.com/kubestellar/actions/internal/report"
	"github.com/kubestellar/actions/test/networktest"
	"github.com/kubestellar/actions/test/testkit"
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
	for _, name := range []string{
		"ghcr.io/example/tiny:0.2.0", "ghcr.io/example/charts/zeta-chart:0.2.0", "ghcr.io/example/charts/edge-chart:v0.2.0", "release asset hook.yaml",
	} {
		if !mentions(rep, name) {
			t.Errorf("the report lacks %s", name)
		}
	}
	before := s.state()
	if !strings.Contains(before, "release v0.2.0 draft=false") || !strings.Contains(before, "1 dispatches") {
		t.Fatalf("after the release:\n%s", before)
	}
	if !strings.Contains(before, "kubestellar/actions/base:base-") || strings.Contains(before, ":sha256-") {
		t.Errorf("tags of the form for referrers:\n%s", before)
	}
	if _, err := s.release("0.2.0"); err != nil {
		t.Fatalf("the second run: %v", err)
	}
	if after := s.state(); after != before {
		t.Errorf("the second run changed something:\n%s\nwas:\n%s", after, before)
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

// Each case breaks one thing. The release must stop at the step that can find it, report
// it, and leave nothing under a final name.
func TestReleaseStops(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		wrong      func(*stage)
		step, text string
		code       outcome.Code
	}{
		"the lock-step image is missing": {func(s *stage) { s.withhold("quay.io", "example/engine", "0.2.0") },
			"preflight", "image quay.io/example/engine:0.2.0, named at delivery.yaml (lock step with tiny), which does not exist", outcome.Wrong},
		"the lock-step image is of another commit": {func(s *stage) { s.moveTag("example/engine", needed) },
			"preflight", "its image was built from something else", outcome.Wrong},
		"the lock-step repository has no tag": {func(s *stage) {
			s.Git(s.Forge.RepositoryDir("example/engine"), "update-ref", "-d", "refs/tags/"+needed)
		},
			"preflight", "git tag v0.2.0 of example/engine: example/engine has no such tag", outcome.Wrong},
		"a referenced image is missing": {func(s *stage) { s.withhold("quay.io", "example/tool", "v1.4.0") },
			"preflight", "image quay.io/example/tool:v1.4.0, which does not exist", outcome.Wrong},
		"a self-reference": {func(s *stage) { s.change("hooks/hook.yaml", "0.0.0-unstamped", "0.1.0") },
			"preflight", "(self-reference)", outcome.Wrong},
		"no right to push to a registry": {func(s *stage) { s.Registry("ghcr.io").DenyPush("example/charts") },
			"preflight", "no right to push to ghcr.io/example/charts/zeta-chart", outcome.Unchecked},
		"a chart that says latest": {func(s *stage) {
			s.change("app-chart/templates/deployment.yaml", "tiny:{{ .Chart.AppVersion }}", "tiny:latest")
		},
			"preflight", "app-chart/templates/deployment.yaml:11:37: saw tiny at latest, want a version", outcome.Wrong},
		"a chart that renders to latest": {func(s *stage) {
			s.change("app-chart/templates/deployment.yaml", "tiny:{{ .Chart.AppVersion }}", `tiny:{{ "latest" }}`)
		},
			"stamp", "saw image ghcr.io/example/tiny:latest in the rendering of app-chart, want a version, not latest", outcome.Wrong},
		"a chart with a v too many": {func(s *stage) { s.change("app-chart/templates/deployment.yaml", "engine:{{", "engine:v{{") },
			"stamp", "quay.io/example/engine:v0.2.0", outcome.Wrong},
		"charts that need each other": {func(s *stage) {
			args := `        args: ["oci://ghcr.io/example/charts/edge-chart", "--version", "v{{ .Chart.AppVersion }}"]`
			s.change("app-chart/templates/deployment.yaml", "      - name: engine", args+"\n      - name: engine")
		}, "stamp", "none can be published first", outcome.Unchecked},
		"source that does not compile": {func(s *stage) { s.change("main.go", "println", "printin") },
			"build", "undefined: printin", outcome.Wrong},
		"an image without its commit": {func(s *stage) { s.change(".goreleaser.yaml", "revision: \"{{ .FullCommit }}\"", "revision: unknown") },
			"check", `label org.opencontainers.image.revision of linux/amd64 is "unknown", want "`, outcome.Wrong},
		"a declared image and no goreleaser configuration": {func(s *stage) {
			s.Git(s.clone.Dir, "rm", "--quiet", ".goreleaser.yaml")
			s.change("main.go", "tiny\")", "tiny \")")
		}, "preflight", "declares the image ghcr.io/example/tiny, but goreleaser does not build it", outcome.Usage},
		"an image without a declared platform": {func(s *stage) { s.change("delivery.yaml", "[linux/amd64]", "[linux/amd64, linux/s390x]") },
			"check", "linux/s390x is missing; it has linux/amd64", outcome.Wrong},
		"a private package": {func(s *stage) { s.Registry("ghcr.io").SetPrivate("example/charts/edge-chart", true) },
			"preflight", "saw package ghcr.io/example/charts/edge-chart, which is private, want a public package; " +
				"an administrator of the package must make it public, in " +
				"https://github.com/orgs/example/packages/container/charts%2Fedge-chart/settings", outcome.Wrong},
		"a package that does not exist yet": {func(s *stage) { s.change("delivery.yaml", "charts/edge-chart,", "charts/fresh-chart,") },
			"preflight", "saw no package ghcr.io/example/charts/fresh-chart yet, and a new one will be private, want", outcome.Wrong},
		"a package at quay.io that does not exist yet": {func(s *stage) {
			s.change("delivery.yaml", "ghcr.io/example/charts/edge-chart,", "quay.io/example/fresh-chart,")
		}, "preflight", "make it public, in https://quay.io/repository/example/fresh-chart?tab=settings", outcome.Wrong},
		"a package that cannot be queried": {func(s *stage) {
			s.Intercept(func(r networktest.Request) networktest.Fault {
				if r.Path == "/v2/example/charts/edge-chart/tags/list" {
					return networktest.Fault{Status: 500}
				}
				return networktest.Fault{}
			})
		}, "preflight", "looking for ghcr.io/example/charts/edge-chart: could not ask: ", outcome.Unchecked},
		"an image that is not built": {func(s *stage) {
			s.PushImage("ghcr.io/example/tinier", "0.1.0", nil)
			s.change("delivery.yaml", "at: ghcr.io/example/tiny,", "at: ghcr.io/example/tinier,")
		},
			"preflight", "goreleaser builds the image ghcr.io/example/tiny, which delivery.yaml does not declare", outcome.Usage},
		"a base image that is not there": {func(s *stage) {
			base, err := oci.BaseImage()
			s.Must(err)
			digest, err := base.Digest()
			s.Must(err)
			s.change(".goreleaser.yaml", digest.Hex, strings.Repeat("0", len(digest.Hex)))
		},
			"preflight", "base_image", outcome.Wrong},
		"a base image without a digest": {func(s *stage) { s.change(".goreleaser.yaml", "base@sha256:", "base:") },
			"preflight", "is not named by digest", outcome.Usage},
		"no right to push the base image": {func(s *stage) { s.Registry("ghcr.io").DenyPush("kubestellar/actions/base") },
			"preflight", "no right to push to ghcr.io/kubestellar/actions/base", outcome.Unchecked},
		"an image that is pushed as latest, too": {func(s *stage) {
			s.change(".goreleaser.yaml", `tags: ["staging-{{ .Env.STAGE }}"]`, `tags: ["staging-{{ .Env.STAGE }}", latest]`)
		}, "preflight", `kos[0] pushes the tags staging-{{ .Env.STAGE }}, latest, want only the staging tag`, outcome.Usage},
		"an image that is pushed by no tag of its own": {func(s *stage) {
			s.change(".goreleaser.yaml", `    tags: ["staging-{{ .Env.STAGE }}"]
`, "")
		}, "preflight", "kos[0] pushes the tags latest, want only the staging tag, " +
			`which is promoted once everything is checked: write tags: ["staging-{{ .Env.STAGE }}"]`, outcome.Usage},
		"an image that is pushed by its final name": {func(s *stage) {
			s.change(".goreleaser.yaml", `"staging-{{ .Env.STAGE }}"`, `"{{ .Version }}"`)
		}, "preflight", `kos[0] pushes the tags {{ .Version }}, want`, outcome.Usage},
		"an image of docker's by its final name": {func(s *stage) {
			s.change(".goreleaser.yaml", "changelog:", `dockers: [{image_templates: ["ghcr.io/example/tiny:{{ .Version }}"]}]
changelog:`)
		}, "preflight", `dockers[0] pushes the tag {{ .Version }}, want the staging tag`, outcome.Usage},
		"a release that goreleaser publishes": {func(s *stage) { s.change(".goreleaser.yaml", "  draft: true\n", "") },
			"preflight", "release.draft is not true", outcome.Usage},
		"SBOMs by a command that is not there": {func(s *stage) {
			s.change(".goreleaser.yaml", "changelog:", "sboms: [{cmd: no-such-command}]\nchangelog:")
		},
			"preflight", "no command no-such-command found on PATH", outcome.Usage},
		"a stand-in where none is accepted": {func(s *stage) {
			s.withhold("quay.io", "example/tool", "v1.4.0")
			s.PushImage("quay.io/example/tool", "v1.4.0", map[string]string{oci.KeyStandIn: "by a test"})
		}, "preflight", "which is a stand-in: by a test, want the real artifact", outcome.Wrong},
		"a chart published with other bytes": {func(s *stage) { s.PushImage("ghcr.io/example/charts/zeta-chart", "0.2.0", nil) },
			"check", "is published already with other bytes: it is sha256:", outcome.Wrong},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStage(t)
			test.wrong(s)
			before := len(s.Requests())
			rep, err := s.release("0.2.0")
			if failedStep(err) != test.step || !strings.Contains(err.Error(), test.text) || outcome.Of(err) != test.code {
				t.Fatalf("stopped at %q with code %d, want %q with %d and the text %q:\n%v",
					failedStep(err), outcome.Of(err), test.step, test.code, test.text, err)
			}
			if rep.Failed != test.step {
				t.Errorf("in the report, %q failed, want %q", rep.Failed, test.step)
			}
			s.nothingPublic()
			if test.step == "preflight" || test.step == "stamp" {
				s.nothingPushed(before)
			}
		})
	}
}

// nothingPushed checks that no manifest, tag or release was written by the requests from
// before on.
func (s *stage) nothingPushed(before int) {
	s.T.Helper()
	for _, r := range s.Requests()[before:] {
		// The check of the right to push begins an upload, and cancels it.
		asks := strings.Contains(r.Path, "/blobs/uploads/") && (r.Method == http.MethodPost || r.Method == http.MethodDelete)
		if r.Effect && !asks {
			s.T.Errorf("%s %s%s, although the preflight failed", r.Method, r.Host, r.Path)
		}
	}
}

// withhold deletes an image from its registry.
func (s *stage) withhold(host, repository, tag string) {
	s.T.Helper()
	s.Must(s.Registry(host).DeleteManifest(repository, tag))
}

// moveTag moves a tag to another commit, which is never allowed.
func (s *stage) moveTag(repository, tag string) {
	s.T.Helper()
	dir := s.Forge.RepositoryDir(repository)
	other := s.Git(dir, "commit-tree", "-m", "another", testkit.EmptyTree)
	s.Git(dir, "update-ref", "refs/tags/"+tag, other)
}

// nothingPublic checks that no final name is visible, except the one that a case created.
func (s *stage) nothingPublic() {
	s.T.Helper()
	public := 0
	for _, line := range strings.Split(s.state(), "\n") {
		if strings.Contains(line, ":0.2.0 ") || strings.Contains(line, ":v0.2.0 ") || strings.Contains(line, "draft=false") {
			public++
		}
	}
	if public > 0 && !strings.Contains(s.T.Name(), "published_with_other_bytes") || public > 1 {
		s.T.Errorf("public:\n%s", s.state())
	}
	if n := len(s.Forge.Dispatches("example/consumer")); n > 0 {
		s.T.Errorf("%d dispatches", n)
	}
}

// A clone of a fork releases the declared repository, not its origin.
func TestReleaseFromAForksClone(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.Must(s.Forge.CreateRepository("somebody/tiny", forge.Repository{}))
	s.Git(s.clone.Dir, "remote", "set-url", "origin", "https://github.com/somebody/tiny")
	s.Git(s.clone.Dir, "config", "push.followTags", "true")
	s.Git(s.clone.Dir, "tag", "--annotate", "--message", "mine", "v77.0.0")
	if _, err := s.release("0.2.0"); err != nil {
		t.Fatal(err)
	}
	if got, want := s.Git(s.Forge.RepositoryDir(owned), "rev-parse", "v0.2.0^{commit}"), s.Git(s.clone.Dir, "rev-parse", "HEAD"); got != want {
		t.Errorf("the tag is on %s, want %s", got, want)
	}
	if tags := s.Git(s.Forge.RepositoryDir(owned), "tag", "--list"); tags != "v0.2.0" {
		t.Errorf("tags %q, want only v0.2.0", tags)
	}
	if tags := s.Git(s.Forge.RepositoryDir("somebody/tiny"), "tag", "--list"); tags != "" {
		t.Errorf("the fork got the tags %q", tags)
	}
}

// A chart does not contain files that git ignores.
func TestReleaseHoldsOnlyWhatIsCommitted(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.Must(os.WriteFile(filepath.Join(s.clone.Dir, ".git", "info", "exclude"), []byte("*.local\n"), 0o644))
	s.Must(os.WriteFile(filepath.Join(s.clone.Dir, "app-chart", "secret.local"), []byte("secret"), 0o644))
	if _, err := s.release("0.2.0"); err != nil {
		t.Fatal(err)
	}
	archive, err := s.OCI().ChartArchive(context.Background(), "ghcr.io/example/charts/zeta-chart", "0.2.0")
	s.Must(err)
	c, err := chart.LoadArchive("zeta-chart", archive)
	s.Must(err)
	for _, f := range c.Files() {
		if strings.Contains(f.Name, "local") {
			t.Errorf("%s was published", f.Name)
		}
	}
}

// A private package is not proven, because it cannot be queried without credentials.
func TestReleaseOfAPrivatePackage(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.Registry("ghcr.io").SetPrivate("example/charts/edge-chart", true)
	releaser := s.releaser("0.2.0")
	releaser.AllowPrivate = true
	rep, err := releaser.Release(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range rep.Artifacts {
		if private := strings.Contains(a.Name, "edge-chart"); private != (a.State == report.Unchecked) {
			t.Errorf("%s: %s: %s", a.Name, a.State, a.How)
		}
	}
	listed := slices.ContainsFunc(rep.Unchecked, func(u decide.Unchecked) bool { return u.What == "ghcr.io/example/charts/edge-chart:v0.2.0" })
	if !listed || rep.OnlyStandIns() {
		t.Errorf("open: %+v", rep.Unchecked)
	}
}

// Publish releases only charts, for a tag whose images are published.
func TestPublish(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	head := s.Git(s.clone.Dir, "rev-parse", "HEAD")
	_, err := s.releaser("0.2.0").Publish(context.Background())
	if failedStep(err) != "preflight" || !strings.Contains(err.Error(), "has no tag v0.2.0: charts are published from a tag, so push it first") {
		t.Errorf("without the tag: %v", err)
	}
	s.Git(s.clone.Dir, "tag", "v0.2.0")
	s.Git(s.clone.Dir, "push", "--quiet", "origin", "v0.2.0")
	s.PushImage("ghcr.io/example/tiny", "0.2.0", map[string]string{oci.KeyRevision: "another"})
	_, err = s.releaser("0.2.0").Publish(context.Background())
	if failedStep(err) != "stage" || !strings.Contains(err.Error(), `ghcr.io/example/tiny:0.2.0 with revision "another", want revision `+head) {
		t.Errorf("with an image of another commit: %v", err)
	}
	s.withhold("ghcr.io", "example/tiny", "0.2.0")
	s.PushImage("ghcr.io/example/tiny", "0.2.0", map[string]string{oci.KeyRevision: head})
	brief := s.releaser("0.2.0")
	brief.Lookup.Brief = true // as the command does; its answers lack an image's labels
	rep, err := brief.Publish(context.Background())
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
	if _, err := s.releaser("0.2.0").Publish(context.Background()); failedStep(err) != "stage" || !strings.Contains(err.Error(), "ghcr.io/example/tiny:0.2.0") {
		t.Errorf("without the image that a chart runs: %v", err)
	}
}
