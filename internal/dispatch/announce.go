package dispatch

import (
	"context"
	"fmt"
	"time"

	"github.com/kubestellar/actions/internal/gh"
)

// Document is the output of --format json. Its fields are stable: none is removed
// or changes its meaning.
type Document struct {
	Component string   `json:"component"`
	Version   string   `json:"version"`
	ID        string   `json:"id"`
	Receivers []Result `json:"receivers"`
}

// Result is the result of one receiver.
type Result struct {
	Receiver string      `json:"receiver"`
	Status   Status      `json:"state"` // empty if it was not notified
	Run      *gh.Run     `json:"run,omitempty"`
	Pull     *gh.RunPull `json:"pull_request,omitempty"`
	Notes    []string    `json:"notes,omitempty"`
	Error    string      `json:"error,omitempty"`
}

// Announce checks a receiver, notifies it, and follows its run for the duration
// of timeout. A timeout of 0 follows no run. The result holds everything that is
// known, also with an error.
func (a *Announcer) Announce(ctx context.Context, receiver string, timeout time.Duration) (Result, error) {
	result, err := a.announce(ctx, receiver, timeout)
	if err != nil {
		err = fmt.Errorf("%s: %w", receiver, err)
		result.Error = err.Error()
	}
	return result, err
}

func (a *Announcer) announce(ctx context.Context, receiver string, timeout time.Duration) (Result, error) {
	result := Result{Receiver: receiver}
	var err error
	if result.Notes, err = a.Check(ctx, receiver); err != nil {
		return result, err
	}
	sent, err := a.Notify(ctx, receiver)
	if err != nil {
		return result, err
	}
	result.Status, result.Run = sent.Status, sent.Run
	if timeout == 0 {
		return result, nil
	}
	followed, err := a.Follow(ctx, sent, timeout)
	if followed.Run.ID != 0 {
		result.Run = &followed.Run
	}
	result.Pull = followed.Pull
	return result, err
}
