package verify_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/kubestellar/actions/internal/chart"
	"github.com/kubestellar/actions/internal/decide"
	"github.com/kubestellar/actions/internal/delivery"
	"github.com/kubestellar/actions/internal/find"
	"github.com/kubestellar/actions/internal/outcome"
	"github.com/kubestellar/actions/internal/ref"
	"github.com/kubestellar/actions/internal/resolve"
	"github.com/kubestellar/actions/internal/verify"
)

const declared = `version: 1
self: us
components:
  us: {repository: o/us, artifacts: {image: {kind: image, at: ghcr.io/o/us}}}
  up:
    repository: o/up
    artifacts:
      image: {kind: image, at: ghcr.io/o/up}
      chart: {kind: chart, at: ghcr.io/o/chart}
`

// published is a Resolver and a source of charts, in memory.
type published struct {
	standIns map[string]string // by the names of targets
	broken   map[string]error
	absent   map[string]bool
	charts   map[string]string // name of the target → the image that the chart runs

	mu     sync.Mutex
	asked  map[string]int
	digest string
	commit string
}

func (p *published) Resolve(_ context.Context, t resolve.Target) resolve.Answer {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.asked == nil {
		p.asked = map[string]int{}
	}
	name := t.Name()
	p.asked[name]++
	err := p.broken[name]
	if p.absent[name] {
		err = fmt.Errorf("looking for %s: %w", name, outcome.ErrAbsent)
	}
	return resolve.Answer{Target: t, Digest: p.digest, Revision: p.commit, StandIn: p.standIns[name], Err: err}
}

func (p *published) Chart(_ context.Context, at, tag string) ([]byte, error) {
	image, ok := p.charts[at+":"+tag]
	if !ok {
		return nil, errors.New("no such package")
	}
	c, err := chart.LoadFS(fstest.MapFS{
		"Chart.yaml":            {Data: []byte("apiVersion: v2\nname: chart\nversion: 1.0.0\n")},
		"templates/object.yaml": {Data: []byte("image: " + image + "\n")},
	}, ".")
	if err != nil {
		return nil, err
	}
	return c.Package(time.Unix(0, 0))
}

// check verifies a tree of one file, f.sh, and returns the result in short.
func check(t *testing.T, config string, p *published, own ref.Version, standIns decide.StandIns, text string) (verify.Result, string) {
	t.Helper()
	f, err := delivery.Parse(delivery.FileName, []byte(config))
	if err != nil {
		t.Fatal(err)
	}
	found, err := find.New(f).Tree(t.Context(), fstest.MapFS{"f.sh": {Data: []byte(text)}})
	if err != nil {
		t.Fatal(err)
	}
	result := verify.Offline(f, found, nil)
	asker := verify.Asker{File: f, Resolver: p, Charts: p.Chart, Own: own, StandIns: standIns}
	if err := asker.Check(t.Context(), found.References, nil, &result); err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for _, finding := range result.Findings {
		fmt.Fprintln(&b, finding)
	}
	for _, u := range result.Unchecked {
		fmt.Fprintf(&b, "? %s: %s\n", u.What, u.Because)
	}
	return result, b.String()
}

func TestCheck(t *testing.T) {
	t.Parallel()
	const image, chartLine = "image: ghcr.io/o/up:1.2.3\n", "helm install x oci://ghcr.io/o/chart --version 1.2.3\n"
	digest := "sha256:" + strings.Repeat("0", 64)
	for name, test := range map[string]struct {
		config    string
		published *published
		standIns  decide.StandIns
		text      string
		want      string
		code      outcome.Code
	}{
		"everything is published": {text: image},
		"an absent image": {
			published: &published{absent: map[string]bool{"ghcr.io/o/up:1.2.3": true}}, text: image, code: outcome.Wrong,
			want: "f.sh:1:21: saw image ghcr.io/o/up:1.2.3, which does not exist, want a published version; " +
				"publish it first, or name a version that exists (exists)\n",
		},
		"an image that could not be queried": {
			published: &published{broken: map[string]error{"ghcr.io/o/up:1.2.3": errors.New("down")}}, text: image, code: outcome.Unchecked,
			want: "? image ghcr.io/o/up:1.2.3, named at f.sh:1:21: down\n",
		},
		"the first of two places": {
			published: &published{absent: map[string]bool{"ghcr.io/o/up:1.2.3": true}}, text: "\n" + image + image, code: outcome.Wrong,
			want: "f.sh:2:21: saw image ghcr.io/o/up:1.2.3, which does not exist, want a published version; " +
				"publish it first, or name a version that exists (exists)\n",
		},
		"a stand-in, listed": {
			published: &published{standIns: map[string]string{"ghcr.io/o/up:1.2.3": "made up"}}, text: image, code: outcome.Unchecked,
			want: "? image ghcr.io/o/up:1.2.3, named at f.sh:1:21: stand-in: made up\n",
		},
		"a stand-in, refused": {
			published: &published{standIns: map[string]string{"ghcr.io/o/up:1.2.3": "made up"}},
			standIns:  decide.RefuseStandIns, text: image, code: outcome.Wrong,
			want: "f.sh:1:21: saw image ghcr.io/o/up:1.2.3, which is a stand-in: made up, want the real artifact; " +
				"stand-ins are only valid in a rehearsal (stand-in)\n",
		},
		"an excused image": {
			config:    "ignore: [{target: 'ghcr.io/o/up:1.2.3', because: x}]\n",
			published: &published{absent: map[string]bool{"ghcr.io/o/up:1.2.3": true}}, text: image,
		},
		"an idle excuse": {
			config: "ignore: [{target: 'ghcr.io/o/up:9.9.9', because: x}]\n", text: image, code: outcome.Wrong,
			want: "delivery.yaml:10:1: saw an entry of ignore for target \"ghcr.io/o/up:9.9.9\", which nothing names, want an effect; " +
				"correct or remove it (idle-excuse)\n",
		},
		"an idle excuse that only warns": {
			config: "ignore: [{target: 'ghcr.io/o/up:9.9.9', because: x}]\nrules: {idle-excuse: {level: warn, because: x}}\n", text: image,
			want: "delivery.yaml:10:1: saw an entry of ignore for target \"ghcr.io/o/up:9.9.9\", which nothing names, want an effect; " +
				"correct or remove it (idle-excuse)\n",
		},
		"an image that a chart runs": {
			published: &published{
				charts: map[string]string{"ghcr.io/o/chart:1.2.3": "ghcr.io/o/up:1.2.3"},
				absent: map[string]bool{"ghcr.io/o/up:1.2.3": true},
			},
			text: chartLine, code: outcome.Wrong,
			want: "f.sh:1:48: saw image ghcr.io/o/up:1.2.3, named at the rendering of chart ghcr.io/o/chart:1.2.3, named at f.sh:1:48, which does not exist, " +
				"want a published version; publish it first, or name a version that exists (exists)\n",
		},
		"an undeclared image that a chart runs": {
			published: &published{charts: map[string]string{"ghcr.io/o/chart:1.2.3": "ghcr.io/else/x:7"}, absent: map[string]bool{"ghcr.io/else/x:7": true}},
			text:      chartLine, code: outcome.Wrong,
			want: "f.sh:1:48: saw image ghcr.io/else/x:7, named at the rendering of chart ghcr.io/o/chart:1.2.3, named at f.sh:1:48, which does not exist, " +
				"want a published version; publish it first, or name a version that exists (exists)\n",
		},
		"a chart that runs latest": {
			published: &published{charts: map[string]string{"ghcr.io/o/chart:1.2.3": "ghcr.io/else/x:latest"}}, text: chartLine, code: outcome.Wrong,
			want: "f.sh:1:48: saw image ghcr.io/else/x:latest in chart/templates/object.yaml of the rendering of chart ghcr.io/o/chart:1.2.3, " +
				"named at f.sh:1:48, want a version, not latest; correct the chart's template or values (rendered-image)\n",
		},
		"a chart that could not be fetched": {
			text: chartLine, code: outcome.Unchecked,
			want: "? the rendering of chart ghcr.io/o/chart:1.2.3, named at f.sh:1:48: no such package\n",
		},
		"an absent chart is not rendered": {
			published: &published{absent: map[string]bool{"ghcr.io/o/chart:1.2.3": true}}, text: chartLine, code: outcome.Wrong,
			want: "f.sh:1:48: saw chart ghcr.io/o/chart:1.2.3, which does not exist, want a published version; " +
				"publish it first, or name a version that exists (exists)\n",
		},
		"a digest of another image": {
			published: &published{digest: "sha256:1"}, text: "image: ghcr.io/o/up:1.2.3@" + digest + "\n", code: outcome.Wrong,
			want: "f.sh:1:21: saw " + digest + " beside 1.2.3, want sha256:1; they name different artifacts: ghhelper bump moves both together (digest)\n",
		},
		"the digest of a stand-in": {
			published: &published{digest: "sha256:1", standIns: map[string]string{"ghcr.io/o/up:1.2.3": "made up"}},
			text:      "image: ghcr.io/o/up:1.2.3@" + digest + "\n", code: outcome.Unchecked,
			want: "? image ghcr.io/o/up:1.2.3, named at f.sh:1:21: stand-in: made up\n",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			result, got := check(t, declared+test.config, cmp.Or(test.published, &published{}), ref.Version{}, test.standIns, test.text)
			if diff := gocmp.Diff(test.want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			if code := outcome.Of(result.Err(false)); code != test.code {
				t.Errorf("exit code %d, want %d", code, test.code)
			}
		})
	}
}

// A comment with a version that is not that of the commit before it is a finding, in documents too.
func TestCommitsInDocuments(t *testing.T) {
	t.Parallel()
	f, err := delivery.Parse(delivery.FileName, []byte(declared))
	if err != nil {
		t.Fatal(err)
	}
	right, wrong := strings.Repeat("a", 40), strings.Repeat("b", 40)
	for _, test := range []struct{ file, text string }{
		{"guide.md", "```yaml\nsteps:\n- uses: o/up@%s # v1.2.3\n```\n"},
		{"guide.md", "Write `uses: o/up/setup@%s # v1.2.3` in your workflow.\n"},
		{"guide.md", "For example:\n\n    - uses: o/up@%s # v1.2.3\n"},
		{"guide.md", "Such as `uses: o/up@%s # v1.2.3`.\n"},
		{".github/workflows/ci.yml", "jobs:\n  x:\n    steps:\n    - uses: o/up@%s # v1.2.3\n"},
	} {
		for _, commit := range []string{right, wrong} {
			found := find.New(f).Look(test.file, []byte(fmt.Sprintf(test.text, commit)))
			var result verify.Result
			asker := verify.Asker{File: f, Resolver: &published{commit: right}}
			if err := asker.Check(t.Context(), found.References, nil, &result); err != nil {
				t.Fatal(err)
			}
			if len(found.References) != 1 || (len(result.Findings) == 1 && result.Findings[0].Rule == "digest") != (commit == wrong) {
				t.Errorf("%s: %q with %s: %v", test.file, test.text, commit, result.Findings)
			}
		}
	}
}

// Each target is queried once, however often it is named, in the tree or by charts.
func TestQueriesOnce(t *testing.T) {
	t.Parallel()
	p := &published{charts: map[string]string{"ghcr.io/o/chart:1.2.3": "ghcr.io/o/up:1.2.3", "ghcr.io/o/chart:1.2.2": "ghcr.io/o/up:1.2.3"}}
	text := strings.Repeat("image: ghcr.io/o/up:1.2.3\n", 5) +
		"helm install x oci://ghcr.io/o/chart --version 1.2.3\nhelm install x oci://ghcr.io/o/chart --version 1.2.2\n"
	result, _ := check(t, declared, p, ref.Version{}, decide.ListStandIns, text)
	want := map[string]int{"ghcr.io/o/up:1.2.3": 1, "ghcr.io/o/chart:1.2.3": 1, "ghcr.io/o/chart:1.2.2": 1}
	if diff := gocmp.Diff(want, p.asked); diff != "" || result.Targets != len(want) {
		t.Errorf("%d targets, -want +got:\n%s", result.Targets, diff)
	}
}

// A placeholder is queried only if a version of our own is given.
func TestPlaceholders(t *testing.T) {
	t.Parallel()
	own, err := ref.ParseVersion("4.5.6")
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		own  ref.Version
		want map[string]int
	}{{ref.Version{}, nil}, {own, map[string]int{"ghcr.io/o/us:4.5.6": 1}}} {
		p := &published{}
		check(t, declared, p, test.own, decide.ListStandIns, "image: ghcr.io/o/us:0.0.0-unstamped\n")
		if diff := gocmp.Diff(test.want, p.asked); diff != "" {
			t.Errorf("own version %q, -want +got:\n%s", test.own, diff)
		}
	}
}

func TestErr(t *testing.T) {
	t.Parallel()
	standIn, open := decide.Unchecked{What: "x", StandIn: true}, decide.Unchecked{What: "x"}
	finding, warning := decide.Finding{Rule: "x"}, decide.Finding{Rule: "x", Warning: true}
	for _, test := range []struct {
		findings  []decide.Finding
		unchecked []decide.Unchecked
		accept    bool
		code      outcome.Code
		text      string
	}{
		{nil, nil, false, outcome.Fine, ""},
		{[]decide.Finding{warning}, nil, false, outcome.Fine, ""},
		{[]decide.Finding{finding}, nil, true, outcome.Wrong, "1 finding"},
		{[]decide.Finding{finding, warning}, []decide.Unchecked{open}, false, outcome.Wrong, "1 finding; 1 could not be checked"},
		{nil, []decide.Unchecked{standIn}, false, outcome.Unchecked, "1 thing could not be checked"},
		{nil, []decide.Unchecked{standIn}, true, outcome.Fine, ""},
		{nil, []decide.Unchecked{standIn, open}, true, outcome.Unchecked, "1 thing could not be checked"},
	} {
		err := verify.Result{Findings: test.findings, Unchecked: test.unchecked}.Err(test.accept)
		text := ""
		if err != nil {
			text = err.Error()
		}
		if outcome.Of(err) != test.code || text != test.text {
			t.Errorf("%+v: %v with code %d", test, err, outcome.Of(err))
		}
	}
}
