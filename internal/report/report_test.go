package report

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/kubestellar/actions/internal/decide"
)

func example() *Report {
	r := &Report{Component: "us", Version: "1.0.0", Commit: "abc", Failed: "check", Error: "it | failed\n<b>badly</b>",
		Steps:     []Step{{"preflight", 1.25, "saw it"}},
		Artifacts: []Artifact{{"ghcr.io/o/us:1.0.0", "sha256:0123456789abcdef", Proven, "read back"}},
		Findings:  []decide.Finding{{Rule: "exists", File: "f", Line: 1, Column: 2, Saw: "a", Want: "b", Help: "c"}}, Graph: "flowchart LR\n"}
	r.AddUnchecked(decide.Unchecked{What: "y", Because: "stand-in", StandIn: true}, decide.Unchecked{What: "x", Because: "stand-in", StandIn: true})
	r.AddUnchecked(decide.Unchecked{What: "y", Because: "stand-in", StandIn: true})
	return r
}

func TestWriteAndRead(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := example().Write(dir); err != nil {
		t.Fatal(err)
	}
	back, err := Read(dir)
	if diff := cmp.Diff(example(), back); diff != "" || err != nil {
		t.Errorf("%v\n%s", err, diff)
	}
}

func TestMarkdownKeepsTextInItsPlace(t *testing.T) {
	t.Parallel()
	text := example().Markdown()
	for _, want := range []string{"# us 1.0.0", `**Failed at step check:** it \| failed<br>&lt;b>badly&lt;/b>`,
		"| `ghcr.io/o/us:1.0.0` | `sha256:0123456789abcdef` | proven | read back |",
		"- f:1:2: saw a, want b; c (exists)", "```mermaid\nflowchart LR\n```"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is missing in\n%s", want, text)
		}
	}
}

func TestTable(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	example().Table(&out)
	for _, want := range []string{"us 1.0.0 from commit abc", "sha256:0123456789ab  proven", "Could not check (2):\n  x: stand-in\n  y: stand-in\n"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is missing in\n%s", want, out.String())
		}
	}
}

func TestOnlyStandIns(t *testing.T) {
	t.Parallel()
	r := example()
	if !r.OnlyStandIns() {
		t.Error("nothing but stand-ins is open")
	}
	r.AddUnchecked(decide.Unchecked{What: "y", Because: "401"}) // another reason for the same
	if r.OnlyStandIns() {
		t.Error("something else is open")
	}
}

func TestLog(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	now := time.Unix(0, 0)
	log := &Log{Out: &out, Now: func() time.Time { now = now.Add(time.Second); return now }}
	broken := errors.New("broken")
	if err := log.Step("one", func() (string, error) { return "done", nil }); err != nil {
		t.Error(err)
	}
	err := log.Step("two", func() (string, error) { return "", broken })
	var failed *StepError
	if !errors.As(err, &failed) || failed.Step != "two" || !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
	if want := "✓ one           1.0s  done\n✗ two           1.0s  failed\n"; out.String() != want {
		t.Errorf("printed %q, want %q", out.String(), want)
	}
	if len(log.Steps) != 1 {
		t.Errorf("steps: %+v", log.Steps)
	}
}
