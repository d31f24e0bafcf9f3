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

// The pauses between queries of a run. They are short at first, because most runs
// end soon. They grow, because a long run must not use up the hour's requests.
const (
	firstPause  = 3 * time.Second
	longestWait = 15 * time.Second
)

// Followed is the result of a run.
type Followed struct {
	Run  gh.Run
	Pull *gh.RunPull // the pull request that it opened or updated, nil if there is none
}

// Follow follows the run of a notified receiver to its end, for the duration of
// timeout. A failed run is an error of outcome.Wrong. A run that takes longer
// could not be checked.
func (a *Announcer) Follow(ctx context.Context, sent Notification, timeout time.Duration) (Followed, error) {
	w := &watch{Announcer: a, receiver: sent.Receiver, end: a.Now().Add(timeout), jobs: map[int64]string{}}
	run, err := w.appears(ctx, sent)
	if err != nil {
		return Followed{}, err
	}
	if run, err = w.ends(ctx, run.ID); err != nil {
		return Followed{Run: run}, err
	}
	if !run.Succeeded() {
		return Followed{Run: run}, outcome.Wrongf("run %s of %s ended with %q, want success: see %s",
			a.Event.ID, sent.Receiver, run.Conclusion, run.URL)
	}
	pull, err := a.pull(ctx, sent.Receiver, run)
	return Followed{run, pull}, err
}

// watch is one run while it is followed.
type watch struct {
	*Announcer
	receiver string
	end      time.Time
	pause    time.Duration
	reported string           // the last reported state of the run
	jobs     map[int64]string // the last reported state of each job
}

// appears waits until the run can be seen.
func (w *watch) appears(ctx context.Context, sent Notification) (gh.Run, error) {
	if sent.Run != nil {
		return *sent.Run, nil
	}
	const unseen = "no run of %s shows %q: is there a workflow that listens, and sets its run-name to the id?"
	for {
		run, err := w.find(ctx, w.receiver)
		if err != nil {
			return gh.Run{}, err
		}
		if run != nil {
			return *run, nil
		}
		if err := w.rest(ctx, fmt.Sprintf(unseen, w.receiver, w.Event.ID)); err != nil {
			return gh.Run{}, err
		}
	}
}

// ends waits until the run has ended, and reports each change.
func (w *watch) ends(ctx context.Context, id int64) (gh.Run, error) {
	w.pause = 0
	query := w.Forge.WaitForRun
	for {
		run, err := query(ctx, w.receiver, id)
		query = w.Forge.Run
		if err != nil {
			return gh.Run{ID: id}, err
		}
		if err := w.reportChanges(ctx, *run); err != nil {
			return *run, err
		}
		if run.Completed() {
			return *run, nil
		}
		if err := w.rest(ctx, fmt.Sprintf("%s is %s: see %s", w.Event.ID, run.Status, run.URL)); err != nil {
			return *run, err
		}
	}
}

// rest pauses before the next query, longer each time. At the end of the time it
// returns an error with the progress so far.
func (w *watch) rest(ctx context.Context, sofar string) error {
	w.pause = min(max(firstPause, w.pause*3/2), longestWait)
	if left := w.end.Sub(w.Now()); left <= 0 {
		return fmt.Errorf("waiting for %s: the time is over, and %s", w.receiver, sofar)
	} else if left < w.pause {
		w.pause = left
	}
	return w.Wait(ctx, w.pause)
}

// reportChanges reports how the run and its jobs changed since the last query.
func (w *watch) reportChanges(ctx context.Context, run gh.Run) error {
	if now := run.State(); now != w.reported {
		w.reported = now
		w.report("%s: run %d: %s  %s", report.Plain(w.receiver), run.ID, report.Plain(now), report.Plain(run.URL))
	}
	jobs, err := w.Forge.Jobs(ctx, w.receiver, run.ID)
	if err != nil {
		return err
	}
	for _, job := range jobs {
		if now := job.State(); now != w.jobs[job.ID] {
			w.jobs[job.ID] = now
			w.report("%s: job %s: %s", report.Plain(w.receiver), report.Plain(job.Name), report.Plain(now))
		}
	}
	return nil
}

// pull returns the pull request that bump opened or updated, or nil.
func (a *Announcer) pull(ctx context.Context, receiver string, run gh.Run) (*gh.RunPull, error) {
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

// branches returns the branches from which the receiver may propose the version.
// Its delivery.yaml declares the branch. Without one that can be read, the usual
// branches are one for each component and one for each version.
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
		return usual, nil // the receiver's own verify reports the error
	}
	return []string{file.Bumps.BranchFor(a.Event.Component)}, nil
}
