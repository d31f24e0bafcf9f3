package decide

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/kubestellar/actions/internal/delivery"
	"github.com/kubestellar/actions/internal/find"
	"github.com/kubestellar/actions/internal/ref"
	"github.com/kubestellar/actions/internal/resolve"
)

// Unchecked is something that could not be checked.
type Unchecked struct {
	What    string `json:"what"`
	Because string `json:"because"`
	StandIn bool   `json:"stand_in,omitempty"` // a rehearsal's stand-in took its place
}

// Unanswered returns an error that lists what could not be checked, or nil if the list is empty.
func Unanswered(list []Unchecked) error {
	var errs []error
	for _, u := range list {
		errs = append(errs, fmt.Errorf("could not check %s: %s", u.What, u.Because))
	}
	return errors.Join(errs...)
}

// Required returns the targets of the pins in a tree. It omits excused pins, those in a text about the past, an example
// or pasted output, and the literal version of our own charts, which a release replaces. A placeholder means own, and
// tagged is the newest version of our own among the git tags.
func Required(f *delivery.File, references []ref.Reference, own ref.Version, tagged Tagged) (resolve.Named, error) {
	named := resolve.Named{}
	pins := find.Pins(references)
	for _, v := range Follow(f, pins, newestOwn(f, pins, tagged)) {
		c, r := v.Context, v.Reference
		if v.Excused != "" || c.History || c.Output || c.Example || isOwnChart(r) && !isPlaceholder(r) {
			continue
		}
		old := !v.Follows() || IsOwn(f, r) && v.Lags()
		if old && !isPlaceholder(r) && r.Syntax == ref.Value {
			r.Syntax = ref.Prose // an older release may lack some of today's artifacts
		}
		if err := named.Refer(f, r, own); err != nil {
			return nil, err
		}
	}
	return named, nil
}

// Excuses are the entries of ignore in delivery.yaml that name a target.
type Excuses struct {
	File *delivery.File

	used map[int]bool // by the index of the entry
}

// Excused reports whether a target need not exist, and records the entry as used.
func (e *Excuses) Excused(t resolve.Target) bool {
	i := slices.IndexFunc(e.File.Ignore, func(x delivery.Excuse) bool { return x.Target != "" && x.Target == t.Name() })
	if i < 0 {
		return false
	}
	if e.used == nil {
		e.used = map[int]bool{}
	}
	e.used[i] = true
	return true
}

// Used returns the targets that were excused, with the reasons.
func (e *Excuses) Used() []string {
	var all []string
	for i, x := range e.File.Ignore {
		if e.used[i] {
			all = append(all, fmt.Sprintf("%s (%s)", x.Target, x.Because))
		}
	}
	return all
}

// Idle returns a finding for each entry that excused no target.
func (e *Excuses) Idle() []Finding {
	var findings []Finding
	for i, x := range e.File.Ignore {
		if x.Target != "" && !e.used[i] {
			findings = append(findings, Finding{
				Rule: "idle-excuse", File: delivery.FileName, Line: e.File.Line("ignore", strconv.Itoa(i)), Column: 1,
				Saw:  fmt.Sprintf("an entry of ignore for target %q, which nothing names", x.Target),
				Want: "an effect", Help: "correct or remove it",
			})
		}
	}
	return Weigh(e.File, findings)
}

// StandIns is a policy for the stand-ins of a rehearsal.
type StandIns int

// The policies: a stand-in is listed as unchecked, or is a finding.
const (
	ListStandIns StandIns = iota
	RefuseStandIns
)

// Judge returns a finding for each target that does not exist, and the targets that could not be checked.
func Judge(
	answers []resolve.Answer, named resolve.Named, standIns StandIns,
) (findings []Finding, unchecked []Unchecked) {
	what := func(a resolve.Answer) string { return fmt.Sprintf("%s, named at %s", a.Target, named[a.Target]) }
	add := func(a resolve.Answer, rule, saw, want, help string) {
		place, target := named[a.Target], what(a)
		if place.Text == place.Site.String() {
			target = a.Target.String() // the finding begins with its place
		}
		at := ref.Reference{Site: place.Site, Component: a.Component}
		findings = append(findings, At(at, rule, target+", which "+saw, want, help))
	}
	for _, a := range answers {
		switch {
		case a.Absent():
			add(a, "exists", "does not exist", "a published version", "publish it first, or name a version that exists")
		case a.Err != nil:
			unchecked = append(unchecked, Unchecked{What: what(a), Because: a.Err.Error()})
		case a.StandIn != "" && standIns == RefuseStandIns:
			add(a, "stand-in", "is a stand-in: "+a.StandIn, "the real artifact",
				"stand-ins are only valid in a rehearsal")
		case a.StandIn != "":
			unchecked = append(unchecked, Unchecked{What: what(a), Because: "stand-in: " + a.StandIn, StandIn: true})
		}
	}
	return findings, unchecked
}

// Mismatched returns a finding for each pin whose digest or commit is not that of the version beside it, according to
// the answers. The digest of a stand-in is ignored.
func Mismatched(
	f *delivery.File, references []ref.Reference, own ref.Version, answers map[resolve.Target]resolve.Answer,
) []Finding {
	var findings []Finding
	for _, r := range find.Pins(references) {
		if r.Lock == nil || r.Excused != "" {
			continue
		}
		targets, err := resolve.Targets(f, r, own)
		if err != nil || len(targets) == 0 {
			continue
		}
		a, asked := answers[targets[0]]
		if want := LockOf(r, a); asked && a.Err == nil && a.StandIn == "" && want != "" && want != r.Lock.Written {
			findings = append(findings, At(r, "digest", fmt.Sprintf("%s beside %s", r.Lock.Written, r.Written), want,
				"they name different artifacts: ghhelper bump moves both together"))
		}
	}
	return Weigh(f, findings)
}

// LockOf returns the digest or commit that belongs beside a pin's version according to an answer, or "" if the answer
// lacks it.
func LockOf(r ref.Reference, a resolve.Answer) string {
	const algorithm = "sha256:"
	switch written := r.Lock.Written; {
	case strings.HasPrefix(written, algorithm):
		return a.Digest
	case len(written) == len(a.Digest)-len(algorithm):
		return strings.TrimPrefix(a.Digest, algorithm)
	}
	return a.Revision
}
