package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/sethvargo/go-githubactions"

	"github.com/kubestellar/actions/internal/report"
)

// outputsOf are the outputs that a command gives to the later steps of a job.
// test/actions reads this list, and holds the actions to it.
var outputsOf = map[string][]string{
	"bump":       {"component", "version", "state", "commit", "pull-request-number", "pull-request-url"},
	"dispatch":   {"component", "version", "state", "run-url", "conclusion", "pull-request-number", "pull-request-url", "receivers"},
	"goreleaser": {"version", "commit", "images", "digest", "checksums"},
	"image":      {"version", "image", "digest"},
	"prove":      {"component", "version", "commit", "conclusion"},
	"tag":        {"version", "tag", "commit"},
	"verify":     {"references", "findings", "warnings", "unchecked"},
}

// output gives values to the later steps of the job, where there is one. A value
// is one line: the library ends many with a word that everybody knows.
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

// summarize puts a part into the job's summary, where there is a job.
func (p process) summarize(markdown string) {
	if p.Getenv("GITHUB_STEP_SUMMARY") == "" {
		return
	}
	p.actions().AddStepSummary(markdown)
}

// annotate makes an error an annotation of the run, where there is one. Runners
// read commands off both streams; what is printed for programs stays whole.
func (p process) annotate(err error) {
	p.Stdout = p.Stderr
	if p.Getenv("GITHUB_ACTIONS") == "true" {
		p.actions().Errorf("%s", plainLines(err.Error()))
	}
}

// plainLines is a text of several lines, each of which shows and does nothing.
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
