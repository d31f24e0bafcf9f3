package gh

import (
	"cmp"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/google/go-github/v62/github"
)

// Workflow is a workflow of a repository.
type Workflow struct {
	Path  string // the workflow's file
	State string
}

// Active reports whether the workflow is enabled.
func (w Workflow) Active() bool { return w.State == "active" }

// Workflows returns the workflows on a repository's default branch.
func (c *Client) Workflows(ctx context.Context, repository string) ([]Workflow, error) {
	return within[Workflow](ctx, c, "repos/"+repository+"/actions/workflows?per_page=100", "workflows")
}

// maxFile is the largest file in bytes whose content GitHub includes in JSON.
// https://docs.github.com/en/rest/repos/contents#get-repository-content
const maxFile = 1 << 20

// ReadFile returns the content of a repository's file at a ref, or on the default
// branch if ref is empty.
func (c *Client) ReadFile(ctx context.Context, repository, path, ref string) ([]byte, error) {
	at := "repos/" + repository + "/contents/" + (&url.URL{Path: path}).EscapedPath()
	if ref != "" {
		at += "?" + url.Values{"ref": {ref}}.Encode()
	}
	var file struct {
		Type, Encoding, Content string
		Size                    int
	}
	if err := c.get(ctx, at, &file); err != nil {
		return nil, err
	}
	if file.Type != "file" || file.Encoding != "base64" || file.Size > maxFile {
		return nil, fmt.Errorf("reading %s of %s: saw a %s of %d bytes in encoding %q, "+
			"want a file of at most %d bytes in base64", path, repository, file.Type, file.Size, file.Encoding, maxFile)
	}
	return base64.StdEncoding.DecodeString(strings.ReplaceAll(file.Content, "\n", ""))
}

// Run is a run of a workflow. Just after its start, only its ID may be known.
type Run struct {
	ID         int64     `json:"id"`
	URL        string    `json:"html_url"`
	Title      string    `json:"display_title"`
	Status     string    `json:"status"`
	Conclusion string    `json:"conclusion"`
	Created    time.Time `json:"created_at,omitzero"`
}

// State returns the run's conclusion, or its status if it has not completed.
func (r Run) State() string { return cmp.Or(r.Conclusion, r.Status) }

// Completed reports whether the run has completed.
func (r Run) Completed() bool { return r.Status == "completed" }

// Succeeded reports whether the run has completed without a failure.
func (r Run) Succeeded() bool {
	return r.Completed() && (r.Conclusion == "success" || r.Conclusion == "neutral" || r.Conclusion == "skipped")
}

// Job is a job of a run.
type Job struct {
	ID         int64  `json:"id"`
	Name       string `json:"name"`
	Status     string `json:"status"`
	Conclusion string `json:"conclusion"`
}

// State returns the job's conclusion, or its status if it has not completed.
func (j Job) State() string { return cmp.Or(j.Conclusion, j.Status) }

// FindRun returns the newest run that was started by an event with this ID, or nil. The
// receiving workflow sets its run-name to the ID, and GitHub shows that as the run's
// title. The event is repository_dispatch or workflow_dispatch. FindRun searches the
// runs created after since, or the newest hundred if since is zero.
func (c *Client) FindRun(ctx context.Context, repository, event, id string, since time.Time) (*Run, error) {
	query := url.Values{"event": {event}, "per_page": {"100"}}
	if !since.IsZero() {
		query.Set("created", ">="+since.UTC().Format(time.RFC3339))
	}
	for page, err := range pages[struct {
		Runs []Run `json:"workflow_runs"`
	}](ctx, c, "repos/"+repository+"/actions/runs?"+query.Encode()) {
		if err != nil {
			return nil, err
		}
		for _, run := range page.Runs {
			if run.Title == id {
				return &run, nil
			}
		}
		if since.IsZero() {
			break
		}
	}
	return nil, nil
}

// Run returns a run.
func (c *Client) Run(ctx context.Context, repository string, id int64) (*Run, error) {
	var run Run
	err := c.get(ctx, fmt.Sprintf("repos/%s/actions/runs/%d", repository, id), &run)
	return &run, err
}

// WaitForRun returns a run that has just been started. It retries, because GitHub shows
// new objects some seconds late.
func (c *Client) WaitForRun(ctx context.Context, repository string, id int64) (run *Run, err error) {
	_, looked := c.look(ctx, func(ctx context.Context) (bool, error) {
		run, err = c.Run(ctx, repository, id)
		if errors.Is(err, ErrAbsent) {
			return false, nil
		}
		return true, err
	})
	return run, cmp.Or(looked, err)
}

// Jobs returns the jobs in the latest attempt of a run.
func (c *Client) Jobs(ctx context.Context, repository string, run int64) ([]Job, error) {
	path := fmt.Sprintf("repos/%s/actions/runs/%d/jobs?filter=latest&per_page=100", repository, run)
	return within[Job](ctx, c, path, "jobs")
}

// DispatchWorkflow starts the workflow in a file on a branch or tag, with the event as
// its inputs. It returns the run's ID, or 0 if the server does not return it: Enterprise
// servers before 3.21 refuse to.
// https://docs.github.com/en/rest/actions/workflows#create-a-workflow-dispatch-event
func (c *Client) DispatchWorkflow(ctx context.Context, repository, file, ref string, e Event) (run int64, err error) {
	path := "repos/" + repository + "/actions/workflows/" + url.PathEscape(file) + "/dispatches"
	err = c.write(ctx, func() error {
		run, err = c.startWorkflow(ctx, path, ref, e)
		return err
	}, func(ctx context.Context) (bool, error) {
		shown, err := c.FindRun(ctx, repository, "workflow_dispatch", e.ID, time.Time{})
		if shown != nil {
			run = shown.ID
		}
		return shown != nil, err
	})
	if err != nil {
		return 0, c.explain(fmt.Sprintf("dispatching %q to %s of %s", e.ID, file, repository), err)
	}
	return run, nil
}

func (c *Client) startWorkflow(ctx context.Context, path, ref string, e Event) (int64, error) {
	ask := struct {
		Ref     string `json:"ref"`
		Inputs  Event  `json:"inputs"`
		Details bool   `json:"return_run_details,omitempty"`
	}{ref, e, true}
	var answer struct {
		Run int64 `json:"workflow_run_id"`
	}
	err := c.post(ctx, path, ask, &answer)
	if refusesDetails(err) { // then the server has started nothing
		ask.Details = false
		err = c.post(ctx, path, ask, &answer)
	}
	return answer.Run, err
}

// refusesDetails reports whether the server does not support return_run_details.
func refusesDetails(err error) bool {
	var answer *github.ErrorResponse
	if !errors.As(err, &answer) {
		return false
	}
	status := answer.Response.StatusCode
	return (status == http.StatusBadRequest || status == http.StatusUnprocessableEntity) &&
		strings.Contains(answer.Error(), "return_run_details")
}

// RunPull is a pull request that a run opened or updated.
type RunPull struct {
	Number int    `json:"number"`
	URL    string `json:"html_url"`
	State  string `json:"state"` // open or merged
}

// PullSince returns the open or merged pull request from a branch of the repository that
// was updated last, or nil if no update was after since.
func (c *Client) PullSince(ctx context.Context, repository, branch string, since time.Time) (*RunPull, error) {
	var pulls []struct {
		RunPull
		Updated  time.Time  `json:"updated_at"`
		MergedAt *time.Time `json:"merged_at"`
		Head     struct{ Ref string }
	}
	err := c.asOwner(ctx, repository, func(owner string) error {
		pulls = nil
		query := url.Values{
			"state": {"all"}, "head": {owner + ":" + branch},
			"sort": {"updated"}, "direction": {"desc"}, "per_page": {"100"},
		}
		return c.get(ctx, "repos/"+repository+"/pulls?"+query.Encode(), &pulls)
	})
	if err != nil {
		return nil, err
	}
	for _, p := range pulls {
		if p.MergedAt != nil {
			p.State = "merged"
		}
		if p.Head.Ref == branch && !p.Updated.Before(since) && p.State != "closed" {
			return &p.RunPull, nil
		}
	}
	return nil, nil
}

// Event is the payload of the repository_dispatch that notifies a downstream of a
// release. The receiver does not trust it, and checks the release itself.
type Event struct {
	Component string `json:"component"`
	Version   string `json:"version"`
	// ID is the run-name that the receiving workflow sets. The sender finds the run by
	// it, because GitHub's response contains no run.
	ID string `json:"id"`
}

// EventType is the type of the repository_dispatch event that a release sends.
const EventType = "upstream-released"

// NewEvent returns the event for a release. Its ID is the same in each attempt, which
// prevents notifying a receiver twice.
func NewEvent(component, version string) Event {
	return Event{component, version, component + " " + version}
}

// Dispatch sends the event to a repository. If the response was lost, it searches for a
// run with the event's ID, and sends the event again if there is none. Receivers must
// therefore accept an event twice.
func (c *Client) Dispatch(ctx context.Context, repository string, e Event) error {
	payload, err := json.Marshal(e)
	if err != nil {
		return err
	}
	owner, name := split(repository)
	message := json.RawMessage(payload)
	err = c.write(ctx, func() error {
		options := github.DispatchRequestOptions{EventType: EventType, ClientPayload: &message}
		_, _, err := c.api.Repositories.Dispatch(ctx, owner, name, options)
		return err
	}, func(ctx context.Context) (bool, error) {
		run, err := c.FindRun(ctx, repository, "repository_dispatch", e.ID, time.Time{})
		return run != nil, err
	})
	if err != nil {
		return c.explain(fmt.Sprintf("dispatching %q to %s", e.ID, repository), err)
	}
	return nil
}

// CheckState is the state of a check.
type CheckState int

// The states of a check.
const (
	Green   CheckState = iota
	Running            // not completed
	Failed
)

// Check is a check run or a commit status, which GitHub both calls status checks.
type Check struct {
	Name  string
	State CheckState
	Saw   string // the state in GitHub's terms, such as in_progress or timed_out
	URL   string // the page with details, or ""
}

// Checks returns the latest check runs and statuses of a commit.
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

// DispatchedRuns returns the IDs of the runs on a commit that were started by hand or by
// repository_dispatch.
func (c *Client) DispatchedRuns(ctx context.Context, repository, commit string) ([]int64, error) {
	var all []int64
	for _, event := range []string{"repository_dispatch", "workflow_dispatch"} {
		path := "repos/" + repository + "/actions/runs?head_sha=" + commit + "&event=" + event + "&per_page=100"
		runs, err := within[struct{ ID int64 }](ctx, c, path, "workflow_runs")
		if err != nil {
			return nil, err
		}
		for _, r := range runs {
			all = append(all, r.ID)
		}
	}
	return all, nil
}

// stateOfRun returns the state of a check run. Green are the conclusions with which
// GitHub allows a merge.
// https://docs.github.com/en/github/collaborating-with-issues-and-pull-requests/about-status-checks
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

// RequiredChecks returns the checks that rulesets require for a branch. It does not
// include classic branch protection, which few tokens can read.
func (c *Client) RequiredChecks(ctx context.Context, repository, branch string) ([]string, error) {
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

// MergedCommit returns the commit that a merge commit merged into its branch, or "" for
// other commits. A workflow's shallow clone cannot answer this.
func (c *Client) MergedCommit(ctx context.Context, repository, commit string) (string, error) {
	var answer struct {
		Parents []struct{ SHA string }
	}
	err := c.get(ctx, "repos/"+repository+"/commits/"+commit, &answer)
	const merge = 2 // the branch's previous commit, and the merged one
	if err != nil || len(answer.Parents) != merge {
		return "", err
	}
	return answer.Parents[merge-1].SHA, nil
}
