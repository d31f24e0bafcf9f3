package find

import (
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/kubestellar/actions/internal/ref"
)

// flags returns the names of the fields that are set.
func flags(c ref.Context) string {
	var all []string
	for _, f := range []struct {
		holds bool
		name  string
	}{{c.Document, "document"}, {c.History, "history"}, {c.Script, "script"}, {c.Comment, "comment"}, {c.Example, "example"}, {c.Output, "output"},
		{c.Bound, "bound"}, {c.Fixed, "fixed"}, {c.Listed, "listed"}, {c.Encoded, "encoded"}, {c.Checksum, "checksum"}} {
		if f.holds {
			all = append(all, f.name)
		}
	}
	return strings.Join(all, " ")
}

// Each case has the context of the first reference in a text.
func TestContext(t *testing.T) {
	t.Parallel()
	const url = "https://github.com/o/upstream/releases/download/v1.2.3/x.tgz"
	checksum := strings.Repeat("0", 64)
	for _, test := range []struct{ name, text, want string }{
		{"values.yaml", "UPSTREAM_VERSION: 1.2.3\n", ""},
		{"values.yaml", "UPSTREAM_VERSION: 1.2.3 # a remark\n", ""},
		{"values.yaml", "# UPSTREAM_VERSION: 1.2.3\n", "comment"},
		{"values.yaml", "# UPSTREAM_VERSION: e.g., \"1.2.3\"\n", "comment example"},
		{"x.go", "// UPSTREAM_VERSION = 1.2.3\n", "comment"},
		{"x.sh", "'Upstream version: v1.2.3'\n", "script"},
		{"guide.md", "export UPSTREAM_VERSION=1.2.3\n", "document"},
		{"templates/NOTES.txt", "export UPSTREAM_VERSION=1.2.3\n", ""},
		{"guide.md", "upstream 1.2.3 or higher\n", "document bound"},
		{"guide.md", "upstream version >= 1.2.3\n", "document bound"},
		{"guide.md", "any upstream release _after_ `1.2.3`\n", "document bound"},
		{"guide.md", "at least Upstream 1.2.3\n", "document bound"},
		{"guide.md", "Fixed in Upstream 1.2.3\n", "document bound"},
		{"guide.md", "Upstream 1.2.3 to 1.2.9\n", "document bound"},
		{"guide.md", "Upstream 1.2.3 (2024-05-01)\n", "document bound"},
		{"guide.md", "UPSTREAM_VERSION=1.2.3+\n", ""},
		{"ci.yaml", "UPSTREAM_VERSION: 1.2.3-1.2.9\n", "bound"},
		{"guide.md", "such as UPSTREAM_VERSION=1.2.3\n", "document example"},
		{"RELEASE-NOTES.md", "UPSTREAM_VERSION=1.2.3\n", "document history"},
		{"docs/releases/x.md", "UPSTREAM_VERSION=1.2.3\n", "document history"},
		{"CHANGELOG.yaml", "UPSTREAM_VERSION: 1.2.3\n", "history"},
		{"release-1.2.3.sh", "UPSTREAM_VERSION=1.2.3\n", "history"},
		{"guide.md", "This is a point-in-time statement.\n\nUPSTREAM_VERSION=1.2.3\n", "document history"},
		{"guide.md", "https://github.com/o/upstream/blob/v1.2.3/x.go#L1\n", "document fixed"},
		{"guide.md", "```console\n$ export UPSTREAM_VERSION=1.2.3\n```\n", "document"},
		{"guide.md", "```console\n$ export UPSTREAM_VERSION=1.2.3\n$ docker ps\n```\n", "document"},
		{"guide.md", "```console\n$ export UPSTREAM_VERSION=1.2.3 \\\n  X=1\n```\n", "document"},
		{"guide.md", "```console\n$ export UPSTREAM_VERSION=1.2.3\nsome output\n```\n", "document output"},
		{"guide.md", "```\nPulled: ghcr.io/o/upstream:1.2.3\n```\n", "document output"},
		{"guide.md", "```output\nghcr.io/o/upstream:1.2.3\n```\n", "document output"},
		{"guide.md", "```shell\ndocker pull ghcr.io/o/upstream:1.2.3\n```\n", "document"},
		{"guide.md", "```output\nx\n```\ndocker pull ghcr.io/o/upstream:1.2.3\n", "document"},
		{"guide.md", "```output\ndocker pull ghcr.io/o/upstream:1.2.3\n", "document output"},
		{"ci.yaml", "upstream-version: [1.2.3, 1.2.4]\n", "bound listed"},
		{"ci.yaml", "upstream-version: [1.2.3]\n", ""},
		{"brew.rb", "url \"" + url + "\"\nsha256 \"" + checksum + "\"\n", "checksum"},
		{"brew.sh", "curl -LO " + url + "\n", ""},
	} {
		found := finder(t, "").Text(test.name, []byte(test.text))
		if test.want == "" && strings.HasSuffix(test.text, "+\n") {
			if len(found) > 0 {
				t.Errorf("%s: found %+v", test.text, found)
			}
			continue
		}
		if len(found) == 0 || flags(found[0].Context) != test.want {
			t.Errorf("%s: %q: found %+v, want the first with %q", test.name, test.text, found, test.want)
		}
	}
}

func TestScopes(t *testing.T) {
	t.Parallel()
	const workflow = "env:\n  UPSTREAM_VERSION: 1.0.0\njobs:\n  one:\n    env:\n      UPSTREAM_VERSION: 1.1.0\n" +
		"  two-b:\n    env:\n      UPSTREAM_VERSION: 1.2.0\n"
	var got []string
	for _, r := range finder(t, "").Text(".github/workflows/ci.yml", []byte(workflow)) {
		got = append(got, r.Context.Scope)
	}
	want := ".github/workflows/ci.yml .github/workflows/ci.yml#one .github/workflows/ci.yml#two-b"
	if strings.Join(got, " ") != want {
		t.Errorf("scopes %v, want %s", got, want)
	}
}

func TestExcuses(t *testing.T) {
	t.Parallel()
	const both = "UPSTREAM_VERSION=1.2.3\nghcr.io/o/us/app:1.2.3\n"
	for name, test := range map[string]struct{ ignore, file, text, excused, idle string }{
		"by component":         {"{component: upstream, because: x}", "a", both, "1", ""},
		"by another component": {"{component: us, because: x}", "a", both, "2", ""},
		"by the line":          {"{pattern: '^UPSTREAM', because: x}", "a", both, "1", ""},
		"by file and line":     {"{files: b, pattern: '^UPSTREAM', because: x}", "a", both, "", `files "b" pattern "^UPSTREAM"`},
		"by a mark":            {"", "a", "UPSTREAM_VERSION=1.2.3 # ghhelper:keep it is old\n", "1", ""},
		"by a mark above":      {"", "a.md", "<!-- ghhelper:keep it is old -->\nUPSTREAM_VERSION=1.2.3\nUPSTREAM_VERSION=1.2.4\n", "2", ""},
		"by a mark above a command": {
			"", "a", "# ghhelper:keep it is old\n# so\nhelm pull oci://ghcr.io/o/upstream-chart \\\n  --version v1.2.3\n", "4", "",
		},
		"by a mark without a reason":     {"", "a", "UPSTREAM_VERSION=1.2.3 # ghhelper:keep\n", "", "gives no reason"},
		"by a mark for nothing":          {"", "a", "# ghhelper:keep it\n\nUPSTREAM_VERSION=1.2.3\n", "", "has no reference"},
		"a suspect by a mark":            {"", "a", "upstream was at 1.2.3 # ghhelper:keep it\n", "", ""},
		"what says mark, but no comment": {"", "a", "UPSTREAM_VERSION=1.2.3 ghhelper:keep it\n", "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			more := ""
			if test.ignore != "" {
				more = "ignore: [" + test.ignore + "]\n"
			}
			found, err := finder(t, more).Tree(t.Context(), fstest.MapFS{test.file: {Data: []byte(test.text)}})
			if err != nil {
				t.Fatal(err)
			}
			var excused, idle []string
			for _, r := range found.References {
				if r.Excused != "" {
					excused = append(excused, string(rune('0'+r.Line)))
				}
			}
			for _, i := range found.Idle {
				if i.IsExcuse {
					idle = append(idle, i.What)
				}
			}
			if strings.Join(excused, " ") != test.excused || !strings.Contains(strings.Join(idle, " "), test.idle) ||
				test.idle == "" && len(idle) > 0 || len(found.Suspects) > 0 {
				t.Errorf("excused lines %v, idle %v, suspects %v", excused, idle, found.Suspects)
			}
		})
	}
}

// Links, folders, binary files and removed files are skipped. Files that are too large, or
// whose name is not UTF-8, are reported as unread.
func TestOddFiles(t *testing.T) {
	t.Parallel()
	const text = "UPSTREAM_VERSION=1.2.3\n"
	tree := fstest.MapFS{
		"plain":     {Data: []byte(text)},
		"bom":       {Data: []byte("\xef\xbb\xbf" + text)},
		"crlf":      {Data: []byte("x\r\nUPSTREAM_VERSION=1.2.3\r\n")},
		"latin":     {Data: []byte("\xe9\xff " + text)},
		"binary":    {Data: []byte("\x00" + text)},
		"late-zero": {Data: append(append(make([]byte, 0, 9000), []byte(strings.Repeat("a", 8990)+"\n"+text)...), 0)},
		"link":      {Data: []byte("plain"), Mode: fs.ModeSymlink | 0o777},
		"large":     {Data: []byte(strings.Repeat("a\n", largest/2) + text)},
		"big":       {Data: []byte(strings.Repeat("a\n", 25<<20) + text)},
		"go.sum":    {Data: []byte("github.com/o/upstream v1.2.3 h1:x=\n")},
	}
	names := []string{"plain", "bom", "crlf", "latin", "binary", "late-zero", "link", "large", "big", "go.sum", "gone", "bad\xff"}
	found, err := finder(t, "").Files(t.Context(), tree, names)
	if err != nil {
		t.Fatal(err)
	}
	var in, unread []string
	for _, r := range found.References {
		in = append(in, r.File)
	}
	for _, u := range found.Unread {
		unread = append(unread, u.File)
	}
	if got, want := strings.Join(in, " "), "plain bom crlf latin late-zero big"; got != want {
		t.Errorf("found in %s, want %s", got, want)
	}
	if got, want := strings.Join(unread, " "), "large bad\xff"; got != want {
		t.Errorf("unread %q, want %q", got, want)
	}
}
