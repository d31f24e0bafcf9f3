package gh

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/kubestellar/actions/internal/outcome"
)

// Uncertain is a write of which nobody knows whether it was done: the answer was
// lost, or says that the server failed. Look before you repeat it.
type Uncertain struct {
	Method, Path string
	Err          error
	// Looked is why looking did not tell either; nil if nobody looked.
	Looked error
}

func (u *Uncertain) Error() string {
	text := fmt.Sprintf("GitHub may or may not have done %s %s: look before you repeat it: %v", u.Method, u.Path, u.Err)
	if u.Looked != nil {
		text += fmt.Sprintf("; and then, %v", u.Looked)
	}
	return text
}

// Unwrap leaves out what looking said: that something else is absent, say, is no
// answer to the write.
func (u *Uncertain) Unwrap() error { return u.Err }

// Code is that of what was seen in looking.
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

// unseen is an uncertain write with what came of looking for it.
func unseen(err, looked error) error {
	open, _ := errors.AsType[*Uncertain](err)
	if looked == nil {
		looked = errors.New("it was not to be seen, each time that it was looked for")
	}
	return &Uncertain{open.Method, open.Path, open.Err, looked}
}

// lags are the pauses between looks: what GitHub shows lags some seconds behind
// what was written.
var lags = []time.Duration{0, time.Second, 2 * time.Second, 4 * time.Second}

const maxActs = 3 // of one write

// write acts, once if all goes well. Where nobody knows whether it was done, it
// looks: what is done is not repeated, what is not, is. A repetition that is
// refused may have been so since the first one was done after all.
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

// twice acts where twice is the same as once, as it is with what nobody can see
// yet, or with what has one state only.
func (c *Client) twice(act func() error) error {
	err := act()
	for acts := 1; isUncertain(err) && acts < maxActs; acts++ {
		err = act()
	}
	return err
}

// look looks until it is seen or was looked for long enough.
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
