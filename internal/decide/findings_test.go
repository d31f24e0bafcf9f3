package decide

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Findings of one component and version are one finding, with its places.
func TestGrouped(t *testing.T) {
	t.Parallel()
	behind := func(file string, line int, saw, want string) Finding {
		return Finding{Rule: "agreement", File: file, Line: line, Column: 5, Component: "up", Saw: "up " + saw, Want: want, Help: "move it"}
	}
	list := []Finding{
		behind("a.sh", 1, "1.2.0", "1.3.0"),
		{Rule: "latest", File: "a.sh", Line: 2, Column: 1, Component: "up", Saw: "up at latest", Want: "a version", Help: "name it"},
		behind("a.sh", 3, "v1.2.0", "v1.3.0"),
		behind("a.sh", 3, "1.1.0", "1.3.0"),
		behind("b.sh", 1, "1.2.0", "1.3.0"),
	}
	other := behind("c.sh", 1, "1.2.0", "1.3.0")
	other.Component = "twin"
	warning := behind("d.sh", 1, "1.2.0", "1.3.0")
	warning.Warning = true
	var got strings.Builder
	for _, g := range Grouped(append(list, other, warning)) {
		fmt.Fprintln(&got, g)
	}
	want := `saw up 1.2.0, v1.2.0, 1.1.0 at 4 places, want 1.3.0; move it (agreement)
  a.sh: lines 1, 3
  b.sh:1:5
a.sh:2:1: saw up at latest, want a version; name it (latest)
c.sh:1:5: saw up 1.2.0, want 1.3.0; move it (agreement)
d.sh:1:5: saw up 1.2.0, want 1.3.0; move it (agreement)
`
	if diff := cmp.Diff(want, got.String()); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if err := Found(list); !strings.HasPrefix(err.Error(), "2 findings\n  saw up 1.2.0, ") || strings.Count(err.Error(), "\n  ") != 4 {
		t.Errorf("the error is\n%v", err)
	}
}

// Many files are folded.
func TestGroupOfManyFiles(t *testing.T) {
	t.Parallel()
	var list []Finding
	for i := range 13 {
		list = append(list, Finding{Rule: "latest", File: fmt.Sprintf("f%02d", i), Line: 1, Column: 1, Saw: "x", Want: "y", Help: "z"})
	}
	got := Grouped(list)
	if text := got[0].String(); len(got) != 1 || !strings.HasSuffix(text, "\n  f09:1:1\n  and 3 in 3 more files (--format json lists each)") {
		t.Errorf("%d groups, and the first is\n%s", len(got), text)
	}
}

// Places that people decide about are counted for each component, and are not findings.
func TestNotices(t *testing.T) {
	t.Parallel()
	f := lamp(t, "")
	found := texts(f, map[string]string{
		"run.sh":    "UP_VERSION=1.3.0\n",
		"matrix.sh": "docker run ghcr.io/acme/up:1.1.0\ndocker run ghcr.io/acme/up:1.2.0\ndocker run ghcr.io/acme/up:1.3.0\n",
		"keep.sh":   "docker run ghcr.io/acme/up:1.0.0 # ghhelper:keep x\n",
	})
	findings, notices := Check(f, found, nil)
	want := []Notice{{Component: "up", Version: "1.3.0", Places: 2, Command: "ghhelper bump up 1.3.0 --dry-run --offline"}}
	if diff := cmp.Diff(want, notices); diff != "" || len(findings) > 0 {
		t.Errorf("%v\n-want +got:\n%s", findings, diff)
	}
}

// Former names are counted, and are not findings.
func TestNoticesOfFormerNames(t *testing.T) {
	t.Parallel()
	f := lamp(t, "")
	up := f.Components["up"]
	up.Formerly = []string{"acme/upstream"}
	f.Components["up"] = up
	found := texts(f, map[string]string{
		"run.sh": "curl https://github.com/acme/upstream/releases/download/v1.3.0/up.tgz\ncurl https://github.com/acme/up/releases/download/v1.3.0/up.tgz\n",
		"b.sh":   "git clone -b v1.3.0 https://github.com/acme/upstream\n",
	})
	findings, notices := Check(f, found, nil)
	want := []Notice{{Component: "up", Version: "1.3.0", Places: 2, Former: "acme/upstream", Command: "ghhelper bump up 1.3.0 --rename"}}
	if diff := cmp.Diff(want, notices); diff != "" || len(findings) > 0 {
		t.Errorf("%v\n-want +got:\n%s", findings, diff)
	}
}
