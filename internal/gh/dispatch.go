package gh

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

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
