package dispatch

import (
	"context"
	"fmt"
	"time"

	"github.com/kubestellar/actions/internal/gh"
)

// Document is what dispatch prints for programs. Its fields are stable: none is
// taken away or given another meaning.
type Document struct {
	Component string  `json:"component"`
	Version   string  `json:"version"`
	ID        string  `json:"id"`
	Receivers []Heard `json:"receivers"`
}

// Heard is what is known of one receiver at the end.
type Heard struct {
	Receiver string   `json:"receiver"`
	State    State    `json:"state"` // "" of one that was not told
	Run      *gh.Run  `json:"run,omitempty"`
	Pull     *gh.Led  `json:"pull_request,omitempty"`
	Notes    []string `json:"notes,omitempty"`
	Error    string   `json:"error,omitempty"`
}

// Announce checks a receiver, tells it and follows its run for as long as
// timeout; 0 follows none. What is known is told also beside an error.
func (a *Announcer) Announce(ctx context.Context, receiver string, timeout time.Duration) (Heard, error) {
	heard, err := a.announce(ctx, receiver, timeout)
	if err != nil {
		err = fmt.Errorf("%s: %w", receiver, err)
		heard.Error = err.Error()
	}
	return heard, err
}

func (a *Announcer) announce(ctx context.Context, receiver string, timeout time.Duration) (Heard, error) {
	heard := Heard{Receiver: receiver}
	var err error
	if heard.Notes, err = a.Check(ctx, receiver); err != nil {
		return heard, err
	}
	told, err := a.Tell(ctx, receiver)
	if err != nil {
		return heard, err
	}
	heard.State, heard.Run = told.State, told.Run
	if timeout == 0 {
		return heard, nil
	}
	followed, err := a.Follow(ctx, told, timeout)
	if followed.Run.ID != 0 {
		heard.Run = &followed.Run
	}
	heard.Pull = followed.Pull
	return heard, err
}
