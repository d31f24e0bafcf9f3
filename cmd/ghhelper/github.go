package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/sethvargo/go-githubactions"

	"github.com/kubestellar/actions/internal/report"
)

// outputsOf lists the outputs that a command sets for later steps of a job.
// test/actions reads this list, and checks the actions against it.
var outputsOf = map[string][]string{
	"bump": {"component", "version", "state", "commit", "pull-request-number", "pull-request-url"},
	"dispatch": {"component", "version", "state", "run-url", "conclusion", "pull-request-number", "pull-request-url",
		"receivers"},
	"goreleaser": {"version", "commit", "images", "digest", "checksums"},
	"image":      {"version", "image", "digest"},
	"prove":      {"component", "version", "commit", "conclusion"},
	"tag":        {"version", "tag", "commit"},
	"verify":     {"references", "findings", "warnings", "unchecked"},
}

// output sets outputs for later steps, in a job. A value is one line, because the
// library ends longer values with a known word, which a value may contain.
func (p process) output(command string, values map[string]string) {
	if p.Getenv("GITHUB_OUTPUT") == "" {
		return
	}
	for _, name := range slices.Sorted(maps.Keys(values)) {
		if !slices.Contains(outputsOf[command], name) {
			panic(fmt.Sprintf("%s has no output %s: outputsOf lists them", command, name))
		}
		p.actions().SetOutput(name, report.Plain(values[name]))
	}
}

// summarize adds a part to the job's summary, in a job.
func (p process) summarize(markdown string) {
	if p.Getenv("GITHUB_STEP_SUMMARY") == "" {
		return
	}
	p.actions().AddStepSummary(markdown)
}

// annotate adds an error to the run's annotations, in a job. It writes to stderr,
// because runners read both streams and stdout may have JSON.
func (p process) annotate(err error) {
	p.Stdout = p.Stderr
	if p.Getenv("GITHUB_ACTIONS") == "true" {
		p.actions().Errorf("%s", plainLines(err.Error()))
	}
}

// plainLines escapes each line of a text, so that none is a command of the runner.
func plainLines(text string) string {
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		lines[i] = report.Plain(line)
	}
	return strings.Join(lines, "\n")
}

func (p process) actions() *githubactions.Action {
	return githubactions.New(githubactions.WithWriter(p.Stdout), githubactions.WithGetenv(p.Getenv))
}
