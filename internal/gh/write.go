package gh

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/kubestellar/actions/internal/outcome"
)

// Uncertain is the error of a write that may or may not have been done: the response was
// lost, or the server failed.
type Uncertain struct {
	Method, Path string
	Err          error
	// Looked is the error of the later check for the write's effect. It is nil if there
	// was no such check.
	Looked error
}

func (u *Uncertain) Error() string {
	text := fmt.Sprintf("GitHub may or may not have done %s %s: check before you repeat it: %v",
		u.Method, u.Path, u.Err)
	if u.Looked != nil {
		text += fmt.Sprintf("; the check failed: %v", u.Looked)
	}
	return text
}

// Unwrap returns the error of the write. It leaves out Looked, whose kind (such as
// ErrAbsent) is not the kind of the write's error.
func (u *Uncertain) Unwrap() error { return u.Err }

// Code returns the exit code of the later check.
func (u *Uncertain) Code() outcome.Code {
	if u.Looked == nil {
		return outcome.Unchecked
	}
	return outcome.Of(u.Looked)
}

func isUncertain(err error) bool {
	_, is := errors.AsType[*Uncertain](err)
	return is
}

// unseen adds the result of the later check to an uncertain write.
func unseen(err, looked error) error {
	open, _ := errors.AsType[*Uncertain](err)
	if looked == nil {
		looked = errors.New("its effect was not visible")
	}
	return &Uncertain{open.Method, open.Path, open.Err, looked}
}

// lags are the pauses between checks, because GitHub shows new objects some seconds
// late.
var lags = []time.Duration{0, time.Second, 2 * time.Second, 4 * time.Second}

const maxActs = 3 // attempts of one write

// write runs act, usually once. If the result is uncertain, it checks whether the write
// was done, and repeats it if not. If GitHub refuses the repetition, it checks again:
// the first attempt may have been done late.
func (c *Client) write(ctx context.Context, act func() error, done func(context.Context) (bool, error)) error {
	err := act()
	for acts := 1; isUncertain(err); acts++ {
		seen, looked := c.look(ctx, done)
		if seen {
			return nil
		}
		if looked != nil || acts == maxActs {
			return unseen(err, looked)
		}
		err = act()
		if err == nil || isUncertain(err) {
			continue
		}
		if seen, _ := c.look(ctx, done); seen {
			return nil
		}
	}
	return err
}

// twice runs act, and repeats it if the result is uncertain. It is for idempotent
// writes.
func (c *Client) twice(act func() error) error {
	err := act()
	for acts := 1; isUncertain(err) && acts < maxActs; acts++ {
		err = act()
	}
	return err
}

// look calls done until it reports true, with pauses, at most once per lag.
func (c *Client) look(ctx context.Context, done func(context.Context) (bool, error)) (bool, error) {
	for _, lag := range lags {
		if lag > 0 {
			if err := c.wire.wait(ctx, lag); err != nil {
				return false, err
			}
		}
		if seen, err := done(ctx); seen || err != nil {
			return seen, err
		}
	}
	return false, nil
}
