package decide

import (
	"strings"
	"testing"

	"github.com/kubestellar/actions/internal/delivery"
	"github.com/kubestellar/actions/internal/find"
	"github.com/kubestellar/actions/internal/ref"
)

// lamp declares a component with a chart, whose tag has a v, and an asset.
func lamp(t *testing.T, more string) *delivery.File {
	t.Helper()
	f, err := delivery.Parse(delivery.FileName, []byte(`version: 1
self: lamp
components:
  lamp:
    repository: acme/lamp
    names: [LAMP_VERSION, lamp_latest_release]
    patterns: [{match: 'Lamp (?P<version>[0-9.]+[0-9]) is out'}]
    artifacts:
      image: {kind: image, at: ghcr.io/acme/lamp}
      chart: {kind: chart, at: ghcr.io/acme/charts/lamp, source: chart, tag: "v{version}"}
      install: {kind: asset, name: install.sh, source: hack/install.sh}
  up: {repository: acme/up, artifacts: {image: {kind: image, at: ghcr.io/acme/up}}}
`+more))
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// texts returns what a finder finds in files.
func texts(f *delivery.File, files map[string]string) find.Found {
	var all find.Found
	finder := find.New(f)
	for name, text := range files {
		found := finder.Look(name, []byte(text))
		all.References = append(all.References, found.References...)
	}
	return all
}

// short returns findings without their help.
func short(findings []Finding) string {
	var lines []string
	for _, f := range findings {
		lines = append(lines, f.File+" "+f.Rule+": "+f.Saw+" → "+f.Want)
	}
	return strings.Join(lines, "\n")
}

// A version of our own is a placeholder where a release stamps it. Elsewhere, a placeholder would stay.
func TestOwnVersions(t *testing.T) {
	t.Parallel()
	const job = "jobs:\n  old:\n    steps:\n    - run: |\n        export LAMP_VERSION=0.2.0\n"
	const warn = "rules: {self-reference: {level: warn, because: x}}\n"
	for name, test := range map[string]struct {
		file, text, more string
		tagged           string
		want             string
	}{
		"a literal in a source": {
			file: "chart/values.yaml", text: `LAMP_VERSION: "0.4.0"`, tagged: "0.4.0",
			want: "chart/values.yaml self-reference: lamp 0.4.0 → 0.0.0-unstamped",
		},
		"a literal in an asset": {
			file: "hack/install.sh", text: "LAMP_VERSION=0.4.0",
			want: "hack/install.sh self-reference: lamp 0.4.0 → 0.0.0-unstamped",
		},
		"a literal in our own chart": {
			file: "chart/Chart.yaml", text: "name: lamp\nversion: 0.1.0\n", tagged: "0.4.0",
			want: "chart/Chart.yaml self-reference: lamp 0.1.0 → v0.0.0-unstamped",
		},
		"a placeholder without the v of the chart's tag": {
			file: "chart/Chart.yaml", text: "name: lamp\nversion: 0.0.0-unstamped\n",
			want: "chart/Chart.yaml v-prefix: 0.0.0-unstamped → v0.0.0-unstamped",
		},
		"a literal git tag without a v, in a source": {
			file: "chart/values.yaml", text: "url: https://github.com/acme/lamp/releases/download/0.4.0/x.yaml",
			want: "chart/values.yaml self-reference: lamp 0.4.0 → v0.0.0-unstamped",
		},
		"a literal where nobody stamps": {
			file: "run.sh", text: "LAMP_VERSION=0.4.0",
			want: "run.sh self-reference: lamp 0.4.0 → no version of our own",
		},
		"the newest release, for a site":   {file: "docs/mkdocs.yml", text: "lamp_latest_release: 0.4.0", tagged: "0.4.0"},
		"an older release, for a site":     {file: "docs/mkdocs.yml", text: "lamp_latest_release: 0.3.0", tagged: "0.4.0"},
		"the newest release, in a pattern": {file: "site.toml", text: "text = 'Lamp 0.4.0 is out'", tagged: "0.4.0"},
		"the newest release, in a stamped file": {
			file: "chart/values.yaml", text: "lamp_latest_release: 0.4.0", tagged: "0.4.0",
			want: "chart/values.yaml self-reference: lamp 0.4.0 → 0.0.0-unstamped",
		},
		"a placeholder in a source": {file: "chart/values.yaml", text: "LAMP_VERSION: 0.0.0-unstamped"},
		"a placeholder in a script": {
			file: "run.sh", text: "LAMP_VERSION=0.0.0-unstamped",
			want: "run.sh placeholder: lamp 0.0.0-unstamped → a version, or a file that is stamped",
		},
		"a placeholder in a document": {
			file: "docs/x.md", text: "Set LAMP_VERSION=0.0.0-unstamped first.",
			want: "docs/x.md placeholder: lamp 0.0.0-unstamped → a version, or a file that is stamped",
		},
		"a placeholder for a build":       {file: "config/manager/kustomization.yaml", text: "LAMP_VERSION: 0.0.0-unstamped"},
		"a placeholder in a Makefile":     {file: "Makefile", text: "IMG ?= ghcr.io/acme/lamp:0.0.0-unstamped"},
		"a placeholder in a test":         {file: "test/e2e/run.sh", text: "LAMP_VERSION=0.0.0-unstamped"},
		"a document with an older one":    {file: "docs/old.md", text: "Set LAMP_VERSION=0.2.0 first.", tagged: "0.4.0"},
		"a document with the current one": {file: "docs/new.md", text: "Set LAMP_VERSION=0.4.0 first.", tagged: "0.4.0"},
		"a document in a clone without tags": {
			file: "docs/old.md", text: "Set LAMP_VERSION=0.2.0 first.",
		},
		"a job with an older one":       {file: ".github/workflows/t.yml", text: job, tagged: "0.4.0"},
		"a job in a clone without tags": {file: ".github/workflows/t.yml", text: job},
		"a job with the current one": {
			file: ".github/workflows/t.yml", text: job, tagged: "0.2.0",
			want: ".github/workflows/t.yml self-reference: lamp 0.2.0 → no version of our own",
		},
		"a literal that only warns": {
			file: "run.sh", text: "LAMP_VERSION=0.4.0", more: warn, tagged: "0.4.0",
			want: "run.sh self-reference: lamp 0.4.0 → no version of our own",
		},
		"a literal that is behind, and warns": {
			file: "run.sh", text: "LAMP_VERSION=0.3.0", more: warn, tagged: "0.4.0",
			want: "run.sh agreement: lamp 0.3.0 → 0.4.0, as in other places",
		},
		"a document that is behind, and warns": {file: "docs/x.md", text: "```sh\nexport LAMP_VERSION=0.3.0\n```\n", more: warn, tagged: "0.4.0"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := lamp(t, test.more)
			tagged, _ := ref.ParseVersion(test.tagged)
			if got := short(findingsOf(f, texts(f, map[string]string{test.file: test.text}), Tagged{"lamp": tagged})); got != test.want {
				t.Errorf("got  %s\nwant %s", got, test.want)
			}
		})
	}
}

// The newest own version is that of the tags, also if the only literal one left is old.
func TestNewestOwnIsTagged(t *testing.T) {
	t.Parallel()
	f := lamp(t, "")
	files := map[string]string{
		"chart/values.yaml":       `LAMP_VERSION: "0.0.0-unstamped"`,
		"docs/old.md":             "Set LAMP_VERSION=0.2.0 first.",
		".github/workflows/t.yml": "jobs:\n  old:\n    steps:\n    - run: |\n        export LAMP_VERSION=0.2.0\n",
	}
	if got := short(findingsOf(f, texts(f, files), Tagged{"lamp": version("0.4.0")})); got != "" {
		t.Errorf("got %s", got)
	}
}

// A place that tells users the newest release has a notice once it is behind.
func TestAnnouncedIsBehind(t *testing.T) {
	t.Parallel()
	f := lamp(t, "")
	for text, want := range map[string]int{"0.3.0": 1, "0.4.0": 0} {
		found := texts(f, map[string]string{"docs/mkdocs.yml": "lamp_latest_release: " + text})
		if _, notices := Check(f, found, Tagged{"lamp": version("0.4.0")}); len(notices) != want {
			t.Errorf("%s: %v, want %d notices", text, notices, want)
		}
	}
}

// One place has one finding, with the most specific want.
func TestMostSpecific(t *testing.T) {
	t.Parallel()
	f := lamp(t, "")
	files := map[string]string{
		"a.yaml": "image: ghcr.io/acme/up:v1.2.0\n", "b.yaml": "image: ghcr.io/acme/up:1.3.0\n",
		"c.sh": "curl -LO https://github.com/acme/up/releases/download/1.1.0/x\n",
	}
	got := short(findingsOf(f, texts(f, files), nil))
	want := "a.yaml agreement: up v1.2.0 → 1.3.0, as in other places\nc.sh agreement: up 1.1.0 → v1.3.0, as in other places"
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// A tag refuses another version of our own in a place that is stamped or follows.
func TestOwnVersionsOfATag(t *testing.T) {
	t.Parallel()
	f := lamp(t, "")
	for _, test := range []struct{ file, text, want string }{
		{"run.sh", "LAMP_VERSION=0.5.0", ""},
		{"run.sh", "LAMP_VERSION=0.4.0", "run.sh own-version: lamp 0.4.0 → 0.5.0"},
		{"chart/Chart.yaml", "name: lamp\nversion: v0.4.0\n", "chart/Chart.yaml own-version: lamp v0.4.0 → v0.5.0"},
		{"chart/Chart.yaml", "name: lamp\nversion: v0.0.0-unstamped\n", ""},
		{"chart/README.md", "```sh\nexport LAMP_VERSION=0.4.0\n```\n", "chart/README.md own-version: lamp 0.4.0 → 0.5.0"},
		{"docs/x.md", "```sh\nexport LAMP_VERSION=0.4.0\n```\n", ""},
		{"run.sh", "LAMP_VERSION=0.4.0 # ghhelper:keep x", ""},
		{"run.sh", "UP_VERSION=0.4.0", ""},
	} {
		pins := find.Pins(texts(f, map[string]string{test.file: test.text}).References)
		if got := short(OwnVersions(f, pins, version("0.5.0"))); got != test.want {
			t.Errorf("%s: got %q, want %q", test.text, got, test.want)
		}
	}
}

// Nothing queries whether our own chart is published at the literal version in its Chart.yaml.
func TestOwnChartIsNotRequired(t *testing.T) {
	t.Parallel()
	f := lamp(t, "")
	found := texts(f, map[string]string{"chart/Chart.yaml": "name: lamp\nversion: v0.1.0\nappVersion: v0.1.0\n"})
	named, err := Required(f, found.References, ref.Version{}, nil)
	if len(found.References) != 2 || len(named) > 0 || err != nil {
		t.Errorf("%d references require %v, %v", len(found.References), named, err)
	}
}
