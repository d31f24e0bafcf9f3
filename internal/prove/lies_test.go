package prove_test

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"

	"github.com/kubestellar/actions/internal/chart"
	"github.com/kubestellar/actions/internal/oci"
	"github.com/kubestellar/actions/internal/outcome"
	"github.com/kubestellar/actions/internal/ref"
	"github.com/kubestellar/actions/internal/report"
	"github.com/kubestellar/actions/test/testkit"
)

// lie alters one published thing. Exactly the rule that it breaks, for one subject, must be
// refuted, with the reason.
type lie struct {
	tell                func(*testing.T, *stage)
	rule, subject, says string
}

const (
	theTag    = "git tag v0.2.0 of example/app"
	theImage  = "image " + appImage + ":0.2.0"
	theEngine = "image " + engineImage + ":0.2.0"
	theAgent  = "chart " + agentChart + ":0.2.0"
	theCore   = "chart " + coreChart + ":v0.2.0"
	theTar    = "app_0.2.0_linux_amd64.tar.gz"
	theZip    = "app_0.2.0_linux_amd64.zip"
	another   = "0123456789012345678901234567890123456789" // a commit that does not exist
)

// tellLies tells one lie after the other about the release.
func tellLies(t *testing.T, s *stage) {
	for _, lies := range []map[string]lie{liesOfGit, liesOfImages, liesOfCharts, liesOfAssets} {
		for _, name := range slices.Sorted(maps.Keys(lies)) {
			t.Run(name, func(t *testing.T) {
				lies[name].tell(t, s)
				exposed(t, look(t, s.owner(t)), lies[name])
			})
		}
		wholly(t, s.prove(t)) // a lie that stayed would break the next one
	}
}

// exposed fails unless exactly the lie's rule is refuted. The other claims are proven, or name what
// they depend on.
func exposed(t *testing.T, proof *report.Proof, l lie) {
	t.Helper()
	found := false
	for _, a := range proof.Associations {
		expected := a.Rule == l.rule && a.Subject == l.subject
		found = found || expected && a.State == report.Refuted
		if expected != (a.State == report.Refuted) || a.State == report.Unchecked && a.RestsOn == "" {
			t.Errorf("%s", line(a))
		}
		if expected && !strings.Contains(a.Evidence, l.says) {
			t.Errorf("evidence %q, want %q in it", a.Evidence, l.says)
		}
	}
	if !found {
		t.Errorf("%s of %s is not refuted", l.rule, l.subject)
	}
	harmless(t, proof)
	if code := outcome.Of(proof.Err(report.RefuseStandIns)); code != outcome.Wrong {
		t.Errorf("it ends with code %d, want %d", code, outcome.Wrong)
	}
}

// harmless fails if published text could act as a command for a workflow's runner, or as markup.
func harmless(t *testing.T, proof *report.Proof) {
	t.Helper()
	var table strings.Builder
	proof.Table(&table)
	for text := range strings.Lines(table.String()) {
		if strings.HasPrefix(strings.TrimSpace(text), "::") {
			t.Errorf("the table holds a command: %q", text)
		}
	}
	if strings.Contains(proof.Markdown(), "<b>") {
		t.Error("the summary holds markup")
	}
}

var liesOfGit = map[string]lie{
	"the git tag moved to a later commit": {func(t *testing.T, s *stage) { s.moveTag(t, owned, "v0.2.0", s.other) },
		"git-tag", theTag, "the tag has moved"},
	"the git tag moved to a commit of nothing": {func(t *testing.T, s *stage) {
		s.moveTag(t, owned, "v0.2.0", s.git(t, s.Forge.RepositoryDir(owned), "commit-tree", "-m", "Nothing", testkit.EmptyTree))
	}, "git-tag", theTag, "the tag has moved"},
	"the git tag deleted": {func(t *testing.T, s *stage) { s.moveTag(t, owned, "v0.2.0", "") },
		"git-tag", theTag, "example/app has no such tag"},
	"the lock-step git tag moved": {func(t *testing.T, s *stage) {
		s.moveTag(t, "example/engine", "v0.2.0", s.git(t, s.Forge.RepositoryDir("example/engine"), "commit-tree", "-m", "Another", testkit.EmptyTree))
	}, "git-tag", "git tag v0.2.0 of example/engine", "the tag has moved"},
	"the lock-step git tag deleted": {func(t *testing.T, s *stage) { s.moveTag(t, "example/engine", "v0.2.0", "") },
		"git-tag", "git tag v0.2.0 of example/engine", "example/engine has no such tag"},
}

// onArm alters the image of a single platform.
func onArm(t *testing.T, s *stage, alter func(image v1.Image) v1.Image) {
	t.Helper()
	s.replatform(t, func(platform string, image v1.Image) v1.Image {
		if platform == "arm64" {
			return alter(image)
		}
		return image
	})
}

var liesOfImages = map[string]lie{
	"an image of another commit": {func(t *testing.T, s *stage) { s.relabelAll(t, oci.KeyRevision, another) },
		"image-revision", theImage, `of linux/amd64 is "` + another + `", want "`},
	"an image of another commit, for one platform": {func(t *testing.T, s *stage) {
		onArm(t, s, func(image v1.Image) v1.Image { return relabel(t, image, oci.KeyRevision, another) })
	}, "image-revision", theImage, `of linux/arm64 is "` + another + `", want "`},
	"an index of another commit": {func(t *testing.T, s *stage) {
		same := func(_ string, image v1.Image) v1.Image { return image }
		s.reindex(t, same, func(index v1.ImageIndex) v1.ImageIndex {
			return mutate.Annotations(index, map[string]string{oci.KeyRevision: another}).(v1.ImageIndex)
		})
	}, "image-revision", theImage, `annotation org.opencontainers.image.revision is "` + another},
	"an image without labels": {func(t *testing.T, s *stage) {
		s.replatform(t, func(_ string, image v1.Image) v1.Image {
			for _, key := range []string{oci.KeyRevision, oci.KeyVersion, oci.KeySource} {
				image = relabel(t, image, key, "")
			}
			return image
		})
	}, "image-revision", theImage, `is "", want "`},
	"an image that names another version": {func(t *testing.T, s *stage) { s.relabelAll(t, oci.KeyVersion, before) },
		"image-version", theImage, `is "0.1.0", want "0.2.0"`},
	"an image whose version has a v too many": {func(t *testing.T, s *stage) { s.relabelAll(t, oci.KeyVersion, "v0.2.0") },
		"image-version", theImage, `is "v0.2.0", want "0.2.0"`},
	"an image of another repository": {func(t *testing.T, s *stage) { s.relabelAll(t, oci.KeySource, "https://github.com/somebody/app") },
		"image-source", theImage, `is "https://github.com/somebody/app", want "https://github.com/example/app"`},
	"an image without one platform": {func(t *testing.T, s *stage) {
		onArm(t, s, func(v1.Image) v1.Image { return nil })
	}, "image-platforms", theImage, "linux/arm64 is missing; it has linux/amd64"},
	"an image of one platform twice": {func(t *testing.T, s *stage) {
		var amd v1.Image
		s.replatform(t, func(platform string, image v1.Image) v1.Image {
			if platform == "amd64" {
				amd = image
			}
			return amd
		})
	}, "image-platforms", theImage, "the manifest for linux/arm64 is an image for linux/amd64"},
	"an image under a tag with a v": {func(t *testing.T, s *stage) { s.misname(t, appImage, "0.2.0", "v0.2.0") },
		"image-exists", theImage, "ghcr.io/example/app:0.2.0 is not there, but v0.2.0 is: the declared tag is 0.2.0"},
	"no image": {func(t *testing.T, s *stage) { s.untag(t, appImage, "0.2.0") },
		"image-exists", theImage, "not found in the registry"},
	"an image whose program names another version": {func(t *testing.T, s *stage) {
		program := s.program(t, linked{s.commit, appImage + ":" + before, "none"})
		s.replatform(t, func(_ string, image v1.Image) v1.Image { return refill(t, image, program) })
	}, "image-embeds", theImage, `ko-app/app of linux/amd64: it holds "ghcr.io/example/app:0.1.0", want "ghcr.io/example/app:0.2.0"`},
	"an image whose program names a prerelease": {func(t *testing.T, s *stage) {
		program := s.program(t, linked{s.commit, appImage + ":0.2.0-rc1", "none"})
		onArm(t, s, func(image v1.Image) v1.Image { return refill(t, image, program) })
	}, "image-embeds", theImage, `of linux/arm64: it holds "ghcr.io/example/app:0.2.0-rc1"`},
	"an image whose program names none": {func(t *testing.T, s *stage) {
		onArm(t, s, func(image v1.Image) v1.Image { return refill(t, image, []byte("no program at all")) })
	}, "image-embeds", theImage, `no file of linux/arm64 holds "ghcr.io/example/app:0.2.0"`},
	"an image with right labels on other content": {func(t *testing.T, s *stage) {
		l := s.right()
		l.secret = "backdoor"
		program := s.program(t, l)
		s.replatform(t, func(_ string, image v1.Image) v1.Image { return refill(t, image, program) })
	}, "rebuild", theImage, "the commit builds " + "sha256:"},
	"an index of nothing": {func(t *testing.T, s *stage) {
		s.replatform(t, func(string, v1.Image) v1.Image { return nil })
	}, "image-exists", theImage, "what is there is no image: it is for no platform"},
	"an image without its SBOM": {func(t *testing.T, s *stage) { s.untag(t, appImage, sbomTag(s.get(t, appImage, version).Digest)) },
		"image-sbom", theImage, ".sbom: not found in the registry"},
	"an image with another's SBOM": {func(t *testing.T, s *stage) {
		s.attachSBOM(t, appImage, s.get(t, appImage, version).Digest, "of another")
	}, "image-sbom", theImage, "is attached as its SBOM, and does not name it"},
	"a lock-step image of another commit": {func(t *testing.T, s *stage) {
		s.write(t, engineImage, version, relabelled(t, s, oci.KeyRevision, another))
	}, "image-revision", theEngine, `is "` + another},
	"a lock-step image of another version": {func(t *testing.T, s *stage) {
		s.write(t, engineImage, version, relabelled(t, s, oci.KeyVersion, before))
	}, "image-version", theEngine, `is "0.1.0", want "0.2.0"`},
	"no lock-step image": {func(t *testing.T, s *stage) { s.untag(t, engineImage, version) },
		"image-exists", theEngine, "not found in the registry"},
}

// relabelled returns the lock-step image with another label.
func relabelled(t *testing.T, s *stage, key, value string) v1.Image {
	t.Helper()
	image, err := s.get(t, engineImage, version).Image()
	testkit.Must(t, err)
	return relabel(t, image, key, value)
}

// rewrite returns a lie about one file of a chart.
func rewrite(at, tag, name, old, replacement string) func(*testing.T, *stage) {
	return func(t *testing.T, s *stage) {
		t.Helper()
		s.pushChart(t, at, tag, func(files fstest.MapFS) { replaceIn(t, files, name, old, replacement) })
	}
}

var liesOfCharts = map[string]lie{
	"a chart with another version in it": {rewrite(agentChart, version, "Chart.yaml", "\nversion: 0.2.0", "\nversion: 0.1.0"),
		"chart-version", theAgent, `version "0.1.0", appVersion "0.2.0", want agent-chart, "0.2.0" and "0.2.0"`},
	"a chart with another appVersion in it": {rewrite(agentChart, version, "Chart.yaml", `appVersion: "0.2.0"`, `appVersion: "0.1.0"`),
		"chart-version", theAgent, `version "0.2.0", appVersion "0.1.0"`},
	"a chart whose appVersion is there for nobody": {rewrite(agentChart, version, "Chart.yaml", `appVersion: "0.2.0"`, `appVersion: "0.3.0"`),
		"chart-version", theAgent, `appVersion "0.3.0"`},
	"a chart with a v too few in it": {rewrite(coreChart, "v0.2.0", "Chart.yaml", "\nversion: v0.2.0", "\nversion: 0.2.0"),
		"chart-version", theCore, `version "0.2.0", appVersion "v0.2.0", want core-chart, "v0.2.0"`},
	"a chart called otherwise": {rewrite(agentChart, version, "Chart.yaml", "name: agent-chart", "name: angel-chart"),
		"chart-version", theAgent, "it calls itself angel-chart"},
	"a placeholder left in a chart": {rewrite(agentChart, version, "Chart.yaml", `appVersion: "0.2.0"`, `appVersion: "`+ref.Placeholder+`"`),
		"chart-version", theAgent, `appVersion "` + ref.Placeholder + `"`},
	"a placeholder left in a template": {rewrite(agentChart, version, "templates/deployment.yaml", "app:{{ .Chart.AppVersion }}",
		"app:{{ .Chart.AppVersion }} # "+ref.Placeholder),
		"chart-renders", theAgent, "saw " + ref.Placeholder},
	"a template that renders to latest": {rewrite(agentChart, version, "templates/deployment.yaml", "sidecar:{{ . }}", "sidecar:latest"),
		"chart-renders", theAgent, "want a version, not latest"},
	"a chart that does not render": {rewrite(agentChart, version, "templates/deployment.yaml", "{{- end }}", ""),
		"chart-renders", theAgent, "unexpected EOF"},
	"a nested chart of another version": {rewrite(coreChart, "v0.2.0", "templates/agent.yaml", `{{ trimPrefix "v" .Chart.AppVersion | quote }}`, `"0.1.0"`),
		"chart-instantiates", theCore, "it names " + agentChart + " at 0.1.0"},
	"a nested chart with a v too many": {rewrite(coreChart, "v0.2.0", "templates/agent.yaml", `{{ trimPrefix "v" .Chart.AppVersion | quote }}`,
		`{{ .Chart.AppVersion }}`),
		"chart-instantiates", theCore, "it names " + agentChart + " at v0.2.0"},
	"a chart that instantiates no nested one": {rewrite(coreChart, "v0.2.0", "templates/agent.yaml", "oci://ghcr.io/example/charts/agent-chart, --version",
		"somewhere, --to"),
		"chart-instantiates", theCore, "no rendering names it"},
	"a chart that runs another version": {rewrite(agentChart, version, "templates/deployment.yaml", "engine:{{ .Chart.AppVersion }}", "engine:0.1.0"),
		"chart-instantiates", theAgent, "it names " + engineImage + " at 0.1.0"},
	"a chart that runs another version too": {rewrite(agentChart, version, "templates/deployment.yaml", "      - name: engine\n",
		"      - name: old\n        image: ghcr.io/example/app:0.1.0\n      - name: engine\n"),
		"chart-own", theAgent, "names app 0.1.0, want 0.2.0"},
	"a chart under a tag with a v": {func(t *testing.T, s *stage) { s.misname(t, agentChart, version, "v0.2.0") },
		"chart-exists", theAgent, "but v0.2.0 is: the declared tag is 0.2.0"},
	"a chart under a tag without its v": {func(t *testing.T, s *stage) { s.misname(t, coreChart, "v0.2.0", "0.2.0") },
		"chart-exists", theCore, "but 0.2.0 is: the declared tag is v0.2.0"},
	"no chart": {func(t *testing.T, s *stage) { s.untag(t, agentChart, version) },
		"chart-exists", theAgent, "not found in the registry"},
	"an image in the place of a chart": {func(t *testing.T, s *stage) {
		s.write(t, coreChart, "v0.2.0", empty.Image)
	}, "chart-exists", theCore, "want a Helm chart"},
	"nonsense in the place of a chart": {func(t *testing.T, s *stage) {
		image, err := oci.ChartImage([]byte("nonsense"), map[string]string{}, nil)
		testkit.Must(t, err)
		s.write(t, coreChart, "v0.2.0", image)
	}, "chart-exists", theCore, "loading the chart"},
	"no image that a nested chart runs": {func(t *testing.T, s *stage) { s.untag(t, "quay.io/third/addon", "2.0.0") },
		"chart-runs", theCore, "quay.io/third/addon:2.0.0"},
	"no image that a contained chart runs": {func(t *testing.T, s *stage) { s.untag(t, "quay.io/third/store", "1.5.0") },
		"chart-runs", theCore, "quay.io/third/store:1.5.0"},
	"no nested chart of others": {func(t *testing.T, s *stage) { s.untag(t, addonChart, "2.0.0") },
		"chart-runs", theCore, addonChart + ":2.0.0"},
	"no image that some values name": {func(t *testing.T, s *stage) { s.untag(t, "quay.io/third/sidecar", "2.1.0") },
		"chart-runs", theAgent, "quay.io/third/sidecar:2.1.0"},
	"a chart packaged at another time": {func(t *testing.T, s *stage) {
		s.write(t, agentChart, version, s.packagedAt(t, agentChart, version, time.Unix(0, 0)))
	}, "chart-bytes", theAgent, "of the same files"},
	"a chart said to be of another time": {func(t *testing.T, s *stage) {
		s.annotate(t, agentChart, version, oci.KeyCreated, "2020-01-01T00:00:00Z")
	}, "chart-bytes", theAgent, "of the same package"},
	"a chart said to be of another licence": {func(t *testing.T, s *stage) { s.annotate(t, agentChart, version, oci.KeyLicenses, "MIT") },
		"chart-bytes", theAgent, "of the same package"},
	"a chart of another commit": {func(t *testing.T, s *stage) { s.annotate(t, agentChart, version, oci.KeyRevision, another) },
		"chart-revision", theAgent, `annotation org.opencontainers.image.revision is "` + another + `", want "`},
	"a chart said to be of another version": {func(t *testing.T, s *stage) { s.annotate(t, agentChart, version, oci.KeyVersion, before) },
		"chart-revision", theAgent, `annotation org.opencontainers.image.version is "0.1.0", want "0.2.0"`},
	"a chart of another repository": {func(t *testing.T, s *stage) {
		s.annotate(t, coreChart, "v0.2.0", oci.KeySource, "https://github.com/somebody/app")
	}, "chart-revision", theCore, `is "https://github.com/somebody/app", want "https://github.com/example/app"`},
	"a file too many in a chart": {func(t *testing.T, s *stage) {
		s.pushChart(t, agentChart, version, func(files fstest.MapFS) { files["notes"] = &fstest.MapFile{Data: []byte("hello")} })
	}, "chart-files", theAgent, "notes is too many"},
	"a file in a chart whose name is a command": {func(t *testing.T, s *stage) {
		s.pushChart(t, agentChart, version, func(files fstest.MapFS) { files["notes\n::error::gotcha|<b>"] = &fstest.MapFile{Data: []byte("hello")} })
	}, "chart-files", theAgent, "gotcha|<b> is too many"},
	"a file too few in a chart": {func(t *testing.T, s *stage) {
		s.pushChart(t, agentChart, version, func(files fstest.MapFS) { delete(files, "README.md") })
	}, "chart-files", theAgent, "README.md is missing"},
	"another file in a chart": {rewrite(agentChart, version, "README.md", "agent", "devil"),
		"chart-files", theAgent, "README.md differs"},
	"another template in a chart": {rewrite(agentChart, version, "templates/deployment.yaml", "      - name: app\n",
		"      - name: app\n        securityContext: { privileged: true }\n"),
		"chart-files", theAgent, "templates/deployment.yaml differs"},
	"a contained chart with other files": {rewrite(coreChart, "v0.2.0", "charts/store/templates/pod.yaml", "name: main", "name: other"),
		"chart-dependency", theCore, "what it contains of " + storeChart + ":1.5.0 differs from the registry's: templates/pod.yaml differs"},
	"a contained chart left out": {func(t *testing.T, s *stage) {
		s.pushChart(t, coreChart, "v0.2.0", func(files fstest.MapFS) {
			maps.DeleteFunc(files, func(name string, _ *fstest.MapFile) bool { return strings.HasPrefix(name, "charts/") })
		})
	}, "chart-dependency", theCore, "Chart.yaml is missing"},
	"a contained chart of another version": {rewrite(coreChart, "v0.2.0", "Chart.yaml", "1.5.0", "1.4.0"),
		"chart-dependency", theCore, "the chart depends on version 1.4.0 of it"},
	"a contained chart from elsewhere": {rewrite(coreChart, "v0.2.0", "Chart.yaml", "oci://ghcr.io/third", "https://charts.example"),
		"chart-dependency", theCore, `from "https://charts.example/charts", want one from a registry`},
	"a contained chart too many": {func(t *testing.T, s *stage) {
		s.pushChart(t, coreChart, "v0.2.0", func(files fstest.MapFS) {
			files["charts/spare/Chart.yaml"] = &fstest.MapFile{Data: []byte("apiVersion: v2\nname: spare\nversion: 1.0.0\n")}
		})
	}, "chart-files", theCore, "charts/spare/Chart.yaml is too many"},
	"a contained chart that is another one now": {func(t *testing.T, s *stage) {
		s.pushChart(t, storeChart, "1.5.0", func(files fstest.MapFS) { replaceIn(t, files, "templates/pod.yaml", "name: main", "name: other") })
	}, "chart-dependency", theCore, " is recorded"},
}

// packagedAt returns a published chart's files in a package of another time.
func (s *stage) packagedAt(t *testing.T, at, tag string, when time.Time) v1.Image {
	t.Helper()
	archive, d, err := s.OCI().Chart(t.Context(), at, tag)
	testkit.Must(t, err)
	c, err := chart.LoadArchive(at, archive)
	testkit.Must(t, err)
	again, err := c.Package(when)
	testkit.Must(t, err)
	image, err := oci.ChartImage(again, c.Metadata(), d.Labels)
	testkit.Must(t, err)
	return image
}

var liesOfAssets = map[string]lie{
	"the release is a draft again": {func(t *testing.T, s *stage) {
		id := s.published(t).ID
		s.setDraft(t, id, true)
		t.Cleanup(func() { s.setDraft(t, id, false) })
	}, "release", "GitHub release v0.2.0 of example/app", "there is none that is public"},
	"another hook": {func(t *testing.T, s *stage) {
		s.attach(t, "hook.yaml", []byte(strings.ReplaceAll(string(s.readAsset(t, "hook.yaml")), "v0.2.0", "v0.1.0")))
	}, "asset-source", "release asset hook.yaml", "the tag makes sha256:"},
	"a hook that is not stamped": {func(t *testing.T, s *stage) {
		s.attach(t, "hook.yaml", []byte(strings.ReplaceAll(string(s.readAsset(t, "hook.yaml")), "v0.2.0", "v"+ref.Placeholder)))
	}, "asset-source", "release asset hook.yaml", "the tag makes sha256:"},
	"no hook": {func(t *testing.T, s *stage) { s.attach(t, "hook.yaml", nil) },
		"asset-exists", "release asset hook.yaml", "the release has no such asset"},
	"another static asset": {func(t *testing.T, s *stage) { s.attach(t, "settings-0.2.0.yaml", []byte("level: debug\n")) },
		"asset-source", "release asset settings-0.2.0.yaml", "the tag makes sha256:"},
	"an archive other than the listed one": {func(t *testing.T, s *stage) {
		s.attach(t, theTar, targz(t, s.program(t, linked{another, appImage + ":" + version, "none"})))
	}, "asset-checksum", "release asset " + theTar, "is listed"},
	"an archive of another commit": {func(t *testing.T, s *stage) {
		s.attachListed(t, theTar, targz(t, s.program(t, linked{another, appImage + ":" + version, "none"})))
	}, "asset-binary", "release asset " + theTar, "app: it does not name the commit"},
	"a zip file of another commit": {func(t *testing.T, s *stage) {
		s.attachListed(t, theZip, zipped(t, s.program(t, linked{another, appImage + ":" + version, "none"})))
	}, "asset-binary", "release asset " + theZip, "app: it does not name the commit"},
	"an archive that is none": {func(t *testing.T, s *stage) { s.attachListed(t, theTar, []byte("nonsense")) },
		"asset-binary", "release asset " + theTar, "the gzip file cannot be read"},
	"a zip file that is none": {func(t *testing.T, s *stage) { s.attachListed(t, theZip, []byte("nonsense")) },
		"asset-binary", "release asset " + theZip, "the zip file cannot be read"},
	"an archive with another program": {func(t *testing.T, s *stage) {
		l := s.right()
		l.secret = "backdoor"
		s.attachListed(t, theTar, targz(t, s.program(t, l)))
	}, "rebuild", "release asset " + theTar, "the commit builds sha256:"},
	"a listed archive is missing": {func(t *testing.T, s *stage) { s.attach(t, theZip, nil) },
		"asset-checksum", "release asset " + theZip, "the release has no such asset"},
	"an asset too many": {func(t *testing.T, s *stage) { s.attach(t, "tool.sh", []byte("#!/bin/sh\n")) },
		"asset-checksum", "release asset tool.sh", "the list of checksums does not have it, and it is not declared"},
	"an archive too many": {func(t *testing.T, s *stage) { s.attach(t, "app_0.2.0_linux_s390x.tar.gz", targz(t, []byte("nothing"))) },
		"asset-checksum", "release asset app_0.2.0_linux_s390x.tar.gz", "the list of checksums does not have it"},
	"a list of checksums that is none": {func(t *testing.T, s *stage) { s.attach(t, "checksums.txt", []byte("::error::all is well\n")) },
		"asset-checksum", "release asset checksums.txt", `line 1 is "::error::all is well", want`},
	"another checksum": {func(t *testing.T, s *stage) {
		list := string(s.readAsset(t, "checksums.txt"))
		i := strings.Index(list, "  "+theZip)
		s.attach(t, "checksums.txt", []byte(list[:i-8]+"00000000"+list[i:]))
	}, "asset-checksum", "release asset " + theZip, "00000000 is listed"},
}
