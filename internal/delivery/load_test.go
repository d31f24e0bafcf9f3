package delivery

import (
	"os"
	"strings"
	"testing"
	"testing/fstest"
)

const good = `version: 1
self: a
components:
  a:
    repository: o/a
    artifacts:
      image: {kind: image, at: ghcr.io/o/a}
`

// Each case changes the good file in one place. The message contains the place and the text.
func TestParseRefuses(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ old, new, place, text string }{
		"unknown key":          {"self: a", "self: a\nselfie: a", "d.yaml:3:1:", `unknown key "selfie": did you mean self?`},
		"unknown nested key":   {"kind: image,", "kind: image, tags: x,", "d.yaml:7:28:", `unknown key "tags": did you mean tag?`},
		"key of another level": {"self: a", "self: a\nartifacts: {}", "d.yaml:3:1:", `unknown key "artifacts": the keys`},
		"key in the singular":  {"artifacts:", "artifact:", "d.yaml:6:5:", `unknown key "artifact": did you mean artifacts?`},
		"duplicate key":        {"self: a", "self: a\nself: b", "d.yaml:3:1:", "occurs twice, first on line 2"},
		"duplicate component":  {"  a:\n", "  a: {repository: o/b}\n  a:\n", "d.yaml:5:3:", "occurs twice"},
		"wrong type":           {"components:\n", "ignore: 7\ncomponents:\n", "d.yaml:3:9:", "ignore: got number, want array"},
		"version of tomorrow":  {"version: 1", "version: 2", "d.yaml:1:10:", "version"},
		"missing repository":   {"    repository: o/a\n", "", "d.yaml:5:5:", "repository"},
		"bad repository":       {"repository: o/a", "repository: https://x/o/a", "d.yaml:5:17:", "does not match"},
		"unknown self":         {"self: a", "self: b", "d.yaml:2:7:", `component "b" is not declared`},
		"unknown lockstep":     {"repository: o/a\n", "repository: o/a\n    lockstep: z\n", "d.yaml:6:15:", `component "z" is not declared`},
		"unknown kind":         {"kind: image", "kind: picture", "d.yaml:7:", "kind"},
		"image without at":     {"kind: image, at: ghcr.io/o/a", "kind: image", "d.yaml:7:14:", "needs at"},
		"asset without name":   {"kind: image, at: ghcr.io/o/a", "kind: asset", "d.yaml:7:14:", "needs a name"},
		"two at one location":  {"image: {", "twin: {kind: chart, at: ghcr.io/o/a}\n      image: {", "d.yaml:7:", "want one artifact at a location"},
		"two names of one image": {"at: ghcr.io/o/a}", "at: o/a}\n      twin: {kind: image, at: index.docker.io/o/a}",
			"d.yaml:8:", "want one artifact at a location"},
		"an image over https":      {"at: ghcr.io/o/a", "at: 'https://ghcr.io/o/a'", "d.yaml:7:", "want that at a chart without a source"},
		"a chart without a path":   {"kind: image, at: ghcr.io/o/a", "kind: chart, at: a", "d.yaml:7:", "want registry/path"},
		"location with a tag":      {"at: ghcr.io/o/a", "at: 'ghcr.io/o/a:1.2.3'", "d.yaml:7:", "does not match"},
		"excuse for no reason":     {"self: a", "self: a\nignore: [{files: x}]", "d.yaml:3:", "because"},
		"not YAML":                 {"self: a", "self: [", "d.yaml:", "YAML"},
		"empty":                    {good, "", "d.yaml:", "YAML"},
		"two documents":            {"self: a", "self: a\n---\nversion: 1", "d.yaml:", "second YAML document"},
		"artifact that is a path":  {"image: {", "../../x: {", "d.yaml:7:", "want a name of lower-case letters"},
		"component that is a path": {"self: a\ncomponents:\n  a:", "self: ../a\ncomponents:\n  ../a:", "d.yaml:5:", "want a name of lower-case letters"},
		"two assets of one name": {"image: {", "x: {kind: asset, name: f}\n      y: {kind: asset, name: f}\n      image: {",
			"d.yaml:8:", "cannot share a name"},
		"asset above":             {"kind: image, at: ghcr.io/o/a", "kind: asset, name: ..", "d.yaml:7:", "does not match"},
		"values of an image":      {"at: ghcr.io/o/a", "at: ghcr.io/o/a, values: [v.yaml]", "d.yaml:7:", "has values, want them at a chart"},
		"an image that is static": {"at: ghcr.io/o/a", "at: ghcr.io/o/a, static: true", "d.yaml:7:", "is static, want that at an asset"},
		"an image that runs":      {"at: ghcr.io/o/a", "at: ghcr.io/o/a, runs: [image]", "d.yaml:7:", "has runs, want them at a chart"},
		"a chart that embeds": {"kind: image, at: ghcr.io/o/a", "kind: chart, at: ghcr.io/o/a, embeds: ['x:{version}']",
			"d.yaml:7:", "has embeds, want them at an image"},
		"embeds without a version":    {"at: ghcr.io/o/a", "at: ghcr.io/o/a, embeds: [x]", "d.yaml:7:", "does not match"},
		"an image with an appVersion": {"at: ghcr.io/o/a", "at: ghcr.io/o/a, appVersion: free", "d.yaml:7:", "want them at a chart"},
		"an app that is our own": {"kind: image, at: ghcr.io/o/a", "kind: chart, at: ghcr.io/o/a, app: a", "d.yaml:7:",
			`"a" is not another component`},
		"an app with an appVersion": {"kind: image, at: ghcr.io/o/a", "kind: chart, at: ghcr.io/o/a, app: b, appVersion: free", "d.yaml:7:",
			"want one of them"},
		"groups that overlap": {"  a:\n    repository: o/a\n",
			"  a2: {repository: o/a, files: [x/y/]}\n  a:\n    repository: o/a\n    files: [x/]\n", "d.yaml:",
			"a file may be one of a2 as well"},
		"a scoped name without files":  {"repository: o/a\n", "repository: o/a\n    names: [{name: A}]\n", "d.yaml:6:", "files"},
		"a former repository of today": {"  a:\n", "  b: {repository: o/b, formerly: [o/a]}\n  a:\n", "d.yaml:4:", "want former names only"},
		"a former location of another": {"at: ghcr.io/o/a}", "at: ghcr.io/o/a}\n      b: {kind: image, at: ghcr.io/o/b, formerly: [ghcr.io/o/a]}", "d.yaml:7:",
			"want one artifact at a location"},
		"a chart runs nothing": {"image: {", "c: {kind: chart, at: ghcr.io/o/c, runs: [b/image]}\n      image: {",
			"d.yaml:7:", `"b/image" is not an image or chart`},
		"a chart that is built": {"kind: image, at: ghcr.io/o/a", "kind: chart, at: ghcr.io/o/a, build: {package: .}",
			"d.yaml:7:", "has a build, want one at an image"},
		"two that are built": {"at: ghcr.io/o/a", "at: ghcr.io/o/a, build: {package: .}}\n      other: {kind: image, at: ghcr.io/o/b, build: {package: .}",
			"d.yaml:8:", "want one in each component"},
		"a package above":        {"at: ghcr.io/o/a", "at: ghcr.io/o/a, build: {package: ./../x}", "d.yaml:7:", "does not match"},
		"a package of elsewhere": {"at: ghcr.io/o/a", "at: ghcr.io/o/a, build: {package: example.com/x}", "d.yaml:7:", "does not match"},
		"a module of no host":    {"at: ghcr.io/o/a", "at: ghcr.io/o/a, build: {package: ., module: tool}", "d.yaml:7:", "malformed module path"},
		"bundled with no version": {"at: ghcr.io/o/a", "at: ghcr.io/o/a, build: {package: ., bundles: {OCM: {v0.8.2: 0.13.2}}}",
			"d.yaml:7:", "is not a version of the tool"},
		"bumps without component":   {"self: a", "self: a\nbumps: {branch: bump}", "d.yaml:3:", "does not match"},
		"a branch that git refuses": {"self: a", "self: a\nbumps: {branch: 'x..{component}'}", "d.yaml:3:", "git refuses a branch"},
		"a branch per version":      {"self: a", "self: a\nbumps: {branch: 'b-{component}-{version}'}", "d.yaml:3:", "does not match"},
		"a title with a number":     {"self: a", "self: a\nbumps: {title: 'Fixes #12 by {version}'}", "d.yaml:3:", "without the number of an issue"},
		"a title without version":   {"self: a", "self: a\nbumps: {title: 'Bump'}", "d.yaml:3:", "does not match"},
		"a list":                    {good, "- a", "d.yaml:1:1:", "want object"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			text := strings.Replace(good, test.old, test.new, 1)
			if text == good {
				t.Fatal("the case changes nothing")
			}
			_, err := Parse("d.yaml", []byte(text))
			if err == nil {
				t.Fatal("accepted")
			}
			if !strings.HasPrefix(err.Error(), test.place) || !strings.Contains(err.Error(), test.text) {
				t.Errorf("got %q, want it to begin with %q and to contain %q", err, test.place, test.text)
			}
		})
	}
}

func TestParseReportsEveryProblem(t *testing.T) {
	t.Parallel()
	_, err := Parse("d.yaml", []byte(strings.NewReplacer("version: 1", "version: x", "kind: image", "kind: y").Replace(good)))
	if err == nil || strings.Count(err.Error(), "d.yaml:") < 2 {
		t.Errorf("got %v, want two problems", err)
	}
}

func TestLoadOfAnAbsentFile(t *testing.T) {
	t.Parallel()
	_, err := Load(fstest.MapFS{}, FileName)
	if err == nil || !strings.Contains(err.Error(), "there is none") || !strings.Contains(err.Error(), "docs/delivery-yaml.md") {
		t.Errorf("got %v", err)
	}
}

// An image of Docker Hub is known by each of its names.
func TestDockerHub(t *testing.T) {
	t.Parallel()
	for at, want := range map[string]string{
		"o/a": "docker.io/o/a", "docker.io/o/a": "docker.io/o/a", "index.docker.io/o/a": "docker.io/o/a",
		"registry-1.docker.io/o/a": "docker.io/o/a", "a": "docker.io/library/a", "docker.io/a": "docker.io/library/a",
		"localhost/a": "localhost/a", "r:5000/a": "r:5000/a", "ghcr.io/a": "ghcr.io/a",
	} {
		f, err := Parse("d.yaml", []byte(strings.Replace(good, "ghcr.io/o/a", at, 1)))
		if err != nil {
			t.Fatal(err)
		}
		if got := f.Own().Artifacts["image"].At; got != want {
			t.Errorf("%s: got %s, want %s", at, got, want)
		}
		if c, a, ok := f.Locate(at); !ok || c != "a" || a != "image" {
			t.Errorf("%s: located %s/%s", at, c, a)
		}
	}
}

func TestOurOwnFile(t *testing.T) {
	t.Parallel()
	f, err := Load(os.DirFS("../.."), FileName)
	if err != nil {
		t.Fatal(err)
	}
	if !f.IsOwn("kubestellar") || !f.IsOwn("actions") || f.IsOwn("kubeflex") {
		t.Error("kubestellar is in lock step with actions, kubeflex is not")
	}
	if c, a, _ := f.Locate("ghcr.io/kubestellar/ocm-status-addon-chart"); c != "ocm-status-addon" || a != "chart" {
		t.Errorf("located %s/%s", c, a)
	}
}
