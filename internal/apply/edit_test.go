package apply

import (
	"strings"
	"testing"

	"github.com/kubestellar/actions/internal/decide"
	"github.com/kubestellar/actions/internal/delivery"
	"github.com/kubestellar/actions/internal/find"
	"github.com/kubestellar/actions/internal/ref"
)

func finderOf(t *testing.T) *find.Finder {
	t.Helper()
	f, err := delivery.Parse("delivery.yaml", []byte(`version: 1
self: us
components:
  us: {repository: o/us}
  up: {repository: o/up, artifacts: {image: {kind: image, at: ghcr.io/o/up}}}
`))
	if err != nil {
		t.Fatal(err)
	}
	return find.New(f)
}

// edit moves each place that is found to the version given for it, in order.
func edit(finder *find.Finder, text string, to, lock string) []decide.Edit {
	var edits []decide.Edit
	for _, r := range finder.Text("f", []byte(text)) {
		edits = append(edits, decide.Edit{Reference: r, To: to, LockTo: lock})
	}
	return edits
}

func TestEdits(t *testing.T) {
	t.Parallel()
	finder := finderOf(t)
	digest, other := "sha256:"+strings.Repeat("a", 64), "sha256:"+strings.Repeat("b", 64)
	commit, newer := strings.Repeat("1", 40), strings.Repeat("2", 40)
	for _, test := range []struct{ before, to, lock, after string }{
		{"ghcr.io/o/up:1.2.3 ghcr.io/o/up:1.2.4\r\n", "10.0.0-rc1", "", "ghcr.io/o/up:10.0.0-rc1 ghcr.io/o/up:10.0.0-rc1\r\n"},
		{"\xffghcr.io/o/up:1.2.3\xfe\x00", "1.2.4", "", "\xffghcr.io/o/up:1.2.4\xfe\x00"},
		{"ghcr.io/o/up:1.2.3@" + digest + "\n", "1.2.4", other, "ghcr.io/o/up:1.2.4@" + other + "\n"},
		{"x ghcr.io/o/up:1.2.3\n", "1.2.4", other, "x ghcr.io/o/up:1.2.4@" + other + "\n"},
		{"- uses: o/up/a@" + commit + " # v1.2.3\n", "v1.2.4", newer, "- uses: o/up/a@" + newer + " # v1.2.4\n"},
	} {
		text := strings.TrimSuffix(test.before, "\x00")
		edits := edit(finder, text, test.to, test.lock)
		got, err := Edits(finder, "f", []byte(text), edits)
		if want := strings.TrimSuffix(test.after, "\x00"); err != nil || string(got) != want || len(edits) == 0 {
			t.Errorf("%q with %d edits: got %q, %v, want %q", text, len(edits), got, err, want)
		}
	}
}

func TestEditsRefuse(t *testing.T) {
	t.Parallel()
	finder := finderOf(t)
	const text = "ghcr.io/o/up:1.2.3\n"
	for name, test := range map[string]struct{ text, to, says string }{
		"a file that changed meanwhile":  {"ghcr.io/o/up:1.9.3\n", "2.0.0", "changed since it was read"},
		"a file that has become shorter": {"ghcr", "2.0.0", "changed since it was read"},
		"text that is not found again":   {text, "no version", "after the edit, the place has"},
	} {
		if got, err := Edits(finder, "f", []byte(test.text), edit(finder, text, test.to, "")); err == nil || !strings.Contains(err.Error(), test.says) {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
}

// Former names are replaced on request, in places that move and in those that have the version already.
func TestEditsRename(t *testing.T) {
	t.Parallel()
	f, err := delivery.Parse("delivery.yaml", []byte(`version: 1
self: us
components:
  us: {repository: o/us}
  up: {repository: new/up, formerly: [o/up], artifacts: {image: {kind: image, at: ghcr.io/new/up, formerly: [quay.io/o/up]}}}
`))
	if err != nil {
		t.Fatal(err)
	}
	finder := find.New(f)
	const text = `image: quay.io/o/up:1.2.3
next: quay.io/o/up:1.2.4
url: https://github.com/o/up/releases/download/v1.2.3/up_1.2.3.tgz
split: {registry: quay.io, repository: o/up, tag: 1.2.3}
keys:
  tag: 1.2.3
  repository: quay.io/o/up
`
	version, _ := ref.ParseVersion("1.2.4")
	for rename, want := range map[bool]string{
		false: strings.ReplaceAll(text, "1.2.3", "1.2.4"),
		true: strings.NewReplacer("1.2.3", "1.2.4", "quay.io/o/up", "ghcr.io/new/up", "github.com/o/up", "github.com/new/up").
			Replace(text),
	} {
		move := decide.Move{Component: "up", Version: version, Rename: rename}
		edits, _ := decide.Bump(f, decide.Evidence{Pins: finder.Text("f.yaml", []byte(text))}, move)
		got, err := Edits(finder, "f.yaml", []byte(text), edits)
		if err != nil || string(got) != want {
			t.Errorf("rename %t: got %v\n%s\nwant\n%s", rename, err, got, want)
		}
	}
}
