package main

import (
	"github.com/sethvargo/go-githubactions"

	"github.com/kubestellar/actions/internal/report"
)

// summarize puts the report into the job summary, where there is a job.
func (w world) summarize(rep *report.Report) {
	if w.Getenv("GITHUB_STEP_SUMMARY") == "" {
		return
	}
	w.actions().AddStepSummary(rep.Markdown())
}

// annotate makes an error an annotation of the run, where there is one. Runners
// read commands off both streams; what is printed for programs stays whole.
func (w world) annotate(err error) {
	w.Stdout = w.Stderr
	if w.Getenv("GITHUB_ACTIONS") == "true" {
		w.actions().Errorf("%s", err)
	}
}

func (w world) actions() *githubactions.Action {
	return githubactions.New(githubactions.WithWriter(w.Stdout), githubactions.WithGetenv(w.Getenv))
}
