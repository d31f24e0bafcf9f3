package decide

import (
	"slices"
	"strings"
	"testing"

	"github.com/kubestellar/actions/internal/delivery"
	"github.com/kubestellar/actions/internal/ref"
)

// pin returns a pin of a component, changed by more.
func pin(component, written string, more ...func(*ref.Reference)) ref.Reference {
	r := at("deploy.sh", component, "", written)
	r.Syntax = ref.Value
	for _, m := range more {
		m(&r)
	}
	if r.Context.Scope == "" {
		r.Context.Scope = r.File
	}
	return r
}

func in(c ref.Context) func(*ref.Reference) { return func(r *ref.Reference) { r.Context = c } }
func by(s ref.Syntax) func(*ref.Reference)  { return func(r *ref.Reference) { r.Syntax = s } }
func of(file string) func(*ref.Reference) {
	return func(r *ref.Reference) { r.File, r.Context.Scope = file, file }
}

func job(name string) func(*ref.Reference) {
	return func(r *ref.Reference) { r.Context.Scope = "ci.yml#" + name }
}

func excused(r *ref.Reference) { r.Excused = "history" }

// Each case moves the first pin, of component up, to 1.2.0, or has the reason why it stays.
func TestBumpStays(t *testing.T) {
	t.Parallel()
	document := ref.Context{Document: true}
	for name, test := range map[string]struct {
		first  ref.Reference
		others []ref.Reference
		move   Move
		stays  string
	}{
		"current":                 {first: pin("up", "1.1.0")},
		"with a v":                {first: pin("up", "v1.1.0")},
		"missed before":           {first: pin("up", "1.0.0"), others: []ref.Reference{pin("up", "1.1.0", of("x"))}},
		"excused":                 {first: pin("up", "1.1.0", excused), stays: "excused: history"},
		"a placeholder":           {first: pin("up", "0.0.0-dev"), stays: "a placeholder"},
		"base64":                  {first: pin("up", "1.1.0", in(ref.Context{Encoded: true})), stays: "inside base64"},
		"release notes":           {first: pin("up", "1.1.0", in(ref.Context{History: true})), stays: "about the past"},
		"a lower bound":           {first: pin("up", "1.1.0", in(ref.Context{Bound: true})), stays: "a bound"},
		"an example":              {first: pin("up", "1.1.0", in(ref.Context{Example: true})), stays: "an example"},
		"pasted output":           {first: pin("up", "1.1.0", in(ref.Context{Output: true})), stays: "pasted output"},
		"a link to a release":     {first: pin("up", "v1.1.0", in(ref.Context{Fixed: true})), stays: "a link"},
		"one of several":          {first: pin("up", "1.1.0", in(ref.Context{Listed: true})), stays: "several"},
		"a checksum beside it":    {first: pin("up", "1.1.0", in(ref.Context{Checksum: true})), stays: "checksum"},
		"compared by a script":    {first: pin("up", "v1.1.0", in(ref.Context{Script: true})), stays: "often a bound"},
		"a chosen stable release": {first: pin("up", "1.1.0", in(ref.Context{Name: "STABLE_RELEASE"})), stays: "stable"},
		"newer":                   {first: pin("up", "1.3.0"), stays: "newer already"},
		"newer, and asked for":    {first: pin("up", "1.3.0"), move: Move{AllowDowngrade: true}},
		"not the one asked for":   {first: pin("up", "1.1.0"), move: Move{From: version("1.0.0")}, stays: "has another version than 1.0.0"},
		"the one asked for": {
			first:  pin("up", "1.0.0", in(document)),
			others: []ref.Reference{pin("up", "1.1.0")},
			move:   Move{From: version("1.0.0")},
		},
		"a comment that is current": {first: pin("up", "1.1.0", in(ref.Context{Comment: true})), stays: "commented out"},
		"a comment that is behind": {
			first:  pin("up", "1.0.0", in(ref.Context{Comment: true})),
			others: []ref.Reference{pin("up", "1.1.0")},
			stays:  "commented out",
		},
		"a document that is current": {first: pin("up", "1.1.0", in(document))},
		"a document that is behind": {
			first:  pin("up", "1.0.0", in(document)),
			others: []ref.Reference{pin("up", "1.1.0", of("x"))},
		},
		"a document in an old folder": {
			first:  pin("up", "1.0.0", in(document), of("docs/old/x.md")),
			others: []ref.Reference{pin("up", "1.1.0", of("x"))},
			stays:  "is not maintained",
		},
		"a rung": {first: pin("up", "1.0.0"), others: []ref.Reference{pin("up", "1.1.0")}, stays: "other versions stand in the same form"},
		"a file that moved without it": {
			first:  pin("up", "1.0.0", in(ref.Context{Shape: "x"})),
			others: []ref.Reference{pin("up", "1.1.0")},
			stays:  "its file holds a newer version",
		},
		"prose": {
			first:  pin("up", "1.1.0", by(ref.Prose), in(document)),
			others: []ref.Reference{pin("up", "1.1.0")},
			stays:  "in prose",
		},
		"test data":               {first: pin("up", "1.1.0", of("x/testdata/y.yaml")), stays: "test data"},
		"declared, though behind": {first: pin("up", "1.0.0", by(ref.Matched), in(document)), others: []ref.Reference{pin("up", "1.1.0", of("x"))}},
		"a job missed before": {
			first:  pin("up", "1.0.0", job("test")),
			others: []ref.Reference{pin("up", "1.1.0", of("x")), pin("twin", "2.0.0", job("other")), pin("twin", "2.1.0", of("x"))},
		},
		"a job at an older own release": {
			first:  pin("up", "1.0.0", job("old")),
			others: []ref.Reference{pin("up", "1.1.0", of("x")), pin("twin", "2.0.0", job("old")), pin("twin", "2.1.0", of("x"))},
			stays:  "belongs to an older release, like everything in ci.yml#old",
		},
		"a job at an older own release, but current": {
			first:  pin("up", "1.1.0", job("old")),
			others: []ref.Reference{pin("twin", "2.0.0", job("old")), pin("twin", "2.1.0", of("x"))},
			stays:  "belongs to an older release",
		},
		"a download in a job at an older own release": {
			first:  pin("up", "1.1.0", job("old"), by(ref.Download)),
			others: []ref.Reference{pin("twin", "2.0.0", job("old")), pin("twin", "2.1.0", of("x"))},
		},
		"a file with three behind": {
			first: pin("up", "1.0.0", of("old.sh")),
			others: []ref.Reference{
				pin("up", "1.1.0"), pin("us", "0.1.0", of("old.sh")), pin("us", "0.2.0"),
				pin("twin", "2.0.0", of("old.sh")), pin("twin", "2.1.0"),
			},
		},
		"a file named after its release": {
			first:  pin("up", "1.0.0", of("release-1.0.sh")),
			others: []ref.Reference{pin("up", "1.1.0")},
			stays:  "the release line in its path",
		},
		"a file about an upgrade": {
			first:  pin("up", "1.0.0", of("upgrade.sh")),
			others: []ref.Reference{pin("up", "1.1.0")},
			stays:  "in the name of the file",
		},
		"a document, and one place that is newer": {
			first:  pin("up", "1.0.0", in(document)),
			others: []ref.Reference{pin("up", "1.1.0", of("go.mod")), pin("up", "1.1.0", of("c")), pin("up", "1.0.0", of("a")), pin("up", "1.0.0", of("b"))},
		},
		"a file with two behind": {
			first:  pin("up", "1.0.0", of("late.sh")),
			others: []ref.Reference{pin("up", "1.1.0"), pin("twin", "2.0.0", of("late.sh")), pin("twin", "2.1.0")},
		},
		"our own chart, behind": {
			first:  pin("up", "0.1.0", by(ref.ChartVersion)),
			others: []ref.Reference{pin("up", "1.1.0")},
			stays:  "publishing sets",
		},
		"a release, and a prerelease is asked for": {
			first: pin("up", "1.1.0"),
			move:  Move{Version: version("1.2.0-rc1")},
			stays: "set prereleases for up",
		},
		"a prerelease for a prerelease": {first: pin("up", "1.2.0-rc9"), move: Move{Version: version("1.2.0-rc10")}},
		"a regular release's name": {
			first: pin("up", "1.2.0-rc1", in(ref.Context{Name: "latest_regular_release"})),
			move:  Move{Version: version("1.2.0-rc2")},
			stays: "regular releases only"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			move := test.move
			move.Component = "up"
			if move.Version.IsZero() {
				move.Version = version("1.2.0")
			}
			edits, left := Bump(file(t), Evidence{Pins: append([]ref.Reference{test.first}, test.others...)}, move)
			at := slices.IndexFunc(edits, func(e Edit) bool {
				return e.Written == test.first.Written && e.Syntax == test.first.Syntax && e.File == test.first.File
			})
			moved := at >= 0
			if test.stays == "" {
				if want := test.first.Spell(move.Version); !moved || edits[at].To != want {
					t.Errorf("edits %+v, left %+v; want the first moved to %s", edits, left, want)
				}
				return
			}
			why := slices.ContainsFunc(left, func(l Left) bool { return strings.Contains(l.Because, test.stays) })
			if moved || !why {
				t.Errorf("edits %+v, left %+v; want the first to stay: %s", edits, left, test.stays)
			}
		})
	}
}

func version(text string) ref.Version {
	v, err := ref.ParseVersion(text)
	if err != nil {
		panic(err)
	}
	return v
}

func TestPrereleasesWhereAllowed(t *testing.T) {
	t.Parallel()
	f := file(t)
	c := f.Components["up"]
	c.Prereleases = true
	f.Components["up"] = c
	edits, left := Bump(f, Evidence{Pins: []ref.Reference{pin("up", "1.1.0")}}, Move{Component: "up", Version: version("1.2.0-rc1")})
	if len(edits) != 1 || len(left) != 0 {
		t.Errorf("edits %+v, left %+v", edits, left)
	}
}

// A place that has the version already is edited only to add a digest.
func TestBumpAddsDigests(t *testing.T) {
	t.Parallel()
	f, err := delivery.Parse("delivery.yaml", []byte(`version: 1
self: us
components:
  us: {repository: o/us}
  up: {repository: o/up, digests: true, artifacts: {image: {kind: image, at: ghcr.io/o/up}}}
`))
	if err != nil {
		t.Fatal(err)
	}
	bare := at("f", "up", "image", "1.2.0")
	bare.Syntax = ref.Tag
	locked := bare
	locked.Lock = &ref.Lock{Written: "sha256:x"}
	edits, _ := Bump(f, Evidence{Pins: []ref.Reference{bare, locked}}, Move{Component: "up", Version: version("1.2.0")})
	if len(edits) != 1 || !edits[0].WantsDigest {
		t.Errorf("edits %+v", edits)
	}
	rules := ""
	for _, r := range []ref.Reference{bare, locked} {
		for _, finding := range digestWanted(f, Verdict{Reference: r, Outcome: Moves}) {
			rules += finding.Rule + " "
		}
	}
	if rules != "digest " {
		t.Errorf("findings %q", rules)
	}
}
