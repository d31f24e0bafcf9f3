package decide

import (
	"testing"
)

// A use of a git tag needs a v before it if the value has none.
func TestUsesOfGitTags(t *testing.T) {
	t.Parallel()
	const notes = "See https://github.com/acme/lamp/blob/{{ .Values.LAMP_VERSION }}/x.md\n"
	const script = "curl -LO https://github.com/acme/up/releases/download/"
	for name, test := range map[string]struct {
		files map[string]string
		want  string
	}{
		"a template": {
			files: map[string]string{"chart/values.yaml": "LAMP_VERSION: 0.0.0-unstamped\n", "chart/templates/NOTES.txt": notes},
			want:  "chart/templates/NOTES.txt v-prefix: {{ .Values.LAMP_VERSION }} → v{{ .Values.LAMP_VERSION }}",
		},
		"a template with a v": {files: map[string]string{
			"chart/values.yaml":         "LAMP_VERSION: 0.0.0-unstamped\n",
			"chart/templates/NOTES.txt": "See https://github.com/acme/lamp/blob/v{{ .Values.LAMP_VERSION }}/x.md\n",
		}},
		"a value with a v": {files: map[string]string{
			"chart/values.yaml": "LAMP_VERSION: v0.0.0-unstamped\n", "chart/templates/NOTES.txt": notes, "x.mk": "LAMP_VERSION = 0.0.0-unstamped\n",
		}},
		"an expression": {files: map[string]string{
			"chart/values.yaml":         "LAMP_VERSION: 0.0.0-unstamped\n",
			"chart/templates/NOTES.txt": "See https://github.com/acme/lamp/blob/{{ printf \"v%s\" .Values.LAMP_VERSION }}/x.md\n",
		}},
		"a script": {
			files: map[string]string{"run.sh": "UP_VERSION=1.2.0\n" + script + "${UP_VERSION}/x\n"},
			want:  "run.sh v-prefix: ${UP_VERSION} → v${UP_VERSION}",
		},
		"a script whose value has a v":    {files: map[string]string{"run.sh": "UP_VERSION=v1.2.0\n" + script + "$UP_VERSION/x\n"}},
		"a value that is not in the tree": {files: map[string]string{"run.sh": script + "$UP_VERSION/x\n"}},
		"values with and without a v": {files: map[string]string{
			"run.sh": script + "$UP_VERSION/x\n", "a.sh": "UP_VERSION=v1.2.0\n", "b.sh": "UP_VERSION=1.2.0\n",
		}},
		"an excused use": {files: map[string]string{"run.sh": "UP_VERSION=1.2.0\n" + script + "${UP_VERSION}/x # ghhelper:keep x\n"}},
		"an image":       {files: map[string]string{"run.sh": "UP_VERSION=1.2.0\ndocker pull ghcr.io/acme/up:$UP_VERSION\n"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := lamp(t, "")
			if got := short(findingsOf(f, texts(f, test.files), nil)); got != test.want {
				t.Errorf("got  %s\nwant %s", got, test.want)
			}
		})
	}
}

// A link to a path at our own tag names a path of the tree, which gets the tag.
func TestOwnPath(t *testing.T) {
	t.Parallel()
	f := lamp(t, "")
	names := []string{"docs/a b.md", "docs/x.md"}
	for text, want := range map[string]string{
		"https://github.com/acme/lamp/blob/v0.5.0/docs/x.md#part":               "",
		"https://github.com/acme/lamp/blob/v0.5.0/docs/a%20b.md":                "",
		"https://github.com/acme/lamp/tree/v0.5.0/docs/":                        "",
		"https://github.com/acme/lamp/blob/v0.5.0/docs/old/x.md":                "f.md exists: a link to docs/old/x.md at our own tag → a path of this commit",
		"https://raw.githubusercontent.com/acme/lamp/v0.0.0-unstamped/run.sh":   "f.md exists: a link to run.sh at our own tag → a path of this commit",
		"https://github.com/acme/lamp/blob/v0.4.0/docs/old/x.md":                "",
		"https://github.com/acme/lamp/releases/download/v0.5.0/install.sh":      "",
		"https://github.com/acme/up/blob/v0.5.0/docs/old/x.md":                  "",
		"https://github.com/acme/lamp/blob/v0.5.0/docs/{{ .Values.page }}/x.md": "",
	} {
		found := texts(f, map[string]string{"f.md": "See " + text + "\n"})
		if len(found.References) != 1 {
			t.Fatalf("%s: %d references", text, len(found.References))
		}
		if got := short(OwnPath(f, found.References[0], version("0.5.0"), names)); got != want {
			t.Errorf("%s: got %q, want %q", text, got, want)
		}
	}
}
