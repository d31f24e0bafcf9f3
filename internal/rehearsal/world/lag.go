package world

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Lag is how far the API's reads are behind its writes, as they are where GitHub answers from a
// copy of its database: each write is seen once For has passed by the world's clock, or once
// Reads have been answered, whichever is given. Objects of git are there at once, and git itself
// shows the truth. The zero value is none.
type Lag struct {
	For   time.Duration
	Reads int
}

// Lag lets the reads of the API lag from now on.
func (w *World) Lag(l Lag) {
	w.forge.mu.Lock()
	defer w.forge.mu.Unlock()
	w.forge.lag = l
	for _, r := range w.forge.repositories {
		r.past = nil
	}
}

// past is a repository as it was before a write.
type past struct {
	at    time.Time
	reads int // answered since
	state *repository
}

// noteWrite keeps the state before a write if reads lag; it is called with mu held.
func (f *forge) noteWrite(r *repository) error {
	if f.lag == (Lag{}) {
		return nil
	}
	state, err := f.shadow(r)
	if err != nil {
		return err
	}
	r.past = append(r.past, past{at: f.now(), state: state})
	return nil
}

// read is the repository as a read of the API sees it: before the first write that it cannot see
// yet. It is called with mu held.
func (f *forge) read(r *repository) *repository {
	r.past = slices.DeleteFunc(r.past, func(p past) bool {
		return f.lag.For > 0 && f.now().Sub(p.at) >= f.lag.For || f.lag.Reads > 0 && p.reads >= f.lag.Reads
	})
	for i := range r.past {
		r.past[i].reads++
	}
	if len(r.past) > 0 {
		return r.past[0].state
	}
	return r
}

// shadow is a copy of a repository with the same objects and with references of its own.
func (f *forge) shadow(r *repository) (*repository, error) {
	dir, err := os.MkdirTemp(filepath.Join(f.dir, "spool"), "past-*")
	if err != nil {
		return nil, err
	}
	all, err := r.refs("refs/")
	if err != nil {
		return nil, err
	}
	var packed strings.Builder
	for _, one := range all {
		packed.WriteString(one.sha + " " + one.name + "\n")
	}
	for name, content := range map[string]string{
		"HEAD": "ref: refs/heads/main\n", "config": "[core]\n\trepositoryformatversion = 0\n\tbare = true\n", "refs/.keep": "",
		"packed-refs": packed.String(), "objects/info/alternates": filepath.Join(r.dir, "objects") + "\n",
	} {
		file := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			return nil, err
		}
		if err := os.WriteFile(file, []byte(content), 0o644); err != nil {
			return nil, err
		}
	}
	return r.copied(dir), nil
}

// copied is the memory of a repository at another folder. Assets are shared: they come whole or
// not at all.
func (r *repository) copied(dir string) *repository {
	c := *r
	c.bare.dir, c.past, c.burned = dir, nil, maps.Clone(r.burned)
	c.labels, c.dispatches, c.attestations = slices.Clone(r.labels), slices.Clone(r.dispatches), slices.Clone(r.attestations)
	c.checkRuns, c.statuses, c.required = maps.Clone(r.checkRuns), maps.Clone(r.statuses), maps.Clone(r.required)
	c.pulls, c.releases, c.runs = nil, nil, nil
	for _, one := range r.runs {
		was := *one
		c.runs = append(c.runs, &was)
	}
	for _, p := range r.pulls {
		one := *p
		one.Labels, one.remarks = slices.Clone(p.Labels), slices.Clone(p.remarks)
		c.pulls = append(c.pulls, &one)
	}
	for _, rel := range r.releases {
		one := *rel
		one.assets = slices.Clone(rel.assets)
		c.releases = append(c.releases, &one)
	}
	return &c
}

// folder is where a new repository's git is kept; a name that was given away by renaming may be
// in use on disk still.
func (f *forge) folder(fullName string, id int64) string {
	dir := filepath.Join(f.dir, "git", filepath.FromSlash(fullName)+".git")
	if _, err := os.Stat(dir); err == nil {
		return filepath.Join(f.dir, "git", filepath.FromSlash(fullName)+"."+strconv.FormatInt(id, 10)+".git")
	}
	return dir
}
