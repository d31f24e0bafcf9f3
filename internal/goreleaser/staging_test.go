package goreleaser

import (
	"strings"
	"testing"
	"testing/fstest"

	"github.com/kubestellar/actions/internal/outcome"
)

// Each configuration has the text of the error, "" for none.
func TestStaged(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ text, want string }{
		{`kos: [{tags: ["staging-{{.Env.STAGE}}"]}]`, ""},
		{`kos: [{tags: ["staging-{{ .Env.STAGE }}"]}]`, ""},
		{`kos: [{tags: ["staging-{{ .Env.STAGE }}"]}, {tags: [latest]}]`, "kos[1] pushes the tags latest"},
		{`kos: [{}]`, "kos[0] pushes the tags latest"},
		{
			`kos: [{tags: ["staging-{{ .Env.STAGE }}-x"]}]`,
			"kos[0]",
		},
		{
			`kos: [{tags: ["staging-{{ .Version }}"]}]`,
			"kos[0]",
		},
		{
			`dockers: [{image_templates: ["localhost:5000/o/r:staging-{{ .Env.STAGE }}-amd64"]}]`,
			"",
		},
		{
			`dockers: [{image_templates: ["ghcr.io/o/r:staging-{{ .Env.STAGE }}-amd64", "ghcr.io/o/r:latest"]}]`,
			"dockers[0] pushes the tag latest",
		},
		{
			`dockers: [{image_templates: ["localhost:5000/o/r"]}]`,
			"dockers[0] pushes the tag latest",
		},
		{`dockers: [{}]`, "dockers[0] pushes the tag latest"},
		{
			`dockers: [{image_templates: ["ghcr.io/o/r:{{ .Version }}"], skip_push: true}]`,
			"",
		},
		{
			`dockers: [{image_templates: ["ghcr.io/o/r:{{ .Version }}"], skip_push: auto}]`,
			"dockers[0] pushes the tag {{ .Version }}",
		},
		{
			`docker_manifests: [{name_template: "ghcr.io/o/r:{{ .Version }}", image_templates: ["ghcr.io/o/r:x"]}]`,
			"docker_manifests[0] pushes the tag {{ .Version }}",
		},
		{
			`docker_manifests: [{name_template: "ghcr.io/o/r:staging-{{ .Env.STAGE }}", image_templates: ["ghcr.io:x"]}]`,
			"",
		},
		{
			`dockers_v2: [{images: [ghcr.io/o/r], tags: ["v{{ .Version }}"]}]`,
			"dockers_v2[0] pushes the tag v{{ .Version }}",
		},
		{
			`dockers_v2: [{images: [ghcr.io/o/r], tags: ["staging-{{ .Env.STAGE }}"]}]`,
			"",
		},
		{
			`dockers_v2: [{images: [ghcr.io/o/r]}]`,
			"dockers_v2[0] pushes the tag latest",
		},
		{
			`env: [FOO=bar]`,
			"",
		},
		{
			`env: ["KO_DOCKER_REPO=ghcr.io/o/other"]`,
			"env sets KO_DOCKER_REPO",
		},
		{`env: ["STAGE=latest"]`, "env sets STAGE"},
		{
			`homebrew_casks: [{repository: {owner: o, name: tap}}]`,
			"homebrew_casks may publish before anything is checked",
		},
		{`blobs: [{provider: s3, bucket: b}]`, "blobs may publish"},
		{`publishers: [{name: p, cmd: upload}]`, "publishers may publish"},
		{`announce: {slack: {enabled: true}}`, "announce may publish"},
		{`nfpms: [{formats: [deb]}]`, ""},
	} {
		tree := fstest.MapFS{FileName: {Data: []byte(test.text + "\nrelease: {draft: true}\n")}}
		c, err := Load(tree, "")
		if err != nil {
			t.Fatalf("%s: %v", test.text, err)
		}
		err = c.CheckStaged()
		ok := err == nil
		if test.want != "" {
			ok = err != nil && strings.Contains(err.Error(), test.want) && outcome.Of(err) == outcome.Usage
		}
		if !ok {
			t.Errorf("%s: %v, want %q", test.text, err, test.want)
		}
	}
}
