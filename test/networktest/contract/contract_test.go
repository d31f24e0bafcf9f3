package contract_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/kubestellar/actions/internal/rehearsal/forge"
	"github.com/kubestellar/actions/internal/rehearsal/network"
	"github.com/kubestellar/actions/test/networktest"
	"github.com/kubestellar/actions/test/networktest/contract"
)

// notes collects the failures of a test.
type notes struct{ all []string }

func (n *notes) Helper() {}

func (n *notes) Errorf(format string, args ...any) {
	n.all = append(n.all, fmt.Sprintf(format, args...))
}

// ask sends one request to a network, and changes the answer by alter before it is checked against
// the description. It returns the failures.
func ask(t *testing.T, method, path, body string, alter func(*http.Request, *http.Response)) []string {
	t.Helper()
	networktest.SkipIfShort(t)
	w, err := networktest.Start(filepath.Join(t.TempDir(), "network"), network.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Forge.CreateRepository("o/r", forge.Repository{}); err != nil {
		t.Fatal(err)
	}
	found := &notes{}
	hold, seen := contract.Hold(found), 0
	w.Observe(func(r *http.Request, a *http.Response) {
		seen++
		alter(r, a)
		hold(r, a)
	})
	req, err := http.NewRequestWithContext(t.Context(), method, "https://api.github.com"+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", "Bearer "+w.Token())
	resp, err := w.Transport().RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if err := w.Close(); err != nil || seen != 1 {
		t.Fatalf("observed %d requests (%v), want 1", seen, err)
	}
	return found.all
}

// field changes one field of the answer, at a path of names.
func field(value any, names ...string) func(*http.Request, *http.Response) {
	return func(_ *http.Request, a *http.Response) {
		var whole map[string]any
		if err := json.NewDecoder(a.Body).Decode(&whole); err != nil {
			panic(err)
		}
		at := whole
		for _, name := range names[:len(names)-1] {
			at = at[name].(map[string]any)
		}
		if value == nil {
			delete(at, names[len(names)-1])
		} else {
			at[names[len(names)-1]] = value
		}
		b, err := json.Marshal(whole)
		if err != nil {
			panic(err)
		}
		a.Body = io.NopCloser(bytes.NewReader(b))
	}
}

func status(to int) func(*http.Request, *http.Response) {
	return func(_ *http.Request, a *http.Response) { a.StatusCode = to }
}

func asIs(*http.Request, *http.Response) {}

func TestDifferencesFromTheDescriptionAreFound(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		method, path, body string
		alter              func(*http.Request, *http.Response)
		want               string // "" is nothing
	}{
		"as it is":                      {"GET", "/repos/o/r", "", asIs, ""},
		"a field is gone":               {"GET", "/repos/o/r", "", field(nil, "full_name"), "full_name"},
		"a field is of another type":    {"GET", "/repos/o/r", "", field("7", "id"), "/id"},
		"a field deeper down":           {"GET", "/repos/o/r", "", field(7, "owner", "login"), "login"},
		"a time is none":                {"GET", "/repos/o/r", "", field("yesterday", "created_at"), "created_at"},
		"a status that is not known":    {"GET", "/repos/o/r", "", status(418), "its status is not described"},
		"by number":                     {"GET", "/repositories/1", "", asIs, ""},
		"by number, a field is gone":    {"GET", "/repositories/1", "", field(nil, "full_name"), "full_name"},
		"a path that is not known":      {"GET", "/repos/o/r/nothing", "", asIs, "no such path is described"},
		"a method that is not known":    {"PUT", "/repos/o/r/releases", "", asIs, "knows no PUT"},
		"a request without its field":   {"POST", "/repos/o/r/labels", `{"color":"ffffff"}`, asIs, "name"},
		"a refusal":                     {"POST", "/repos/o/r/labels", `{"name":"x","color":"green"}`, asIs, ""},
		"a refusal without words":       {"POST", "/repos/o/r/labels", `{"name":"x","color":"green"}`, field(nil, "message"), "message"},
		"a list of labels":              {"POST", "/repos/o/r/issues/1/labels", `["x"]`, asIs, ""},
		"a parameter that is no number": {"GET", "/repos/o/r/releases?per_page=many", "", asIs, "per_page"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			found := ask(t, tc.method, tc.path, tc.body, tc.alter)
			if got := strings.Join(found, "\n"); (got != "") != (tc.want != "") || !strings.Contains(got, tc.want) {
				t.Errorf("found %q, want %q", got, tc.want)
			}
		})
	}
}
