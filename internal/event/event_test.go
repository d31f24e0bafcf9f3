package event

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/kubestellar/actions/internal/outcome"
)

func read(t *testing.T, text string) (*Dispatch, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "event.json")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return Read("repository_dispatch", path)
}

// One field that is not a plain word refuses the whole event.
func TestRefuses(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		`{"client_payload":`:                                      "reading the event, a repository_dispatch: unexpected end",
		`{"client_payload": {"title": "v1$(id)"}}`:                `client_payload.title is "v1$(id)", want at most 255 letters`,
		`{"client_payload": {"more": ["x"]}}`:                     "client_payload.more is not a text, want a word",
		"{\"client_payload\": {\"`id`\": \"x\"}}":                 "it has a field \"client_payload.`id`\", want names of plain words",
		`{"sender": {"login": "--x"}}`:                            `sender.login is "--x"`,
		`{"ref": "refs/heads/a b;c"}`:                             `ref is "refs/heads/a b;c"`,
		`{"inputs": {"version": "1/../1"}}`:                       `inputs.version is "1/../1"`,
		`{"inputs": {"x": "` + strings.Repeat("x", 256) + `"}}`:   "want at most 255 letters",
		`{"inputs": {"x": "` + strings.Repeat("x", 1<<20) + `"}}`: "it is longer than 1048576 bytes",
	} {
		_, err := read(t, text)
		const end = "; it is refused as a whole, and nothing is written"
		if outcome.Of(err) != outcome.Usage || !strings.Contains(err.Error(), want) || !strings.HasSuffix(err.Error(), end) {
			t.Errorf("%.60s: %v, want %q", text, err, want)
		}
	}
}

func TestSource(t *testing.T) {
	t.Parallel()
	d, err := read(t, `{"client_payload": {"component": "up", "id": "up 1.2.3", "count": 3, "dry": true, "repository": "O/Up"}, "ref": "main"}`)
	if err != nil {
		t.Fatal(err)
	}
	for _, repository := range []string{"o/up", "O/Up", ""} {
		if err := d.CheckSource("up", repository); err != nil {
			t.Errorf("%q: %v", repository, err)
		}
	}
	err = d.CheckSource("up", "o/other")
	want := `repository_dispatch: client_payload.repository is "O/Up", want o/other, the repository of up in delivery.yaml, or none`
	if outcome.Of(err) != outcome.Usage || !strings.HasPrefix(err.Error(), want) {
		t.Errorf("%v, want %q", err, want)
	}
	var none *Dispatch
	if err := none.CheckSource("up", "o/other"); err != nil {
		t.Errorf("without a dispatch: %v", err)
	}
	if d, err = read(t, `{"client_payload": {}}`); err != nil || d.CheckSource("up", "o/up") != nil {
		t.Errorf("without a repository: %v", err)
	}
}
