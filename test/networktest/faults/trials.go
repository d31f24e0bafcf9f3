package faults

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"testing"

	"github.com/kubestellar/actions/test/networktest/contract"
)

// trials are trials that cells use one after the other, because starting one takes as long as its
// command. Each cell finds a trial in its first state.
type trials struct {
	begin  func(t *testing.T) Trial
	parent *testing.T // of the cells; it ends the trials' networks

	mu   sync.Mutex
	free []*reset
}

// reset is a trial that can be used again.
type reset struct {
	Trial
	restore func() error
	kept    string // copies of its folders
}

// take returns a trial that no other cell uses.
func (all *trials) take(t *testing.T) *reset {
	t.Helper()
	all.mu.Lock()
	var r *reset
	if n := len(all.free); n > 0 {
		r, all.free = all.free[n-1], all.free[:n-1]
	}
	all.mu.Unlock()
	if r == nil {
		return all.first(t)
	}
	r.Observe(contract.Hold(t))
	if err := r.again(); err != nil {
		t.Fatalf("restoring the trial: %v", err)
	}
	return r
}

// first begins a trial, and keeps its state.
func (all *trials) first(t *testing.T) *reset {
	t.Helper()
	r := &reset{Trial: all.begin(all.parent), kept: all.parent.TempDir()}
	r.Observe(contract.Hold(t))
	var err error
	r.restore, err = r.Forge.Checkpoint()
	for i, folder := range r.Folders {
		err = errors.Join(err, os.CopyFS(r.copy(i), os.DirFS(folder)))
	}
	if err != nil {
		t.Fatalf("keeping the trial's state: %v", err)
	}
	return r
}

func (all *trials) giveBack(r *reset) {
	all.mu.Lock()
	defer all.mu.Unlock()
	all.free = append(all.free, r)
}

func (r *reset) copy(i int) string { return filepath.Join(r.kept, strconv.Itoa(i)) }

func (r *reset) again() error {
	err := r.restore()
	for i, folder := range r.Folders {
		err = errors.Join(err, os.RemoveAll(folder), os.CopyFS(folder, os.DirFS(r.copy(i))))
	}
	if r.Reset != nil {
		r.Reset()
	}
	return err
}
