// Package dispatch tells repositories of a release, and follows what they make
// of it. A receiver trusts nothing of the message: it resolves all for itself.
package dispatch

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/kubestellar/actions/internal/gh"
)

// Announcer tells receivers of one release.
type Announcer struct {
	Forge *gh.Client // with a token that may dispatch to the receivers
	Event gh.Event
	// Since is when the release was published: a run from before is not of it.
	// Zero looks at all runs.
	Since time.Time
	// Workflow is the file of the workflow that is started with the event as its
	// inputs, at Ref; without it, the event is a repository_dispatch.
	Workflow, Ref string

	Now      func() time.Time
	Wait     func(ctx context.Context, d time.Duration) error
	Progress io.Writer // what happens while a run is followed; nil discards it
}

// State is how a receiver came to know.
type State string

// The states.
const (
	Now     State = "told"
	Already State = "told already"
	// Again is told where nobody knows whether it was told before: the token may
	// not read its runs. That does no harm.
	Again State = "told again"
)

// Told is what is known of a receiver that knows of the release.
type Told struct {
	Receiver string
	State    State
	Run      *gh.Run // that shows it; nil if it has not been seen
}

// String is for people.
func (t Told) String() string {
	switch t.State {
	case Already:
		return t.Receiver + " was told already"
	case Again:
		return t.Receiver + " (again, if it was: its runs cannot be read)"
	}
	return t.Receiver
}

// eventName is the event that starts the receiver's run.
func (a *Announcer) eventName() string {
	if a.Workflow != "" {
		return "workflow_dispatch"
	}
	return "repository_dispatch"
}

// find looks for the run by which a receiver shows that it was told.
func (a *Announcer) find(ctx context.Context, receiver string) (*gh.Run, error) {
	return a.Forge.Told(ctx, receiver, a.eventName(), a.Event.ID, a.Since)
}

// Tell tells a receiver, unless a run of it shows that it was told.
func (a *Announcer) Tell(ctx context.Context, receiver string) (Told, error) {
	run, err := a.find(ctx, receiver)
	switch {
	case ctx.Err() != nil:
		return Told{}, ctx.Err()
	case run != nil:
		return Told{Receiver: receiver, State: Already, Run: run}, nil
	}
	told := Told{Receiver: receiver, State: Now}
	switch {
	case errors.Is(err, gh.ErrDenied) || errors.Is(err, gh.ErrAbsent):
		told.State = Again
	case err != nil: // a later look will tell, and nobody need be told twice
		return Told{}, err
	}
	told.Run, err = a.send(ctx, receiver)
	return told, err
}

// send sends the event, and tells the run where GitHub does.
func (a *Announcer) send(ctx context.Context, receiver string) (*gh.Run, error) {
	if a.Workflow == "" {
		return nil, a.Forge.Dispatch(ctx, receiver, a.Event)
	}
	id, err := a.Forge.DispatchWorkflow(ctx, receiver, a.Workflow, a.Ref, a.Event)
	if err != nil || id == 0 {
		return nil, err
	}
	return &gh.Run{ID: id}, nil
}

func (a *Announcer) say(format string, args ...any) {
	if a.Progress != nil {
		fmt.Fprintf(a.Progress, format+"\n", args...)
	}
}
