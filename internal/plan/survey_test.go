package plan

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/kubestellar/actions/internal/cache"
	"github.com/kubestellar/actions/internal/gh"
	"github.com/kubestellar/actions/internal/git"
	"github.com/kubestellar/actions/internal/rehearsal/forge"
	"github.com/kubestellar/actions/internal/rehearsal/network"
	"github.com/kubestellar/actions/test/networktest"
	"github.com/kubestellar/actions/test/testkit"
)

// place is an organisation on a fake GitHub, and its survey.
type place struct {
	*networktest.Network
	t      testing.TB
	survey Survey
	cache  string
	from   int // the requests that were counted
}

func newPlace(t testing.TB) *place {
	t.Helper()
	w := testkit.Start(t, network.Options{}).Network
	p := &place{Network: w, t: t, cache: filepath.Join(t.TempDir(), "cache")}
	forge, err := gh.New(gh.Options{Token: w.Token(), TokenName: "GITHUB_TOKEN", Transport: w.Transport()})
	if err != nil {
		t.Fatal(err)
	}
	kept, err := cache.Open(p.cache)
	if err != nil {
		t.Fatal(err)
	}
	p.survey = Survey{Forge: forge, Git: git.Repo{Dir: t.TempDir(), Env: p.env()}, Server: "https://github.com", Keeper: kept}
	return p
}

func (p *place) env() []string { return append(p.Env(), "PATH="+os.Getenv("PATH")) }

// repository creates a repository, see push.
func (p *place) repository(name string, o forge.Repository, files map[string]string, tags ...string) {
	p.t.Helper()
	if err := p.Forge.CreateRepository(name, o); err != nil {
		p.t.Fatal(err)
	}
	p.push(name, files, tags...)
}

// push makes the tip of main a commit with only these files, and tags it.
func (p *place) push(name string, files map[string]string, tags ...string) {
	p.t.Helper()
	stream := "commit refs/heads/main\ncommitter T <t@example.invalid> 1 +0000\ndata 0\ndeleteall\n"
	for file, content := range files {
		stream += fmt.Sprintf("M 100644 inline %s\ndata %d\n%s\n", file, len(content), content)
	}
	for _, tag := range tags {
		stream += fmt.Sprintf("tag %s\nfrom refs/heads/main\ntagger T <t@example.invalid> 1 +0000\ndata 0\n", tag)
	}
	bare := git.Repo{Dir: p.Forge.RepositoryDir(name), Env: p.env()}
	if _, err := bare.Input([]byte(stream)).Run(p.t.Context(), "fast-import", "--quiet", "--force"); err != nil {
		p.t.Fatal(err)
	}
}

func (p *place) plan() *Plan {
	p.t.Helper()
	plan, err := p.survey.Organisation(p.t.Context(), "org")
	if err != nil {
		p.t.Fatal(err)
	}
	return plan
}

// counts returns the number of requests since the last call, by "api 200", "git 200", and so on.
func (p *place) counts() map[string]int {
	all := p.Requests()
	counts := map[string]int{}
	for _, r := range all[p.from:] {
		kind := map[bool]string{true: "api", false: "git"}[r.Host == "api.github.com"]
		if strings.HasSuffix(r.Path, "/git-upload-pack") {
			kind = "pack"
		}
		counts[fmt.Sprintf("%s %d", kind, r.Status)]++
	}
	p.from = len(all)
	return counts
}

// delivers returns a delivery.yaml of org/self, with names NAME_VERSION of the others.
func delivers(self string, others ...string) string {
	text := fmt.Sprintf("version: 1\nself: %s\ncomponents:\n  %s: {repository: org/%s}\n", self, self, self)
	for _, other := range others {
		text += fmt.Sprintf("  %s: {repository: org/%s, names: [%s_VERSION]}\n", other, other, strings.ToUpper(other))
	}
	return text
}

func behind(p *Plan) []string {
	lines := []string{}
	for _, b := range p.Behind() {
		lines = append(lines, fmt.Sprintf("%s %s %v → %s (%d, %d left)", b.Repository, b.Component, b.From, b.Version, b.Places, b.Left))
	}
	return lines
}

// Releases are ordered by their numbers. A prerelease is only for pins that have one. Pins that stay on purpose are counted.
func TestBehind(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	p.repository("org/up", forge.Repository{}, map[string]string{"f": ""}, "v0.1.0", "v0.1.1", "v0.2.0-rc10", "v0.2.0-rc9", "0.9.9", "v7", "latest")
	p.repository("org/none", forge.Repository{}, map[string]string{"f": ""})
	p.repository("org/down", forge.Repository{}, map[string]string{
		"delivery.yaml": delivers("down", "up", "none") + "ignore: [{files: old.sh, because: the past}]\n",
		"regular.sh":    "export UP_VERSION=0.1.0\n",
		"again.sh":      "export UP_VERSION=0.1.1\n",
		"candidate.sh":  "export UP_VERSION=0.2.0-rc9\n",
		"early.sh":      "export UP_VERSION=0.1.1-rc1\n",
		"old.sh":        "export UP_VERSION=0.0.1\n",
		"newer.sh":      "export UP_VERSION=0.3.0\n",
		"unreleased.sh": "export NONE_VERSION=1.0.0\n",
	}, "v1.0.0")
	got := p.plan()
	want := []string{"org/down up [0.1.1-rc1 0.2.0-rc9] → 0.2.0-rc10 (2, 1 left)", "org/down up [0.1.0] → 0.1.1 (1, 1 left)"}
	if diff := cmp.Diff(want, behind(got)); diff != "" {
		t.Error(diff)
	}
	if !slices.Equal(got.Without, []string{"org/none", "org/up"}) || len(got.Unchecked) != 0 {
		t.Errorf("without %v, unchecked %v", got.Without, got.Unchecked)
	}
}

// With two pages of repositories, unchanged data is neither sent nor fetched again.
func TestWhatHasNotChangedIsNotFetchedAgain(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	const many = 130
	for i := range many {
		if err := p.Forge.CreateRepository(fmt.Sprintf("org/r%03d", i), forge.Repository{Private: i%2 == 0}); err != nil {
			t.Fatal(err)
		}
	}
	p.Forge.Archive("org/r129")
	p.push("org/r003", map[string]string{"delivery.yaml": delivers("r003", "r104"), "f.sh": "R104_VERSION=1.0.0\n"}, "v1.0.0")
	p.push("org/r104", map[string]string{"delivery.yaml": delivers("r104")}, "v1.0.0", "v1.1.0")
	for _, run := range []struct {
		name   string
		before func()
		counts map[string]int
	}{
		// A list of two pages, and 129 questions for delivery.yaml, of which 2 are there. Each of the two is asked for its
		// refs, by one request, and fetched, by one more and the want.
		{"first", func() {}, map[string]int{"api 200": 4, "api 404": 127, "git 200": 4, "pack 200": 2}},
		{"again", func() {}, map[string]int{"api 304": 4, "api 404": 127, "git 200": 2}},
		{"one has moved", func() {
			p.push("org/r003", map[string]string{"delivery.yaml": delivers("r003", "r104"),
				"f.sh": "# more\nR104_VERSION=1.0.0\n", "picture": "\x00" + strings.Repeat("x", 1<<20)})
		}, map[string]int{"api 304": 4, "api 404": 127, "git 200": 3, "pack 200": 1}},
		{"all that is kept is damaged", func() { p.damage() }, map[string]int{"api 200": 4, "api 404": 127, "git 200": 4, "pack 200": 2}},
		{"a damaged entry was replaced", func() {}, map[string]int{"api 304": 4, "api 404": 127, "git 200": 2}},
	} {
		run.before()
		p.counts()
		got := p.plan()
		counts := p.counts()
		if diff := cmp.Diff([]string{"org/r003 r104 [1.0.0] → 1.1.0 (1, 0 left)"}, behind(got)); diff != "" {
			t.Errorf("%s: %s", run.name, diff)
		}
		if len(got.Without) != many-3 || len(got.LeftOut) != 1 || len(got.Unchecked) != 0 {
			t.Errorf("%s: %d without, left out %v, unchecked %v", run.name, len(got.Without), got.LeftOut, got.Unchecked)
		}
		// git first tries without the token, so only successful requests count.
		delete(counts, "git 401")
		if diff := cmp.Diff(run.counts, counts); diff != "" {
			t.Errorf("%s: %s", run.name, diff)
		}
	}
	if size := p.kept(); size > 1<<20 {
		t.Errorf("%d bytes are kept, with a picture among them", size)
	}
	left, err := os.ReadDir(p.survey.Git.Dir)
	if err != nil || len(left) != 0 {
		t.Errorf("left behind in git's folder: %v, %v", left, err)
	}
}

// kept returns the size of the cache, in bytes.
func (p *place) kept() (size int64) {
	entries, err := os.ReadDir(p.cache)
	if err != nil {
		p.t.Fatal(err)
	}
	for _, e := range entries {
		info, err := e.Info()
		if err != nil {
			p.t.Fatal(err)
		}
		size += info.Size()
	}
	return size
}

// damage flips a byte in the middle of each file of the cache.
func (p *place) damage() {
	entries, err := os.ReadDir(p.cache)
	if err != nil || len(entries) == 0 {
		p.t.Fatalf("nothing is kept: %v", err)
	}
	for _, e := range entries {
		name := filepath.Join(p.cache, e.Name())
		data, err := os.ReadFile(name)
		if err == nil {
			data[len(data)/2] ^= 1
			err = os.WriteFile(name, data, 0o600)
		}
		if err != nil {
			p.t.Fatal(err)
		}
	}
}

// Each unreadable repository is reported, and the plan contains the others.
func TestUnchecked(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	p.repository("org/good", forge.Repository{}, map[string]string{"delivery.yaml": delivers("good", "up"), "f.sh": "UP_VERSION=1.0.0\n"}, "v1.0.0")
	p.repository("org/up", forge.Repository{}, map[string]string{"f": ""}, "v1.0.0", "v1.1.0")
	p.repository("org/broken", forge.Repository{}, map[string]string{"delivery.yaml": "version: [1\n\x1b]0;owned\a\n::error::x"})
	p.repository("org/liar", forge.Repository{}, map[string]string{"delivery.yaml": delivers("good")})
	p.repository("org/folder", forge.Repository{}, map[string]string{"delivery.yaml/f": ""})
	p.repository("org/huge", forge.Repository{}, map[string]string{"delivery.yaml": delivers("huge") + strings.Repeat("# much\n", 60_000)})
	p.repository("org/climber", forge.Repository{}, map[string]string{"delivery.yaml": strings.ReplaceAll(delivers("climber", "x"), "org/x", "org/..")})
	p.repository("org/lost", forge.Repository{}, map[string]string{"delivery.yaml": delivers("lost", "gone"), "f.sh": "GONE_VERSION=1.0.0\n"})
	p.repository("org/odd", forge.Repository{}, map[string]string{"delivery.yaml": delivers("odd", "up"),
		"a\x1b[31m.sh": "UP_VERSION=1.0.0\n", "\"\\377\"": ""})
	p.repository("org/refused", forge.Repository{}, map[string]string{"delivery.yaml": delivers("refused")})
	p.repository("org/deaf", forge.Repository{}, map[string]string{"delivery.yaml": delivers("deaf")})
	many := []string{}
	for i := range 101 {
		many = append(many, fmt.Sprintf("c%d", i))
	}
	p.repository("org/many", forge.Repository{}, map[string]string{"delivery.yaml": delivers("many", many...)})
	p.Intercept(func(r networktest.Request) networktest.Fault {
		switch {
		case strings.Contains(r.Path, "/refused/contents"):
			return networktest.Fault{Status: http.StatusForbidden, Body: `{"message":"Resource not accessible by integration"}`}
		case strings.HasPrefix(r.Path, "/org/deaf"):
			return networktest.Fault{CutBefore: true}
		}
		return networktest.Fault{}
	})
	got := p.plan()
	want := map[string]string{
		"org/broken":               "not readable as YAML",
		"org/liar":                 "is about repository org/good",
		"org/folder":               "want a file",
		"org/huge":                 "bytes, want at most 262144",
		"org/climber":              `repository of x is "org/..", want owner/name`,
		"the releases of org/gone": "could not ask",
		"org/refused":              "the token (GITHUB_TOKEN) lacks a permission",
		"org/deaf":                 "could not ask",
		"org/many":                 "declares 102 components",
		"org/odd: \xff":            "its name is not UTF-8",
	}
	for _, o := range got.Unchecked {
		if part := want[o.What]; part == "" || !strings.Contains(o.Because, part) {
			t.Errorf("could not check %q: %s; want %q", o.What, o.Because, part)
		}
		delete(want, o.What)
	}
	for what, because := range want {
		t.Errorf("no report of %q, want %q", what, because)
	}
	if diff := cmp.Diff([]string{"org/good up [1.0.0] → 1.1.0 (1, 0 left)", "org/odd up [1.0.0] → 1.1.0 (1, 0 left)"}, behind(got)); diff != "" {
		t.Error(diff)
	}
	var text bytes.Buffer
	if err := got.Text(&text); err != nil {
		t.Fatal(err)
	}
	for _, shown := range []string{text.String(), got.Mermaid()} {
		basic := base64.StdEncoding.EncodeToString([]byte("x-access-token:" + p.Token()))
		if strings.ContainsAny(shown, "\x1b\a") || strings.Contains(shown, "\n::") || strings.Contains(shown, p.Token()) || strings.Contains(shown, basic) {
			t.Errorf("the output does more than it shows:\n%q", shown)
		}
	}
}

// An absent repository that is named is not one without a delivery.yaml.
func TestNamedRepositories(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	p.repository("org/a", forge.Repository{}, map[string]string{"delivery.yaml": delivers("a", "b"), "f.sh": "B_VERSION=1.0.0\n"})
	p.repository("org/b", forge.Repository{}, map[string]string{"f": ""}, "v1.0.1")
	p.repository("org/c", forge.Repository{}, map[string]string{"delivery.yaml": delivers("c")})
	got, err := p.survey.Repositories(t.Context(), []string{"org/b", "org/a", "org/gone", "org/a"})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"org/a b [1.0.0] → 1.0.1 (1, 0 left)"}, behind(got)); diff != "" {
		t.Error(diff)
	}
	if !slices.Equal(got.Without, []string{"org/b"}) || len(got.Unchecked) != 1 || got.Unchecked[0].What != "org/gone" {
		t.Errorf("without %v, unchecked %v", got.Without, got.Unchecked)
	}
	for _, r := range p.Requests() {
		if strings.Contains(r.Path, "org/c") || strings.Contains(r.Path, "/orgs/") {
			t.Errorf("saw a query of %s, which is not named", r.Path)
		}
	}
	if _, err := p.survey.Organisation(t.Context(), "nobody"); err == nil || !strings.Contains(err.Error(), "organisation nobody") {
		t.Errorf("an organisation that is not there: %v", err)
	}
}

// Two concurrent surveys share the cache, and have the same result.
func TestTwoAtOnce(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	p.repository("org/up", forge.Repository{}, map[string]string{"f": ""}, "v1.0.1")
	for i := range 12 {
		name := fmt.Sprintf("r%d", i)
		p.repository("org/"+name, forge.Repository{}, map[string]string{"delivery.yaml": delivers(name, "up"), "f.sh": "UP_VERSION=1.0.0\n"})
	}
	plans := make([]Document, 2)
	done := make(chan error)
	for i := range plans {
		go func() {
			plan, err := p.survey.Organisation(t.Context(), "org")
			if err == nil {
				plans[i] = plan.Document()
			}
			done <- err
		}()
	}
	for range plans {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	if diff := cmp.Diff(plans[0], plans[1]); diff != "" || len(plans[0].Behind) != 12 || len(plans[0].Unchecked) != 0 {
		t.Errorf("the two differ: %s\n%v", diff, plans[0].Unchecked)
	}
}

// BenchmarkOrganisation surveys 200 repositories at a latency of 50 ms, with an empty cache and with a full one.
func BenchmarkOrganisation(b *testing.B) {
	p := newPlace(b)
	for i := range 200 {
		name := fmt.Sprintf("r%03d", i)
		other := fmt.Sprintf("r%03d", (i+1)%200)
		p.repository("org/"+name, forge.Repository{}, map[string]string{"delivery.yaml": delivers(name, other),
			"f.sh": strings.ToUpper(other) + "_VERSION=1.0.0\n"}, "v1.0.0", "v1.0.1")
	}
	p.Intercept(func(networktest.Request) networktest.Fault { return networktest.Fault{Delay: 50 * time.Millisecond} })
	for _, kept := range []bool{false, true} {
		b.Run(map[bool]string{false: "cold", true: "warm"}[kept], func(b *testing.B) {
			for b.Loop() {
				if !kept {
					empty, err := cache.Open(filepath.Join(p.cache, fmt.Sprint(len(p.Requests()))))
					if err != nil {
						b.Fatal(err)
					}
					p.survey.Keeper = empty
				}
				p.counts()
				if got := p.plan(); len(got.Behind()) != 200 || len(got.Unchecked) != 0 {
					b.Fatalf("%d are behind, unchecked %v", len(got.Behind()), got.Unchecked)
				}
			}
			b.Log(p.counts())
		})
	}
}
