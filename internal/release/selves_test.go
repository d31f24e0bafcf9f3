package release_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/kubestellar/actions/internal/git"
	"github.com/kubestellar/actions/internal/oci"
	"github.com/kubestellar/actions/internal/rehearsal/forge"
	"github.com/kubestellar/actions/internal/rehearsal/network"
	"github.com/kubestellar/actions/internal/report"
	"github.com/kubestellar/actions/test/testkit"
)

// newPair returns a stage with a repository that releases web from a folder, and whose default branch is trunk.
func newPair(t *testing.T, declared string) *stage {
	t.Helper()
	n := testkit.Start(t, network.Options{})
	s := &stage{n, git.Repo{Dir: filepath.Join(n.Dir, "clone"), Env: append(n.Env(), testkit.GoEnv(t)...)}}
	s.Must(s.Forge.CreateRepository("example/pair", forge.Repository{Branch: "trunk"}))
	s.Git(s.Dir, "clone", "--quiet", "https://github.com/example/pair", s.clone.Dir)
	base, err := oci.BaseImage()
	s.Must(err)
	digest, err := base.Digest()
	s.Must(err)
	config, err := os.ReadFile("testdata/tiny/.goreleaser.yaml")
	s.Must(err)
	files := map[string]string{"delivery.yaml": declared}
	for name, folder := range map[string]string{"web": "web/", "api": ""} {
		text := strings.NewReplacer("@BASE", "@"+digest.String(), "name: tiny", "name: pair", "example/tiny", "example/"+name, "tiny", name,
			"source: https://github.com/example/tiny", "source: https://github.com/example/pair",
			"{ disable: true }", "{ use: git }", `"-s -w"`, `"-X main.commit={{ .FullCommit }}"`).Replace(string(config))
		files[folder+".goreleaser.yaml"] = text
		files[folder+"go.mod"] = "module example.com/" + name + "\n\ngo 1.26.0\n"
		files[folder+"main.go"] = "package main\n\nvar commit string\n\nfunc main() { println(\"" + name + "\", commit) }\n"
		files[folder+"chart/Chart.yaml"] = "apiVersion: v2\nname: " + name + "\nversion: 0.0.0-unstamped\nappVersion: 0.0.0-unstamped\n"
		files[folder+"chart/templates/pod.yaml"] = "apiVersion: v1\nkind: Pod\nmetadata: {name: " + name + "}\n" +
			"spec: {containers: [{name: a, image: \"ghcr.io/example/" + name + ":{{ .Chart.AppVersion }}\"}]}\n"
		s.PushImage("ghcr.io/example/"+name, "0.0.1", nil)
		s.PushImage("ghcr.io/example/charts/"+name, "0.0.1", nil)
	}
	for name, text := range files {
		testkit.Write(s.T, filepath.Join(s.clone.Dir, name), text)
	}
	s.push("Begin")
	return s
}

// push commits the clone and pushes it to trunk.
func (s *stage) push(message string) {
	s.T.Helper()
	s.Git(s.clone.Dir, "add", ".")
	s.commit(s.clone.Dir, message)
	s.Git(s.clone.Dir, "push", "--quiet", "origin", "HEAD:trunk")
}

const prefixed = `version: 1
self: web
components:
  web:
    repository: example/pair
    tag: web/v{version}
    folder: web
    artifacts:
      image: {kind: image, at: ghcr.io/example/web}
      chart: {kind: chart, at: ghcr.io/example/charts/web, source: web/chart, runs: [image]}
`

// goreleaser takes no tag with a prefix, and the repository has other components' tags.
func TestReleaseOfATagWithAPrefix(t *testing.T) {
	t.Parallel()
	s := newPair(t, prefixed)
	s.Git(s.clone.Dir, "tag", "v0.9.0") // another component's
	for _, version := range []string{"0.1.0", "0.2.0"} {
		rep, err := s.release(version)
		if err != nil {
			t.Fatal(err)
		}
		for _, a := range rep.Artifacts {
			if a.State != report.Proven {
				t.Errorf("%s: %s: %s", a.Name, a.State, a.How)
			}
		}
		if !mentions(rep, "ghcr.io/example/web:"+version) || !mentions(rep, "release asset web_"+version+"_linux_amd64.tar.gz") {
			t.Errorf("the report lacks an artifact: %+v", rep.Artifacts)
		}
		testkit.Write(t, filepath.Join(s.clone.Dir, "web", "news"), version)
		s.push("Change something after " + version)
	}
	if tags := s.Git(s.Forge.RepositoryDir("example/pair"), "tag", "--list"); tags != "web/v0.1.0\nweb/v0.2.0" {
		t.Errorf("tags %q", tags)
	}
	if tags := s.Git(s.clone.Dir, "tag", "--list"); tags != "v0.9.0\nweb/v0.1.0\nweb/v0.2.0" {
		t.Errorf("tags of the clone %q", tags)
	}
	release, err := s.GitHub(s.Token()).Release(t.Context(), "example/pair", "web/v0.2.0")
	if err != nil || release == nil {
		t.Fatal(err)
	}
	if !strings.Contains(release.Notes, "Change something after 0.1.0") || strings.Contains(release.Notes, "Begin") {
		t.Errorf("notes %q", release.Notes)
	}
}

const pair = `version: 1
self: [api, web]
components:
  api:
    repository: example/pair
    artifacts:
      image: {kind: image, at: ghcr.io/example/api}
      chart: {kind: chart, at: ghcr.io/example/charts/api, source: chart, runs: [image]}
  web:
    repository: example/pair
    tag: web/v{version}
    folder: web
    artifacts:
      image: {kind: image, at: ghcr.io/example/web}
      chart: {kind: chart, at: ghcr.io/example/charts/web, source: web/chart, runs: [image, api/image]}
`

// Two components are released from one repository, and the chart of one runs an older release of the other one.
func TestReleaseOfTwoComponents(t *testing.T) {
	t.Parallel()
	w := &whole{stage: newPair(t, pair), temp: t.TempDir()}
	run := func(want string, args ...string) {
		t.Helper()
		w.output.Reset()
		if err := w.process(w.clone.Dir, args...); err != nil {
			t.Error(err)
		}
		if !strings.Contains(w.output.String(), want) {
			t.Errorf("%v: want %q in\n%s", args, want, w.output.String())
		}
	}
	run("made v0.1.0", "tag", "0.1.0")
	run("ghcr.io/example/charts/api:0.1.0 ", "release", "v0.1.0")
	testkit.Edit(t, filepath.Join(w.clone.Dir, "web/chart/templates/pod.yaml"), "{containers: [",
		"{containers: [{name: b, image: \"ghcr.io/example/api:0.1.0\"}, ")
	w.push("Run the api")
	run("0 findings", "verify")
	run("made web/v0.1.0", "tag", "web/v0.1.0")
	run("ghcr.io/example/charts/web:0.1.0 ", "release", "web/v0.1.0")
	testkit.Write(t, filepath.Join(w.clone.Dir, "news"), "news")
	w.push("Add news")
	run("ghcr.io/example/api:0.2.0 ", "release", "0.2.0")
	run("0 findings", "verify")
	run("web/chart/templates/pod.yaml", "bump", "api", "v0.2.0", "--dry-run")
	run("0 refuted, 0 could not", "prove", "web/v0.1.0", "--rebuild")
	run("0 refuted, 0 could not", "prove", "api", "0.1.0")
	run("web-0.3.0.tgz", "stamp", "web/v0.3.0", "--out", filepath.Join(w.temp, "stamped"))
	err := w.process(w.clone.Dir, "release", "web/0.3.0")
	if err == nil || !strings.Contains(err.Error(), "write one of v{version} for api, web/v{version} for web") {
		t.Errorf("a version of no component: %v", err)
	}
}
