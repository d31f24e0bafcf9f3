package gh

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"

	"github.com/google/go-github/v62/github"
)

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

// Dispatched tells whether a run of the receiver shows the event's ID. A
// receiver that does not let its runs be read counts as not dispatched.
func (c *Client) Dispatched(ctx context.Context, repository string, e Event) (bool, error) {
	var runs struct {
		Runs []struct {
			DisplayTitle string `json:"display_title"`
		} `json:"workflow_runs"`
	}
	query := url.Values{"event": {"repository_dispatch"}, "per_page": {"100"}}
	if err := c.get(ctx, "repos/"+repository+"/actions/runs?"+query.Encode(), &runs); err != nil {
		return false, err
	}
	for _, run := range runs.Runs {
		if run.DisplayTitle == e.ID {
			return true, nil
		}
	}
	return false, nil
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
	}, func(ctx context.Context) (bool, error) { return c.Dispatched(ctx, repository, e) })
	if err != nil {
		return c.explain(fmt.Sprintf("dispatching %q to %s", e.ID, repository), err)
	}
	return nil
}
