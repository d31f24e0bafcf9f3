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

// Workflow is a workflow of a repository, as GitHub lists it.
type Workflow struct {
	Path  string // of its file
	State string
}

// Active tells whether the workflow is enabled.
func (w Workflow) Active() bool { return w.State == "active" }

// Workflows are those of a repository's default branch.
func (c *Client) Workflows(ctx context.Context, repository string) ([]Workflow, error) {
	return within[Workflow](ctx, c, "repos/"+repository+"/actions/workflows?per_page=100", "workflows")
}

// maxFile is the size in bytes above which GitHub's JSON leaves a file's content
// out: https://docs.github.com/en/rest/repos/contents#get-repository-content
const maxFile = 1 << 20

// ReadFile is a file of a repository at a ref, "" for the default branch.
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
		return nil, fmt.Errorf("reading %s of %s: it is a %s of %d bytes in encoding %q, want a file of at most %d bytes in base64", path, repository, file.Type, file.Size, file.Encoding, maxFile)
	}
	return base64.StdEncoding.DecodeString(strings.ReplaceAll(file.Content, "\n", ""))
}

// Run is a run of a workflow. Of one that has only been started no more may be
// known than its ID.
type Run struct {
	ID         int64     `json:"id"`
	URL        string    `json:"html_url"`
	Title      string    `json:"display_title"`
	Status     string    `json:"status"`
	Conclusion string    `json:"conclusion"`
	Created    time.Time `json:"created_at,omitzero"`
}

// State is what the run came to or, while it is not over, where it is.
func (r Run) State() string { return cmp.Or(r.Conclusion, r.Status) }

// Completed tells whether the run has come to its end.
func (r Run) Completed() bool { return r.Status == "completed" }

// Succeeded tells whether the run has come to a good end.
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

// State is as that of a run.
func (j Job) State() string { return cmp.Or(j.Conclusion, j.Status) }

// Told looks for the newest run by which a receiver shows the event's ID: it
// sets its run-name to it, and so GitHub shows it as the run's title. The event
// is repository_dispatch or workflow_dispatch. Runs from before since are not
// looked at; without it, the newest hundred are. nil without such a run.
func (c *Client) Told(ctx context.Context, repository, event, id string, since time.Time) (*Run, error) {
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

// Run looks at a run.
func (c *Client) Run(ctx context.Context, repository string, id int64) (*Run, error) {
	var run Run
	err := c.get(ctx, fmt.Sprintf("repos/%s/actions/runs/%d", repository, id), &run)
	return &run, err
}

// MadeRun is Run for one that has just been started: what GitHub shows lags some
// seconds behind.
func (c *Client) MadeRun(ctx context.Context, repository string, id int64) (run *Run, err error) {
	_, looked := c.look(ctx, func(ctx context.Context) (bool, error) {
		run, err = c.Run(ctx, repository, id)
		if errors.Is(err, ErrAbsent) {
			return false, nil
		}
		return true, err
	})
	return run, cmp.Or(looked, err)
}

// Jobs are the jobs of a run, at its latest attempt.
func (c *Client) Jobs(ctx context.Context, repository string, run int64) ([]Job, error) {
	return within[Job](ctx, c, fmt.Sprintf("repos/%s/actions/runs/%d/jobs?filter=latest&per_page=100", repository, run), "jobs")
}

// DispatchWorkflow starts a workflow, called by its file's name, at a branch or
// tag, with the event as its inputs. It tells the run's ID where the server does:
// github.com does so if it is asked to, an Enterprise server before 3.21 refuses
// the very question, and then the answer is 0.
// https://docs.github.com/en/rest/actions/workflows#create-a-workflow-dispatch-event
func (c *Client) DispatchWorkflow(ctx context.Context, repository, file, ref string, e Event) (run int64, err error) {
	path := "repos/" + repository + "/actions/workflows/" + url.PathEscape(file) + "/dispatches"
	err = c.write(ctx, func() error {
		run, err = c.startWorkflow(ctx, path, ref, e)
		return err
	}, func(ctx context.Context) (bool, error) {
		shown, err := c.Told(ctx, repository, "workflow_dispatch", e.ID, time.Time{})
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
	if refusesDetails(err) { // so nothing has been started
		ask.Details = false
		err = c.post(ctx, path, ask, &answer)
	}
	return answer.Run, err
}

// refusesDetails tells whether a server does not know the key return_run_details.
func refusesDetails(err error) bool {
	var answer *github.ErrorResponse
	if !errors.As(err, &answer) {
		return false
	}
	status := answer.Response.StatusCode
	return (status == http.StatusBadRequest || status == http.StatusUnprocessableEntity) && strings.Contains(answer.Error(), "return_run_details")
}

// Led is a pull request that a run has led to.
type Led struct {
	Number int    `json:"number"`
	URL    string `json:"html_url"`
	State  string `json:"state"` // open or merged
}

// PullSince is the pull request from a branch of the repository itself, open or
// merged, that was updated last, if that was not before since; nil without one.
func (c *Client) PullSince(ctx context.Context, repository, branch string, since time.Time) (*Led, error) {
	var pulls []struct {
		Led
		Updated  time.Time  `json:"updated_at"`
		MergedAt *time.Time `json:"merged_at"`
		Head     struct{ Ref string }
	}
	err := c.asOwner(ctx, repository, func(owner string) error {
		pulls = nil
		query := url.Values{"state": {"all"}, "head": {owner + ":" + branch}, "sort": {"updated"}, "direction": {"desc"}, "per_page": {"100"}}
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
			return &p.Led, nil
		}
	}
	return nil, nil
}

// Event is the repository_dispatch that tells a downstream of a release. What
// it says is a hint: the receiver resolves all of it for itself.
type Event struct {
	Component string `json:"component"`
	Version   string `json:"version"`
	// ID is what the receiving workflow puts in its run-name, so that the
	// sender can find the run: GitHub's answer names none.
	ID string `json:"id"`
}

// EventType is the type of the dispatch that a release sends.
const EventType = "upstream-released"

// NewEvent tells of a release. Its ID is the same on every try of one release,
// so that a receiver that was told is not told again.
func NewEvent(component, version string) Event {
	return Event{component, version, component + " " + version}
}

// Dispatch sends the event to a repository. Where nobody knows whether it has
// come, a run that shows the event's ID tells; without any it is sent again, which
// a receiver must bear.
func (c *Client) Dispatch(ctx context.Context, repository string, e Event) error {
	payload, err := json.Marshal(e)
	if err != nil {
		return err
	}
	owner, name := split(repository)
	message := json.RawMessage(payload)
	err = c.write(ctx, func() error {
		_, _, err := c.api.Repositories.Dispatch(ctx, owner, name, github.DispatchRequestOptions{EventType: EventType, ClientPayload: &message})
		return err
	}, func(ctx context.Context) (bool, error) {
		run, err := c.Told(ctx, repository, "repository_dispatch", e.ID, time.Time{})
		return run != nil, err
	})
	if err != nil {
		return c.explain(fmt.Sprintf("dispatching %q to %s", e.ID, repository), err)
	}
	return nil
}

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
