package gh

import (
	"context"
	"net/url"
)

// CheckState is what a check has come to.
type CheckState int

// The states of a check.
const (
	Green   CheckState = iota
	Running            // it has not come to its end
	Failed
)

// Check is a check run or a status on a commit: both are what GitHub calls a
// status check.
type Check struct {
	Name  string
	State CheckState
	Saw   string // GitHub's own word, such as in_progress or timed_out
	URL   string // the page that tells more, or ""
}

// Checks are the latest of each check run and status on a commit.
func (c *Client) Checks(ctx context.Context, repository, commit string) ([]Check, error) {
	runs, err := within[struct {
		Name, Status, Conclusion string
		URL                      string `json:"details_url"`
	}](ctx, c, "repos/"+repository+"/commits/"+commit+"/check-runs?filter=latest&per_page=100", "check_runs")
	if err != nil {
		return nil, err
	}
	statuses, err := within[struct {
		Context, State string
		URL            string `json:"target_url"`
	}](ctx, c, "repos/"+repository+"/commits/"+commit+"/status?per_page=100", "statuses")
	if err != nil {
		return nil, err
	}
	var all []Check
	for _, r := range runs {
		state, saw := stateOfRun(r.Status, r.Conclusion)
		all = append(all, Check{r.Name, state, saw, r.URL})
	}
	for _, s := range statuses {
		all = append(all, Check{s.Context, stateOfStatus(s.State), s.State, s.URL})
	}
	return all, nil
}

// Dispatched are the ids of the runs on a commit that were started by hand or by an event
// from outside.
func (c *Client) Dispatched(ctx context.Context, repository, commit string) ([]int64, error) {
	var all []int64
	for _, event := range []string{"repository_dispatch", "workflow_dispatch"} {
		runs, err := within[struct{ ID int64 }](ctx, c, "repos/"+repository+"/actions/runs?head_sha="+commit+"&event="+event+"&per_page=100", "workflow_runs")
		if err != nil {
			return nil, err
		}
		for _, r := range runs {
			all = append(all, r.ID)
		}
	}
	return all, nil
}

// stateOfRun is green for what GitHub lets a pull request be merged with:
// https://docs.github.com/en/pull-requests/collaborating-with-pull-requests/collaborating-on-repositories-with-code-quality-features/about-status-checks
func stateOfRun(status, conclusion string) (CheckState, string) {
	switch {
	case status != "completed":
		return Running, status
	case conclusion == "success" || conclusion == "neutral" || conclusion == "skipped":
		return Green, conclusion
	}
	return Failed, conclusion
}

func stateOfStatus(state string) CheckState {
	switch state {
	case "success":
		return Green
	case "pending":
		return Running
	}
	return Failed
}

// Required are the checks that rulesets demand of a branch. Those of classic
// branch protection are not among them: few tokens may read these.
func (c *Client) Required(ctx context.Context, repository, branch string) ([]string, error) {
	type rule struct {
		Type       string
		Parameters struct {
			Checks []struct{ Context string } `json:"required_status_checks"`
		}
	}
	rules, err := list[rule](ctx, c, "repos/"+repository+"/rules/branches/"+url.PathEscape(branch)+"?per_page=100")
	var names []string
	for _, r := range rules {
		for _, check := range r.Parameters.Checks {
			names = append(names, check.Context)
		}
	}
	return names, err
}

// Merged is the commit that a merge commit brought to its branch, "" for any
// other commit. It is asked for here since a workflow's clone lacks parents.
func (c *Client) Merged(ctx context.Context, repository, commit string) (string, error) {
	var answer struct {
		Parents []struct{ SHA string }
	}
	err := c.get(ctx, "repos/"+repository+"/commits/"+commit, &answer)
	const merge = 2 // where it was merged into, and what was merged
	if err != nil || len(answer.Parents) != merge {
		return "", err
	}
	return answer.Parents[merge-1].SHA, nil
}
