package decide

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/kubestellar/actions/internal/delivery"
	"github.com/kubestellar/actions/internal/history"
	"github.com/kubestellar/actions/internal/ref"
)

// Evidence contains the reasons of a decision: the form of pins, the surroundings of
// words, and history.
type Evidence struct {
	Pins  []ref.Reference
	Words []ref.Reference
	// Log holds the events of Places. It is nil without a history.
	Log *history.Log
}

// Versions returns the versions whose words may move along: the one that the tree holds
// now, and those of pins that are behind and may catch up.
func Versions(f *delivery.File, pins []ref.Reference, move Move) []ref.Version {
	var all []ref.Version
	add := func(r ref.Reference) {
		v, err := r.Version()
		same := func(other ref.Version) bool { return other.Compare(v) == 0 }
		if err == nil && v.Compare(move.Version) != 0 && !slices.ContainsFunc(all, same) {
			all = append(all, v)
		}
	}
	edits, left := Bump(f, Evidence{Pins: pins}, move)
	for _, e := range edits {
		add(e.Reference)
	}
	for _, l := range left {
		if l.Listed { // history may move it
			add(l.Reference)
		}
	}
	return all
}

// Places returns the places whose history decides: those of the component.
func (e Evidence) Places(component string) []history.Place {
	var all []history.Place
	for _, list := range [][]ref.Reference{e.Pins, e.Words} {
		for _, r := range list {
			if r.Component == component {
				all = append(all, placeOf(r))
			}
		}
	}
	return all
}

func placeOf(r ref.Reference) history.Place {
	return history.Place{File: r.File, Shape: r.Context.Shape}
}

// pinEvent is an event of a pin.
type pinEvent struct {
	history.Event
	place history.Place
}

// deciding decides about the places of one component.
type deciding struct {
	file *delivery.File
	Evidence
	move     Move
	base     ref.Version // that the tree holds now
	verdicts []Verdict   // of all pins
	moves    []pinEvent  // of the component's pins
	sums     map[checked]bool
	// holding are the other components that hold the base version.
	holding []string
}

func newDeciding(f *delivery.File, e Evidence, pins []Verdict, move Move) *deciding {
	d := &deciding{file: f, Evidence: e, move: move, verdicts: pins, sums: survey(pins).sums}
	for _, v := range pins {
		if v.Component == move.Component {
			d.base = v.Current
		}
	}
	for _, v := range pins {
		if version, err := v.Version(); err == nil && v.Follows() && v.Component != move.Component &&
			!d.base.IsZero() && version.Compare(d.base) == 0 && !slices.Contains(d.holding, v.Component) {
			d.holding = append(d.holding, v.Component)
		}
		if v.Follows() && v.Component == move.Component {
			for _, event := range e.Log.Events(placeOf(v.Reference)) {
				d.moves = append(d.moves, pinEvent{event, placeOf(v.Reference)})
			}
		}
	}
	return d
}

// window is the time between commits of one bump.
const window = 7 * 24 * time.Hour

// with returns the commits in which a place, by its last event, got its version
// together with pins of the component. moved asks for a move of the place, or else for an
// addition.
func (d *deciding) with(r ref.Reference, moved bool) []string {
	version := strings.TrimPrefix(r.Plain(), "v")
	for _, e := range d.Log.Events(placeOf(r)) {
		if !slices.Contains(e.To, version) {
			continue
		}
		if moved != e.Moved(version) {
			return nil
		}
		for _, other := range d.moves {
			if other.Moved(version) && other.Time.Sub(e.Time).Abs() <= window {
				return []string{e.Commit}
			}
		}
		return nil
	}
	return nil
}

// earlier returns the commits that moved a place and pins of the component from one
// version to the same other one, other than to the version that it has.
func (d *deciding) earlier(r ref.Reference) (commits []string) {
	now := strings.TrimPrefix(r.Plain(), "v")
	for _, e := range d.Log.Events(placeOf(r)) {
		together := func(o pinEvent) bool {
			other := func(to string) bool { return to != now && o.Moved(to) }
			return o.Commit == e.Commit && slices.ContainsFunc(e.To, other)
		}
		if len(e.From) > 0 && slices.ContainsFunc(d.moves, together) {
			commits = append(commits, e.Commit)
		}
	}
	return commits
}

// pins returns the verdicts about the component's pins. A pin that stays for a soft
// reason follows if it has moved with the others.
func (d *deciding) pins() []Verdict {
	var all []Verdict
	for _, v := range d.verdicts {
		if v.Component != d.move.Component {
			continue
		}
		all = append(all, d.pin(v))
	}
	return all
}

// pin decides about a pin by history.
func (d *deciding) pin(v Verdict) Verdict {
	switch behind := v.Follows() && !d.base.IsZero() && d.isOlder(v.Reference); {
	case v.soft && d.isCurrent(v.Reference):
		if commits := d.overruled(v.Reference); commits != nil {
			v.Outcome, v.Because, v.Commits = Moves, "moved with the others", commits
		} else if testData.MatchString(v.File) {
			v.Outcome = Listed
		}
	case v.Because == behindInTests && d.once(v.Reference) != nil:
		v.Outcome, v.Because, v.Commits = Moves, "moved with the others before", d.once(v.Reference)
	case v.Outcome == Listed && d.move.Version.IsLine(lineOf(v.Reference)):
		v.Outcome, v.Because = Moves, "belongs to the release line in its path"
	case behind && d.isPassedOver(v.Reference):
		v.Outcome, v.Because = Listed, "the others have moved without it several times"
	case behind:
		v.Commits = d.once(v.Reference)
		if v.Commits == nil && d.Log != nil && d.Log.Partial == "" {
			v.Because = "never moved with them: check it"
		}
	}
	return v
}

// isDeclared reports whether delivery.yaml declares the place of a pin.
func isDeclared(f *delivery.File, r ref.Reference) bool {
	return r.Syntax.IsDeclared() || slices.Contains(f.Components[r.Component].Names, r.Context.Name)
}

func (d *deciding) isOlder(r ref.Reference) bool {
	version, err := r.Version()
	return err == nil && version.Compare(d.base) < 0
}

// once returns the last commit that moved a place together with another pin.
func (d *deciding) once(r ref.Reference) []string {
	for _, e := range d.Log.Events(placeOf(r)) {
		for _, other := range d.moves {
			if len(e.From) > 0 && other.place != placeOf(r) && other.Time.Sub(e.Time).Abs() <= window &&
				slices.ContainsFunc(e.To, other.Moved) {
				return []string{e.Commit}
			}
		}
	}
	return nil
}

// isPassedOver reports whether several commits moved other pins after the last change of a place that is not declared,
// and that never moved with them.
func (d *deciding) isPassedOver(r ref.Reference) bool {
	if isDeclared(d.file, r) || d.once(r) != nil {
		return false
	}
	var last time.Time
	if events := d.Log.Events(placeOf(r)); len(events) > 0 {
		last = events[0].Time
	}
	after := map[string]bool{}
	for _, other := range d.moves {
		if other.place != placeOf(r) && len(other.From) > 0 && other.Time.After(last) {
			after[other.Commit] = true
		}
	}
	return len(after) >= several
}

func (d *deciding) isCurrent(r ref.Reference) bool {
	version, err := r.Version()
	return err == nil && !d.base.IsZero() && version.Compare(d.base) == 0
}

// overruled returns the commits that overrule a soft reason. A sentence must have moved
// with the others more than once: people often write about the release of the day.
func (d *deciding) overruled(r ref.Reference) []string {
	commits := d.with(r, true)
	c := r.Context
	inText := (r.Syntax == ref.Prose || c.Owner.Prose || c.History || c.Example) && !c.Owner.Row
	if commits == nil || !inText {
		return commits
	}
	const twice = 2
	if before := d.earlier(r); len(before) >= twice {
		return append(commits, before...)
	}
	return nil
}

// words returns the verdicts about the words. edits are those of pins.
func (d *deciding) words(edits []Edit) []Verdict {
	moving := map[ref.Site]string{}
	for _, e := range edits {
		moving[ref.Site{File: e.File, Start: e.Start}] = strings.TrimPrefix(e.Plain(), "v")
	}
	all := make([]Verdict, 0, len(d.Words))
	for _, r := range d.Words {
		v := d.word(r, moving)
		v.Reference, v.Current = r, d.base
		all = append(all, v)
	}
	return all
}

// word decides about a word, by the first evidence that applies.
func (d *deciding) word(r ref.Reference, moving map[ref.Site]string) Verdict {
	o := r.Context.Owner
	named := slices.Contains(o.Near, d.move.Component)
	if because := hard(r); because != "" {
		if !named && o.Ours == "" {
			because = ""
		}
		return Verdict{Outcome: Stays, Because: because, others: o.Self || r.Excused != "" || r.Context.Rendered}
	}
	if o.Other != "" || len(o.Near) > 0 && !named && o.Ours == "" {
		return Verdict{Outcome: Stays, others: true}
	}
	if d.sums[checkedBy(r)] && !r.Context.Document {
		return Verdict{Outcome: Stays, Because: besideChecksum}
	}
	if !d.isCurrent(r) {
		return d.twin(r, moving)
	}
	commits := d.overruled(r)
	moved := Verdict{Outcome: Moves, Because: "moved with the others", Commits: commits}
	switch inText := o.Prose || r.Context.History || r.Context.Example; {
	case testData.MatchString(r.File) && commits == nil:
		return Verdict{Outcome: Listed, Because: "test data"}
	case o.Ours != "" && d.isHeld(r, moving):
		return Verdict{Outcome: Listed, Because: "is beside a place that stays"}
	case o.Ours != "" && !r.Context.Document && !inText:
		return Verdict{Outcome: Moves, Because: "belongs to " + o.Ours}
	case o.Ours == "" && !named && d.others(r) != "":
		return Verdict{Outcome: Listed, Because: fmt.Sprintf("may be a version of %s as well", d.others(r))}
	case commits != nil:
		return moved
	case inText && (named || o.Ours != ""):
		return Verdict{Outcome: Listed, Because: "in a text that names " + d.move.Component}
	case inText:
		return Verdict{Outcome: Stays}
	}
	if twin := d.twin(r, moving); twin.Follows() {
		return twin
	}
	switch {
	case d.with(r, false) != nil:
		return Verdict{Outcome: Listed, Because: "was added with the others, and has not moved since"}
	case named || o.Ours != "":
		return Verdict{Outcome: Listed, Because: "holds the version beside a name of " + d.move.Component}
	}
	return Verdict{Outcome: Stays}
}

// others returns the other components that may hold the base version at a place.
func (d *deciding) others(r ref.Reference) string {
	elsewhere := func(component string) bool { return !d.file.Components[component].Holds(r.File) }
	return strings.Join(slices.DeleteFunc(slices.Clone(d.holding), elsewhere), ", ")
}

// isHeld reports whether a pin beside a word has its version, and stays.
func (d *deciding) isHeld(r ref.Reference, moving map[ref.Site]string) bool {
	return slices.ContainsFunc(d.verdicts, func(v Verdict) bool {
		return v.File == r.File && v.Component == r.Component && v.Plain() == r.Plain() &&
			slices.Contains(r.Context.Owner.Beside, v.Start) && moving[ref.Site{File: v.File, Start: v.Start}] == ""
	})
}

// twin decides that a word moves if a place beside it moves from the same version.
func (d *deciding) twin(r ref.Reference, moving map[ref.Site]string) Verdict {
	for _, start := range r.Context.Owner.Beside {
		if moving[ref.Site{File: r.File, Start: start}] == strings.TrimPrefix(r.Plain(), "v") {
			return Verdict{Outcome: MovesWithTwin, Because: "is beside a place that moves"}
		}
	}
	return Verdict{Outcome: Stays}
}
