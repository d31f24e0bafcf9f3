package dispatch

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/kubestellar/actions/internal/delivery"
	"github.com/kubestellar/actions/internal/gh"
	"github.com/kubestellar/actions/internal/outcome"
	"github.com/kubestellar/actions/internal/report"
)

// The pauses between looks at a run: short at first, since much is over soon,
// and never so short that a long run uses up the hour's requests.
const (
	firstPause  = 3 * time.Second
	longestWait = 15 * time.Second
)

// Followed is what a run came to.
type Followed struct {
	Run  gh.Run
	Pull *gh.Led // that it led to; nil if it led to none
}

// Follow follows the run of a receiver that was told to its end, for as long as
// timeout. A run that failed is an error of outcome.Wrong, one that is not over
// in time could not be checked.
func (a *Announcer) Follow(ctx context.Context, told Told, timeout time.Duration) (Followed, error) {
	w := &watch{Announcer: a, receiver: told.Receiver, end: a.Now().Add(timeout), jobs: map[int64]string{}}
	run, err := w.appears(ctx, told)
	if err != nil {
		return Followed{}, err
	}
	if run, err = w.ends(ctx, run.ID); err != nil {
		return Followed{Run: run}, err
	}
	if !run.Succeeded() {
		return Followed{Run: run}, outcome.Wrongf("run %s of %s has come to %q, want success: look at %s", a.Event.ID, told.Receiver, run.Conclusion, run.URL)
	}
	pull, err := a.pull(ctx, told.Receiver, run)
	return Followed{run, pull}, err
}

// watch is one run while it is followed.
type watch struct {
	*Announcer
	receiver string
	end      time.Time
	pause    time.Duration
	said     string           // of the run
	jobs     map[int64]string // what was said of each job
}

// appears waits until the run can be seen.
func (w *watch) appears(ctx context.Context, told Told) (gh.Run, error) {
	if told.Run != nil {
		return *told.Run, nil
	}
	for {
		run, err := w.find(ctx, w.receiver)
		if err != nil {
			return gh.Run{}, err
		}
		if run != nil {
			return *run, nil
		}
		if err := w.rest(ctx, fmt.Sprintf("no run of %s shows %q: is there a workflow that listens, and sets its run-name to the id?", w.receiver, w.Event.ID)); err != nil {
			return gh.Run{}, err
		}
	}
}

// ends waits until the run is over, and says what changes.
func (w *watch) ends(ctx context.Context, id int64) (gh.Run, error) {
	w.pause = 0
	look := w.Forge.MadeRun
	for {
		run, err := look(ctx, w.receiver, id)
		look = w.Forge.Run
		if err != nil {
			return gh.Run{ID: id}, err
		}
		if err := w.tell(ctx, *run); err != nil {
			return *run, err
		}
		if run.Completed() {
			return *run, nil
		}
		if err := w.rest(ctx, fmt.Sprintf("%s is %s: look at %s", w.Event.ID, run.Status, run.URL)); err != nil {
			return *run, err
		}
	}
}

// rest pauses before the next look, longer each time; the end of the time is an
// error that says how far it came.
func (w *watch) rest(ctx context.Context, sofar string) error {
	w.pause = min(max(firstPause, w.pause*3/2), longestWait)
	if left := w.end.Sub(w.Now()); left <= 0 {
		return fmt.Errorf("waiting for %s: the time is over, and %s", w.receiver, sofar)
	} else if left < w.pause {
		w.pause = left
	}
	return w.Wait(ctx, w.pause)
}

// tell says what has changed since the last look, of the run and of its jobs.
func (w *watch) tell(ctx context.Context, run gh.Run) error {
	if now := run.State(); now != w.said {
		w.said = now
		w.say("%s: run %d: %s  %s", report.Plain(w.receiver), run.ID, report.Plain(now), report.Plain(run.URL))
	}
	jobs, err := w.Forge.Jobs(ctx, w.receiver, run.ID)
	if err != nil {
		return err
	}
	for _, job := range jobs {
		if now := job.State(); now != w.jobs[job.ID] {
			w.jobs[job.ID] = now
			w.say("%s: job %s: %s", report.Plain(w.receiver), report.Plain(job.Name), report.Plain(now))
		}
	}
	return nil
}

// pull looks for the pull request that bump opens or updates.
func (a *Announcer) pull(ctx context.Context, receiver string, run gh.Run) (*gh.Led, error) {
	branches, err := a.branches(ctx, receiver)
	if err != nil {
		return nil, err
	}
	for _, branch := range branches {
		led, err := a.Forge.PullSince(ctx, receiver, branch, run.Created)
		if led != nil || err != nil {
			return led, err
		}
	}
	return nil, nil
}

// branches are those on which the receiver may propose the version: the one that its
// delivery.yaml says, or, where there is none that can be read, those that are usual,
// one a component or one a version.
func (a *Announcer) branches(ctx context.Context, receiver string) ([]string, error) {
	usual := []string{"bump-" + a.Event.Component, "bump-" + a.Event.Component + "-" + a.Event.Version}
	data, err := a.Forge.File(ctx, nil, receiver, delivery.FileName)
	if errors.Is(err, gh.ErrAbsent) {
		return usual, nil
	}
	if err != nil {
		return nil, err
	}
	file, err := delivery.Parse(receiver+"/"+delivery.FileName, data)
	if err != nil {
		return usual, nil // what is wrong with it, its own verify says
	}
	return []string{file.Bumps.BranchFor(a.Event.Component)}, nil
}
