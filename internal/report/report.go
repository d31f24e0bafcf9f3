// Package report holds the results of a run, and prints them as text, Markdown and JSON.
package report

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/kubestellar/actions/internal/decide"
)

// State is the state of an association.
type State string

// The states of an association.
const (
	Proven    State = "proven"
	Refuted   State = "refuted"
	Unchecked State = "could not check"
)

// Report is the result of a release.
type Report struct {
	Component string             `json:"component"`
	Version   string             `json:"version"`
	Commit    string             `json:"commit"`
	Failed    string             `json:"failed,omitempty"` // the step that failed
	Error     string             `json:"error,omitempty"`
	Steps     []Step             `json:"steps"`
	Artifacts []Artifact         `json:"artifacts"`
	Findings  []decide.Finding   `json:"findings"`
	Unchecked []decide.Unchecked `json:"unchecked"`
	Graph     string             `json:"graph"` // Mermaid
	Proof     *Proof             `json:"proof,omitempty"`
	// Subjects lists the built images, charts and files for an attestation, once they are checked.
	Subjects []Subject `json:"subjects,omitempty"`
}

// Subject is an artifact that can be attested.
type Subject struct {
	Name   string `json:"name"`   // a location without a tag, or a file's name
	Digest string `json:"digest"` // sha256:…
}

// Step is a step of a run that succeeded.
type Step struct {
	Name    string  `json:"name"`
	Seconds float64 `json:"seconds"`
	Did     string  `json:"did"`
}

// Artifact is a published artifact of a release.
type Artifact struct {
	Name   string `json:"name"`
	Digest string `json:"digest"`
	State  State  `json:"state"`
	How    string `json:"checked"`
}

// AddUnchecked adds what could not be checked, each thing and reason once, and sorts the list.
func (r *Report) AddUnchecked(list ...decide.Unchecked) {
	for _, u := range list {
		if !slices.Contains(r.Unchecked, u) {
			r.Unchecked = append(r.Unchecked, u)
		}
	}
	slices.SortFunc(r.Unchecked, func(a, b decide.Unchecked) int { return strings.Compare(a.What, b.What) })
}

// OnlyStandIns reports whether everything unchecked is a stand-in.
func (r *Report) OnlyStandIns() bool {
	return !slices.ContainsFunc(r.Unchecked, func(u decide.Unchecked) bool { return !u.StandIn })
}

// Log prints steps as they end.
type Log struct {
	Out   io.Writer
	Now   func() time.Time
	Steps []Step
}

// Step runs a step and prints a line with its name, its duration and its result. An error is returned with the step's
// name.
func (l *Log) Step(name string, do func() (did string, err error)) error {
	start := l.Now()
	did, err := do()
	step := Step{name, l.Now().Sub(start).Seconds(), did}
	if err != nil {
		fmt.Fprintf(l.Out, "✗ %-10s %6.1fs  failed\n", name, step.Seconds)
		return &StepError{name, err}
	}
	l.Steps = append(l.Steps, step)
	fmt.Fprintf(l.Out, "✓ %-10s %6.1fs  %s\n", name, step.Seconds, did)
	return nil
}

// StepError is the error of a step.
type StepError struct {
	Step string
	Err  error
}

func (e *StepError) Error() string { return fmt.Sprintf("step %q: %v", e.Step, e.Err) }

func (e *StepError) Unwrap() error { return e.Err }

// Table prints the artifacts and what could not be checked.
func (r *Report) Table(w io.Writer) {
	fmt.Fprintf(w, "\n%s %s from commit %s\n\n", r.Component, r.Version, r.Commit)
	t := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	fmt.Fprintln(t, "ARTIFACT\tDIGEST\tSTATE\tCHECKED")
	for _, a := range r.Artifacts {
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\n", Plain(a.Name), short(a.Digest), a.State, Plain(a.How))
	}
	_ = t.Flush() // w keeps its own errors
	if len(r.Unchecked) > 0 {
		fmt.Fprintf(w, "\nCould not check (%d):\n", len(r.Unchecked))
	}
	for _, o := range r.Unchecked {
		fmt.Fprintf(w, "  %s: %s\n", Plain(o.What), Plain(o.Because))
	}
	for _, f := range r.Findings {
		fmt.Fprintf(w, "  %s\n", Plain(f.String()))
	}
}

// short returns a digest's algorithm and first digits.
func short(digest string) string {
	const most = len("sha256:") + 12
	return digest[:min(len(digest), most)]
}

// Write writes report.json and report.md into a folder, and subjects.txt if there are subjects to attest.
func (r *Report) Write(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("writing the report: %w", err)
	}
	data, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "report.json"), append(data, '\n'), 0o644); err != nil {
		return fmt.Errorf("writing the report: %w", err)
	}
	if err := os.WriteFile(filepath.Join(dir, "report.md"), []byte(r.Markdown()), 0o644); err != nil {
		return fmt.Errorf("writing the report: %w", err)
	}
	if len(r.Subjects) == 0 || r.Failed != "" {
		// A file of an earlier run would be attested as this run's.
		if err := os.Remove(filepath.Join(dir, "subjects.txt")); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("writing the report: %w", err)
		}
		return nil
	}
	if err := os.WriteFile(filepath.Join(dir, "subjects.txt"), []byte(r.checksums()), 0o644); err != nil {
		return fmt.Errorf("writing the report: %w", err)
	}
	return nil
}

// checksums returns the subjects in the format of sha256sum, which actions/attest reads.
func (r *Report) checksums() string {
	var b strings.Builder
	for _, s := range r.Subjects {
		fmt.Fprintf(&b, "%s  %s\n", strings.TrimPrefix(s.Digest, "sha256:"), s.Name)
	}
	return b.String()
}

// Read reads the report.json of a folder.
func Read(dir string) (*Report, error) {
	data, err := os.ReadFile(filepath.Join(dir, "report.json"))
	if err != nil {
		return nil, fmt.Errorf("reading the report: %w", err)
	}
	var r Report
	if err := json.Unmarshal(data, &r); err != nil {
		return nil, fmt.Errorf("reading the report: %w", err)
	}
	return &r, nil
}

// Markdown returns the report as a job summary.
func (r *Report) Markdown() string {
	var b strings.Builder
	fmt.Fprintf(&b, "# %s %s\n\nFrom commit `%s`.\n", r.Component, r.Version, r.Commit)
	if r.Failed != "" {
		fmt.Fprintf(&b, "\n**Failed at step %s:** %s\n", r.Failed, Cell(r.Error))
	}
	b.WriteString("\n| artifact | digest | state | checked |\n|---|---|---|---|\n")
	for _, a := range r.Artifacts {
		fmt.Fprintf(&b, "| `%s` | `%s` | %s | %s |\n", Cell(a.Name), a.Digest, a.State, Cell(a.How))
	}
	if len(r.Unchecked) > 0 {
		b.WriteString("\n## Could not check\n\n| what | because |\n|---|---|\n")
	}
	for _, o := range r.Unchecked {
		fmt.Fprintf(&b, "| %s | %s |\n", Cell(o.What), Cell(o.Because))
	}
	if len(r.Findings) > 0 {
		b.WriteString("\n## Findings\n\n")
	}
	for _, f := range r.Findings {
		fmt.Fprintf(&b, "- %s\n", Cell(f.String()))
	}
	if r.Proof != nil {
		b.WriteString(r.Proof.Markdown())
	}
	b.WriteString("\n## Steps\n\n| step | seconds | did |\n|---|---:|---|\n")
	for _, s := range r.Steps {
		fmt.Fprintf(&b, "| %s | %.1f | %s |\n", s.Name, s.Seconds, Cell(s.Did))
	}
	if r.Graph != "" {
		fmt.Fprintf(&b, "\n## What refers to what\n\n```mermaid\n%s```\n", r.Graph)
	}
	return b.String()
}

// Count returns a number and its noun, such as "2 charts".
func Count(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}
