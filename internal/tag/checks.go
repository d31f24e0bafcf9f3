package tag

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/kubestellar/actions/internal/decide"
	"github.com/kubestellar/actions/internal/gh"
	"github.com/kubestellar/actions/internal/report"
)

// checked checks that every check on the commit is green, and every check that rulesets require for its branches.
func (t *Tagger) checked(ctx context.Context, branches []string) check {
	checks, err := t.Forge.Checks(ctx, t.repository(), t.Commit)
	if err != nil {
		return check{err: err}
	}
	checks = slices.DeleteFunc(checks, func(c gh.Check) bool {
		return t.OwnRun != "" && strings.Contains(c.URL, "/actions/runs/"+t.OwnRun+"/")
	})
	required, err := t.required(ctx, branches)
	if err != nil {
		return check{err: err}
	}
	if checks, err = t.ofCommit(ctx, checks, required); err != nil {
		return check{err: err}
	}
	proposed, err := t.proposed(ctx, missing(checks, required))
	if err != nil {
		return check{err: err}
	}
	findings, open := judge(checks, missing(slices.Concat(checks, proposed), required))
	return check{describeChecks(len(checks), len(required)), findings, open}
}

// ofCommit returns the checks without those of dispatched runs, unless a check is required. A dispatched run, such as a
// bump, is not about the commit of its branch.
func (t *Tagger) ofCommit(ctx context.Context, checks []gh.Check, required []string) ([]gh.Check, error) {
	open := func(c gh.Check) bool { return c.State != gh.Green && !slices.Contains(required, c.Name) }
	if !slices.ContainsFunc(checks, open) {
		return checks, nil
	}
	runs, err := t.Forge.DispatchedRuns(ctx, t.repository(), t.Commit)
	return slices.DeleteFunc(checks, func(c gh.Check) bool {
		return open(c) && slices.ContainsFunc(runs, func(id int64) bool {
			return strings.Contains(c.URL, fmt.Sprintf("/actions/runs/%d/", id))
		})
	}), err
}

func describeChecks(checks, required int) string {
	if checks == 0 && required == 0 {
		return "no check is required, and none has run"
	}
	return fmt.Sprintf("%s green, %d required", report.Count(checks, "check"), required)
}

// required returns the names of the checks that must be green.
func (t *Tagger) required(ctx context.Context, branches []string) ([]string, error) {
	var names []string
	for _, branch := range branches {
		some, err := t.Forge.RequiredChecks(ctx, t.repository(), branch)
		if err != nil {
			return nil, err
		}
		names = append(names, some...)
	}
	slices.Sort(names)
	return slices.Compact(names), nil
}

// proposed returns the green checks of the commit that a merge commit merged, if required checks are missing on the
// merge commit. Many checks run only on pull requests.
func (t *Tagger) proposed(ctx context.Context, missing []string) ([]gh.Check, error) {
	if len(missing) == 0 {
		return nil, nil
	}
	merged, err := t.Forge.MergedCommit(ctx, t.repository(), t.Commit)
	if err != nil || merged == "" {
		return nil, err
	}
	checks, err := t.Forge.Checks(ctx, t.repository(), merged)
	return slices.DeleteFunc(checks, func(c gh.Check) bool { return c.State != gh.Green }), err
}

// missing returns the required checks without a result.
func missing(checks []gh.Check, required []string) []string {
	return slices.DeleteFunc(slices.Clone(required), func(name string) bool {
		return slices.ContainsFunc(checks, func(c gh.Check) bool { return c.Name == name })
	})
}

// judge returns a finding for each failed check, and an error for the checks that run or have no result.
func judge(checks []gh.Check, missing []string) ([]decide.Finding, error) {
	var findings []decide.Finding
	var open []error
	for _, c := range checks {
		switch c.State {
		case gh.Failed:
			findings = append(findings, decide.Finding{
				Rule: "checks",
				Saw:  fmt.Sprintf("check %q with %q", c.Name, c.Saw),
				Want: "every check green",
				Help: strings.TrimSpace("run it again, or take a commit on which it is green " + c.URL),
			})
		case gh.Running:
			open = append(open, fmt.Errorf("could not check %q: it is %s: wait for it", c.Name, c.Saw))
		}
	}
	for _, name := range missing {
		open = append(open, fmt.Errorf("could not check %q: it is required, and has no result for this commit "+
			"or the one it merged", name))
	}
	return findings, errors.Join(open...)
}
