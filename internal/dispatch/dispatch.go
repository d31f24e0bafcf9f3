// Package dispatch notifies repositories of a release, and follows the runs that
// it starts. A receiver does not trust the message: it queries everything itself.
package dispatch

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/kubestellar/actions/internal/gh"
)

// Announcer notifies receivers of one release.
type Announcer struct {
	Forge *gh.Client // with a token that may dispatch to the receivers
	Event gh.Event
	// Since is the time of the release: an earlier run is not about it. Zero
	// considers every run.
	Since time.Time
	// Workflow is the file of the workflow to start at Ref, or at the default branch,
	// with the event as its inputs. If it is empty, the event is a repository_dispatch.
	Workflow, Ref string

	Now      func() time.Time
	Wait     func(ctx context.Context, d time.Duration) error
	Progress io.Writer // of a run that is followed; nil discards it
}

// Status describes how a receiver was notified.
type Status string

// The statuses of a receiver.
const (
	Sent       Status = "notified"
	SentBefore Status = "already notified"
	// SentAgain means that an earlier notification is possible: the token may not
	// read the receiver's runs. A second one does no harm.
	SentAgain Status = "notified again"
)

// Notification describes a receiver that knows of the release.
type Notification struct {
	Receiver string
	Status   Status
	Run      *gh.Run // that shows it; nil if it was not seen
}

// String describes the notification for people.
func (n Notification) String() string {
	switch n.Status {
	case SentBefore:
		return n.Receiver + " already"
	case SentAgain:
		return n.Receiver + " again, because its runs cannot be read"
	}
	return n.Receiver
}

// eventName returns the name of the event that starts the receiver's run.
func (a *Announcer) eventName() string {
	if a.Workflow != "" {
		return "workflow_dispatch"
	}
	return "repository_dispatch"
}

// find returns the run that shows that a receiver was notified, or nil.
func (a *Announcer) find(ctx context.Context, receiver string) (*gh.Run, error) {
	return a.Forge.FindRun(ctx, receiver, a.eventName(), a.Event.ID, a.Since)
}

// Notify sends the event to a receiver, unless a run shows that it has it.
func (a *Announcer) Notify(ctx context.Context, receiver string) (Notification, error) {
	run, err := a.find(ctx, receiver)
	switch {
	case ctx.Err() != nil:
		return Notification{}, ctx.Err()
	case run != nil:
		return Notification{Receiver: receiver, Status: SentBefore, Run: run}, nil
	}
	n := Notification{Receiver: receiver, Status: Sent}
	switch {
	case errors.Is(err, gh.ErrDenied) || errors.Is(err, gh.ErrAbsent):
		n.Status = SentAgain
	case err != nil: // another try may see the run, and save a second notification
		return Notification{}, err
	}
	n.Run, err = a.send(ctx, receiver)
	return n, err
}

// send sends the event. It returns the run if GitHub names it.
func (a *Announcer) send(ctx context.Context, receiver string) (*gh.Run, error) {
	if a.Workflow == "" {
		return nil, a.Forge.Dispatch(ctx, receiver, a.Event)
	}
	at, err := a.ref(ctx, receiver)
	if err != nil {
		return nil, err
	}
	id, err := a.Forge.DispatchWorkflow(ctx, receiver, a.Workflow, at, a.Event)
	if err != nil || id == 0 {
		return nil, err
	}
	return &gh.Run{ID: id}, nil
}

// ref returns the branch or tag of a receiver at which a workflow is started.
func (a *Announcer) ref(ctx context.Context, receiver string) (string, error) {
	if a.Ref != "" {
		return a.Ref, nil
	}
	return a.Forge.DefaultBranch(ctx, receiver)
}

func (a *Announcer) report(format string, args ...any) {
	if a.Progress != nil {
		fmt.Fprintf(a.Progress, format+"\n", args...)
	}
}
