package delivery

import (
	"slices"
	"strings"
	"testing"
)

// Components that a release cannot tell apart are errors at loading.
func TestSelves(t *testing.T) {
	t.Parallel()
	const text = `version: 1
self: [api, web]
components:
  api: {repository: acme/shop, artifacts: {chart: {kind: chart, at: ghcr.io/acme/api, source: charts/api}}}
  web: {repository: acme/shop, tag: "web/v{version}", artifacts: {chart: {kind: chart, at: ghcr.io/acme/web, source: charts/web}}}
`
	images := []string{
		"charts/api}", "charts/api}, image: {kind: image, at: ghcr.io/acme/a}",
		"charts/web}}", "charts/web}, image: {kind: image, at: ghcr.io/acme/b}}",
	}
	for name, test := range map[string]struct {
		edits []string
		want  string
	}{
		"apart":                  {nil, ""},
		"not declared":           {[]string{"[api, web]", "[api, ui]"}, `component "ui" is not declared`},
		"twice":                  {[]string{"[api, web]", "[api, api]"}, `component "api" occurs twice`},
		"none":                   {[]string{"[api, web]", "[]"}, "self: minItems"},
		"a number":               {[]string{"[api, web]", "5"}, "self: got number, want string or array"},
		"two repositories":       {[]string{"web: {repository: acme/shop", "web: {repository: acme/web"}, "api is released from acme/shop, and web"},
		"one form of tags":       {[]string{` tag: "web/v{version}",`, ""}, "the git tags v{version}: write the tag of each, such as tag: web/v{version}"},
		"one source":             {[]string{"source: charts/api", "source: charts"}, "api and web have the source charts"},
		"one folder with images": {images, "such as folder: web"},
		"two folders":            {append(slices.Clone(images), `tag: "web`, `folder: web, tag: "web`), ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			edited := strings.NewReplacer(test.edits...).Replace(text)
			_, err := Parse("d.yaml", []byte(edited))
			if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
				t.Errorf("%v, want %q\n%s", err, test.want, edited)
			}
		})
	}
}

func TestReleased(t *testing.T) {
	t.Parallel()
	f, err := Parse("d.yaml", []byte(`version: 1
self: [api, web, old]
components:
  api: {repository: acme/shop}
  web: {repository: acme/shop, tag: "web/v{version}"}
  old: {repository: acme/shop, tag: "web/v1-{version}"}
  suite: {repository: acme/suite, lockstep: web}
`))
	if err != nil {
		t.Fatal(err)
	}
	for tag, want := range map[string]string{
		"v1.2.3": "api", "web/v1.2.3": "web", "web/v1-2.3.4": "old", "1.2.3": "", "web/1.2.3": "", "ui/v1.2.3": "", "v1.2": "",
	} {
		if got, _, ok := f.Released(tag); got != want || ok != (want != "") {
			t.Errorf("%s: %q, want %q", tag, got, want)
		}
	}
	web := f.As("web")
	if !web.IsOwn("web") || web.IsOwn("api") || !web.IsOwn("suite") || !f.IsOwn("api") || web.Whole() != f {
		t.Error("the view of web")
	}
}
