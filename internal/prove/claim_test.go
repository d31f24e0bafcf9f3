package prove

import (
	"archive/tar"
	"bytes"
	"debug/buildinfo"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/kubestellar/actions/internal/delivery"
	"github.com/kubestellar/actions/internal/gh"
	"github.com/kubestellar/actions/internal/outcome"
	"github.com/kubestellar/actions/internal/ref"
	"github.com/kubestellar/actions/internal/report"
)

// Each case is a claim b, beside a claim a that may explain it.
func TestSettle(t *testing.T) {
	t.Parallel()
	wrong := outcome.Wrongf("other bytes")
	unasked := errors.New("could not ask")
	after := []string{"a x"}
	for name, test := range map[string]struct {
		a, b    error
		after   []string
		state   report.State
		restsOn string
		standIn bool
		says    string
	}{
		"proven":                    {state: report.Proven, says: "evidence"},
		"refuted":                   {b: wrong, state: report.Refuted, says: "other bytes"},
		"refuted, whatever else is": {a: wrong, b: wrong, state: report.Refuted, says: "other bytes"},
		"a consequence": {a: wrong, b: wrong, after: after, state: report.Unchecked, restsOn: "a",
			says: "follows from a, which is refuted: other bytes"},
		"no consequence of another subject": {a: wrong, b: wrong, after: []string{"c y", "a y"}, state: report.Refuted, says: "other bytes"},
		"no consequence of what holds":      {b: wrong, after: after, state: report.Refuted, says: "other bytes"},
		"no consequence of what is unknown": {a: unasked, b: wrong, after: after, state: report.Refuted, says: "other bytes"},
		"proven beside what is refuted":     {a: wrong, after: after, state: report.Proven, says: "evidence"},
		"not asked":                         {b: unasked, state: report.Unchecked, says: "could not ask"},
		"not asked, for a reason": {a: wrong, b: unasked, after: after, state: report.Unchecked, restsOn: "a",
			says: "follows from a, which is refuted: could not ask"},
		"not asked, and wrong":         {b: errors.Join(unasked, wrong), state: report.Refuted, says: "could not ask; other bytes"},
		"wrong usage is no refutation": {b: outcome.Usagef("no such file"), state: report.Unchecked, says: "no such file"},
		"resting on another":           {b: &restsOnError{"c"}, state: report.Unchecked, restsOn: "c", says: "rests on c"},
		"resting on another, and wrapped": {a: wrong, b: fmt.Errorf("why: %w", &restsOnError{"c"}), after: after, state: report.Unchecked, restsOn: "c",
			says: "why: rests on c"},
		"a stand-in": {b: &standInError{"made up"}, state: report.Unchecked, standIn: true, says: "rests on a stand-in: made up"},
		"a stand-in that is wrong": {b: errors.Join(&standInError{"made up"}, wrong), state: report.Refuted,
			says: "rests on a stand-in: made up; other bytes"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := settle([]claim{{rule: "a", subject: "x", err: test.a},
				{rule: "b", subject: "x", text: "holds", evidence: "evidence", err: test.b, after: test.after}})[1]
			if got.State != test.state || got.RestsOn != test.restsOn || got.StandIn != test.standIn || got.Evidence != test.says {
				t.Errorf("settled as %+v, want %+v", got, test)
			}
		})
	}
}

func TestOccurrences(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		version, text, data string
		n                   int
		code                outcome.Code
		says                string
	}{
		"none":                       {text: "app:{version}", data: "nothing of it"},
		"one":                        {text: "app:{version}", data: "runs app:0.2.1 here", n: 1},
		"several":                    {text: "app:{version}", data: "app:0.2.1,app:0.2.1", n: 2},
		"at the end":                 {text: "app:{version}", data: "app:0.2.1", n: 1},
		"cut off":                    {text: "app:{version}", data: "app:"},
		"cut off in the version":     {text: "app:{version}", data: "app:0.2", code: outcome.Wrong, says: `it holds "app:0.2", want "app:0.2.1"`},
		"another text right behind":  {text: "app:{version}", data: "app:0.2.1usage: app", n: 1},
		"another sign right behind":  {text: "app:{version}", data: "app:0.2.1\x00\xff", n: 1},
		"a flag right behind":        {text: "app:{version}", data: "app:0.2.1-verbose", n: 1},
		"a template":                 {text: "app:{version}", data: "app:{{ .Version }} and app:{version} and app:%s"},
		"a template and the version": {text: "app:{version}", data: "app:{{ .Version }} app:0.2.1", n: 1},
		"another version":            {text: "app:{version}", data: "app:0.1.0", code: outcome.Wrong, says: `it holds "app:0.1.0", want "app:0.2.1"`},
		"another version too":        {text: "app:{version}", data: "app:0.2.1 app:0.1.0", n: 1, code: outcome.Wrong, says: `"app:0.1.0"`},
		"a prerelease":               {text: "app:{version}", data: "app:0.2.1-rc.1", code: outcome.Wrong, says: `it holds "app:0.2.1-rc.1", want`},
		"a prerelease that is meant": {version: "0.2.1-rc.1", text: "app:{version}", data: "app:0.2.1-rc.1", n: 1},
		"a release for a prerelease": {version: "0.2.1-rc.1", text: "app:{version}", data: "app:0.2.1", code: outcome.Wrong,
			says: `it holds "app:0.2.1", want "app:0.2.1-rc.1"`},
		"a placeholder":                 {text: "app:{version}", data: "app:" + ref.Placeholder, code: outcome.Wrong, says: ref.Placeholder},
		"perhaps a longer version":      {text: "app:{version}", data: "app:0.2.10", code: outcome.Unchecked, says: "may be a longer one than 0.2.1"},
		"what follows is told":          {text: "app:{version}!", data: "app:0.2.1!0", n: 1},
		"what follows is told and else": {text: "app:{version}!", data: "app:0.2.10!", code: outcome.Wrong, says: `want "app:0.2.1!"`},
		"a version without end":         {text: "app:{version}", data: "app:9" + strings.Repeat("0", 1000), code: outcome.Wrong, says: `it holds "app:9000`},
		"in capitals":                   {version: "0.2.1-RC1", text: "app:{version}", data: "app:0.2.1-RC1", n: 1},
		"no text before":                {text: "{version}", data: "0.2.1", code: outcome.Usage, says: "want some text before {version}"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v, err := ref.ParseVersion("0.2.1")
			if test.version != "" {
				v, err = ref.ParseVersion(test.version)
			}
			if err != nil {
				t.Fatal(err)
			}
			n, err := (&run{Prover: &Prover{Version: v}}).occurrences(test.text, []byte(test.data))
			if n != test.n || outcome.Of(err) != test.code || err != nil && !strings.Contains(err.Error(), test.says) {
				t.Errorf("%d, %v, want %d, code %d, saying %q", n, err, test.n, test.code, test.says)
			}
			if err != nil && len(err.Error()) > 200 {
				t.Errorf("the error is %d bytes long", len(err.Error()))
			}
		})
	}
}

func TestChecksums(t *testing.T) {
	t.Parallel()
	sum := strings.Repeat("ab", 32)
	for name, test := range map[string]struct {
		file, text string
		sums       int
		code       outcome.Code
		says       string
	}{
		"text":              {file: "checksums.txt", text: sum + "  a.tar.gz\n", sums: 1},
		"binary":            {file: "checksums.txt", text: sum + " *a.tar.gz\n", sums: 1},
		"of a project":      {file: "app_0.2.0_checksums.txt", text: sum + "  a.tar.gz\n" + sum + "  b.zip", sums: 2},
		"of sha256sum":      {file: "SHA256SUMS", text: sum + "  a.tar.gz\n", sums: 1},
		"nothing":           {file: "checksums.txt", text: ""},
		"no such file":      {file: "a.tar.gz", text: "", code: outcome.Unchecked, says: "has no file of checksums"},
		"another algorithm": {file: "checksums.txt", text: sum + sum + "  a.tar.gz\n", code: outcome.Wrong, says: "want a SHA-256, two spaces and a name"},
		"no name":           {file: "checksums.txt", text: sum + "\n", code: outcome.Wrong, says: "want a SHA-256, two spaces and a name"},
		"no digits": {file: "checksums.txt", text: strings.Repeat("xy", 32) + "  a.tar.gz\n", code: outcome.Wrong,
			says: "want a SHA-256, two spaces and a name"},
		"two of one name": {file: "checksums.txt", text: sum + "  a.tar.gz\n" + strings.Repeat("cd", 32) + "  a.tar.gz\n", code: outcome.Wrong,
			says: "lists \"a.tar.gz\" a second time"},
		"a large list":    {file: "checksums.txt", text: strings.Repeat("x", 1000), code: outcome.Wrong, says: `xxx", want`},
		"a line too long": {file: "checksums.txt", text: strings.Repeat("a", 1<<20), code: outcome.Wrong, says: "not a list of checksums"},
		"a command in it": {file: "checksums.txt", text: "::error::gotcha\n", code: outcome.Wrong, says: `line 1 is "::error::gotcha"`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "list")
			if err := os.WriteFile(path, []byte(test.text), 0o644); err != nil {
				t.Fatal(err)
			}
			sums, err := checksums([]asset{{Asset: gh.Asset{Name: test.file}, path: path}})
			if len(sums) != test.sums || outcome.Of(err) != test.code || err != nil && !strings.Contains(err.Error(), test.says) {
				t.Errorf("%v, %v, want %d, code %d, saying %q", sums, err, test.sums, test.code, test.says)
			}
		})
	}
}

func TestBuiltOf(t *testing.T) {
	t.Parallel()
	const commit, other = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
	tree := fstest.MapFS{
		"go.mod":           {Data: []byte("module example.com/app\n\ngo 1.26.0\n\ntoolchain go1.26.8\n\nrequire example.com/lib v1.0.0\n")},
		"go.sum":           {Data: []byte("example.com/lib v1.0.0 h1:right\nexample.com/lib v1.0.0/go.mod h1:mod\n")},
		".goreleaser.yaml": {Data: []byte("    ldflags: [\"-X main.commit={{ .FullCommit }}\"]\n")},
	}
	want, err := (&run{src: Source{Tree: tree, Commit: commit, File: &delivery.File{}}}).expected()
	if err != nil {
		t.Fatal(err)
	}
	lib := func(version, sum string) []*debug.Module {
		return []*debug.Module{{Path: "example.com/lib", Version: version, Sum: sum}}
	}
	vcs := func(revision, modified string) []debug.BuildSetting {
		return []debug.BuildSetting{{Key: "vcs.revision", Value: revision}, {Key: "vcs.modified", Value: modified}}
	}
	for name, test := range map[string]struct {
		module, toolchain string
		deps              []*debug.Module
		settings          []debug.BuildSetting
		data              string
		code              outcome.Code
		says              string
	}{
		"of the commit":        {deps: lib("v1.0.0", "h1:right"), data: "…" + commit + "…", says: "1 dependency are the tag's"},
		"of another module":    {module: "example.com/other", data: commit, code: outcome.Wrong, says: "module example.com/other"},
		"by another toolchain": {toolchain: "go1.26.7", data: commit, code: outcome.Wrong, says: "built by go1.26.7, want go1.26.8"},
		"with other sums":      {deps: lib("v1.0.0", "h1:wrong"), data: commit, code: outcome.Wrong, says: "example.com/lib v1.0.0"},
		"with other versions":  {deps: lib("v1.0.1", "h1:right"), data: commit, code: outcome.Wrong, says: "example.com/lib v1.0.1"},
		"with a replacement": {deps: []*debug.Module{{Path: "example.com/lib", Version: "v1.0.0", Sum: "h1:right",
			Replace: &debug.Module{Path: "example.com/fork", Version: "v1.0.0", Sum: "h1:fork"}}}, data: commit, code: outcome.Wrong, says: "example.com/fork"},
		"without the commit":     {data: other, code: outcome.Wrong, says: "does not name the commit"},
		"stamped by go":          {settings: vcs(commit, "false"), says: "so is the commit that it names"},
		"stamped with another":   {settings: vcs(other, "false"), data: commit, code: outcome.Wrong, says: other},
		"stamped, and modified":  {settings: vcs(commit, "true"), data: commit, code: outcome.Wrong, says: "modified: true"},
		"of an unknown modified": {settings: vcs(commit, ""), says: "so is the commit that it names"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			info := &debug.BuildInfo{GoVersion: "go1.26.8", Main: debug.Module{Path: "example.com/app"}, Deps: test.deps, Settings: test.settings}
			if test.module != "" {
				info.Main.Path = test.module
			}
			if test.toolchain != "" {
				info.GoVersion = test.toolchain
			}
			how, err := want.built(info, []byte(test.data))
			said := how
			if err != nil {
				said = err.Error()
			}
			if outcome.Of(err) != test.code || !strings.Contains(said, test.says) {
				t.Errorf("%q, %v, want code %d, saying %q", how, err, test.code, test.says)
			}
		})
	}
}

// Other files have no build information, and a file that is made to break the reader does not break
// prove.
func TestBuildInfoOfAnything(t *testing.T) {
	t.Parallel()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	program, err := os.ReadFile(self)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := buildinfo.ReadFile(self); err != nil {
		t.Fatal(err)
	}
	for _, n := range []int{0, 4, 16, 64, 1000, len(program) / 2} {
		if info, err := buildInfo(program[:n]); info != nil || err != nil && outcome.Of(err) != outcome.Wrong {
			t.Errorf("the first %d bytes of a program: %v, %v", n, info, err)
		}
	}
	for i := 16; i < 64; i++ { // the header's offsets and counts
		broken := append([]byte{}, program[:1<<16]...)
		for _, b := range []byte{0x00, 0x7f, 0xff} {
			broken[i] = b
			if _, err := buildInfo(broken); err != nil && outcome.Of(err) != outcome.Wrong {
				t.Errorf("byte %d as %#x: %v", i, b, err)
			}
		}
	}
}

// An archive that unpacks to more than the limit is not checked, and not refuted.
func TestArchivesAreBounded(t *testing.T) {
	t.Parallel()
	var archive bytes.Buffer
	w := tar.NewWriter(&archive)
	if err := w.WriteHeader(&tar.Header{Name: "zeros", Mode: 0o644, Size: 1 << 20}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(make([]byte, 1<<20)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	look := func(string, []byte) error { return nil }
	for most, want := range map[int64]outcome.Code{1 << 30: outcome.Fine, 1000: outcome.Unchecked, 0: outcome.Unchecked} {
		err := eachOfTar(&bounded{bytes.NewReader(archive.Bytes()), most}, look)
		if outcome.Of(err) != want || want != outcome.Fine && !errors.Is(err, errTooLarge) {
			t.Errorf("of at most %d bytes: %v, want code %d", most, err, want)
		}
	}
	if err := eachOfTar(strings.NewReader("nonsense"), look); outcome.Of(err) != outcome.Wrong {
		t.Errorf("not an archive: %v", err)
	}
	if err := eachOfTar(bytes.NewReader(archive.Bytes()[:1000]), look); outcome.Of(err) != outcome.Wrong {
		t.Errorf("half an archive: %v", err)
	}
}
