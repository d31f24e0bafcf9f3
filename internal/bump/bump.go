// Package bump moves the pins of one component to a version. It finds the pins in a
// tree, checks that their new targets exist, and plans the change. A Proposer keeps
// a pull request with it.
package bump

import (
	"context"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"

	"github.com/kubestellar/actions/internal/apply"
	"github.com/kubestellar/actions/internal/decide"
	"github.com/kubestellar/actions/internal/delivery"
	"github.com/kubestellar/actions/internal/find"
	"github.com/kubestellar/actions/internal/git"
	"github.com/kubestellar/actions/internal/history"
	"github.com/kubestellar/actions/internal/outcome"
	"github.com/kubestellar/actions/internal/ref"
	"github.com/kubestellar/actions/internal/report"
	"github.com/kubestellar/actions/internal/resolve"
	"github.com/kubestellar/actions/internal/verify"
)

// Bump is one component's move to a version in one tree.
type Bump struct {
	File  *delivery.File
	Tree  fs.FS
	Names []string // of the tree's files
	Move  decide.Move
	// Ask queries registries and repositories; nil queries nothing.
	Ask *verify.Asker
	// History reads the events of places from the commits before the tree. nil has none.
	History func(context.Context, []history.Place) (*history.Log, error)
	// AcceptStandIns lets the move depend on stand-ins.
	AcceptStandIns bool
	// Env is the environment of the commands that derive files.
	Env []string
	// Address is the address of the repository, for links to its commits.
	Address string
}

// Plan is a bump that is not written yet.
type Plan struct {
	Move      decide.Move
	Edits     []decide.Edit
	Left      []decide.Left
	Findings  []decide.Finding
	Unchecked []decide.Unchecked
	// Holds contains the current versions of the component's pins.
	Holds versions
	// Seen contains the targets that exist, by name.
	Seen    []resolve.Answer
	Changes []apply.Change
	// Current contains the changes of the places that were current, without derived files.
	// It is empty unless places that were behind move as well.
	Current []apply.Change
	// Underived contains the commands that were not run, because they may use the network.
	Underived []string
	// Stale contains the files that are derived from edited ones, and that no command derived.
	Stale []Stale
	// Lines contains the lines of the edits, before and after.
	Lines []apply.Line
	// Partial is the reason why history could not decide about listed places, or empty.
	Partial string
	// Address is the address of the repository, for links to its commits.
	Address string
}

// Plan plans the move, and writes nothing. A plan with findings, or with anything
// unchecked, has no changes.
func (b Bump) Plan(ctx context.Context) (*Plan, error) {
	finder := find.New(b.File)
	found, err := finder.Files(ctx, b.Tree, b.Names)
	if err != nil {
		return nil, err
	}
	p := &Plan{Move: b.Move, Address: b.Address}
	pins := find.Pins(found.References)
	if err := b.decide(ctx, finder, pins, p); err != nil {
		return nil, err
	}
	p.Holds = versionsOf(b.Move.Component, pins)
	p.suspect(found.Suspects)
	for _, u := range found.Unread {
		p.Unchecked = append(p.Unchecked, decide.Unchecked{What: u.File, Because: u.Because})
	}
	if err := b.checkPins(found.References); err != nil {
		return nil, err
	}
	if err := b.resolve(ctx, p); err != nil {
		return nil, err
	}
	if p.Lines, err = apply.Lines(b.Tree, p.Edits); err != nil {
		return nil, err
	}
	if p.blocked(b.AcceptStandIns) {
		return p, nil
	}
	return p, b.change(ctx, finder, p)
}

// HistoryOf reads histories from the commits of a repository up to tip.
func HistoryOf(repo git.Repo, tip string) func(context.Context, []history.Place) (*history.Log, error) {
	return func(ctx context.Context, places []history.Place) (*history.Log, error) {
		return repo.History(ctx, tip, places)
	}
}

// decide decides about the pins, and the words that may move along with them.
func (b Bump) decide(ctx context.Context, finder *find.Finder, pins []ref.Reference, p *Plan) error {
	evidence := decide.Evidence{Pins: pins}
	if versions := decide.Versions(b.File, pins, b.Move); len(versions) > 0 {
		var err error
		if evidence.Words, err = finder.Words(ctx, b.Tree, b.Names, b.Move.Component, versions); err != nil {
			return err
		}
		if b.History != nil {
			if evidence.Log, err = b.History(ctx, evidence.Places(b.Move.Component)); err != nil {
				return err
			}
		}
	}
	p.Edits, p.Left = decide.Bump(b.File, evidence, b.Move)
	isListed := func(l decide.Left) bool { return l.Listed }
	if evidence.Log != nil && slices.ContainsFunc(p.Left, isListed) {
		p.Partial = evidence.Log.Partial
	}
	return nil
}

// suspect lists the places that look like versions of the component, and are in no list yet.
func (p *Plan) suspect(suspects []ref.Reference) {
	listed := map[ref.Site]bool{}
	for _, l := range p.Left {
		listed[l.Site] = true
	}
	for _, e := range p.Edits {
		listed[e.Site] = true
	}
	for _, s := range suspects {
		if s.Component == p.Move.Component && !listed[s.Site] {
			p.Left = append(p.Left, decide.Left{
				Reference: s, Because: "looks like a version of it, but has an unknown form", Listed: true,
			})
		}
	}
}

// versions are those of a component's pins, one for each pin.
type versions []ref.Version

func versionsOf(component string, pins []ref.Reference) versions {
	var all versions
	for _, r := range pins {
		if v, err := r.Version(); err == nil && r.Component == component {
			all = append(all, v)
		}
	}
	return all
}

// aheadOf reports whether more of these pins than of the others have some version
// beyond the given one, or a newer version than that.
func (vs versions) aheadOf(others versions, beyond ref.Version) bool {
	return slices.ContainsFunc(vs, func(v ref.Version) bool {
		return (beyond.IsZero() || v.Compare(beyond) > 0) && vs.from(v) > others.from(v)
	})
}

// from counts the pins of a version or a newer one.
func (vs versions) from(v ref.Version) int {
	count := 0
	for _, other := range vs {
		if other.Compare(v) >= 0 {
			count++
		}
	}
	return count
}

// checkPins checks that the component has pins. If the move limits their version, one
// must have it, or have moved from it already.
func (b Bump) checkPins(found []ref.Reference) error {
	names := func(r ref.Reference) bool { return r.Component == b.Move.Component && !r.Use }
	if !slices.ContainsFunc(found, names) {
		return outcome.Wrongf("there is no pin of %s in the tree: nothing names a version of it, "+
			"or %s lacks the names by which it does", b.Move.Component, delivery.FileName)
	}
	if b.Move.From.IsZero() {
		return nil
	}
	for _, v := range versionsOf(b.Move.Component, find.Pins(found)) {
		if v.Compare(b.Move.From) == 0 || v.Compare(b.Move.Version) == 0 {
			return nil
		}
	}
	return outcome.Wrongf("no place holds %s %s: there is no pin to move from it", b.Move.Component, b.Move.From)
}

// resolve queries the new targets of the edited places, and fills in the digests and
// commits beside versions.
func (b Bump) resolve(ctx context.Context, p *Plan) error {
	answers := map[resolve.Target]resolve.Answer{}
	if b.Ask != nil && len(p.Edits) > 0 {
		named, err := b.targets(p.Edits)
		if err != nil {
			return err
		}
		asked := b.Ask.Ask(ctx, named)
		answers, p.Findings, p.Unchecked = asked.Answers, asked.Findings, append(p.Unchecked, asked.Unchecked...)
		p.Seen = seen(answers)
	}
	if b.Ask == nil {
		p.leaveLocks()
	}
	for i, e := range p.Edits {
		if e.Lock == nil && !e.WantsDigest {
			continue
		}
		lock, because := b.lock(e, answers)
		p.Edits[i].LockTo = lock
		if lock == "" {
			p.Unchecked = append(p.Unchecked, decide.Unchecked{
				What: e.Site.String() + ": the digest or commit beside " + e.To, Because: because,
			})
		}
	}
	return nil
}

// seen returns the answers of existing targets.
func seen(answers map[resolve.Target]resolve.Answer) []resolve.Answer {
	there := slices.DeleteFunc(slices.Collect(maps.Values(answers)), func(a resolve.Answer) bool {
		return a.Err != nil || a.Absent()
	})
	slices.SortFunc(there, func(a, b resolve.Answer) int { return strings.Compare(a.Name(), b.Name()) })
	return there
}

// leaveLocks leaves the places with a digest or commit, which only a query returns for
// another version.
func (p *Plan) leaveLocks() {
	var kept []decide.Edit
	for _, e := range p.Edits {
		if e.Lock == nil && !e.WantsDigest {
			kept = append(kept, e)
			continue
		}
		p.Left = append(p.Left, decide.Left{Reference: e.Reference,
			Because: "has a digest or commit, or needs one, which takes the network: leave out --offline"})
	}
	p.Edits = kept
}

// moved returns the reference after the edit.
func moved(e decide.Edit) ref.Reference {
	r := e.Reference
	r.Path = strings.ReplaceAll(r.Path, strings.TrimPrefix(r.Written, "v"), strings.TrimPrefix(e.To, "v"))
	r.Written = e.To
	if e.NameTo != "" {
		r.Former = nil
	}
	return r
}

// targets returns the targets of the edited places, and the git tag of the release.
func (b Bump) targets(edits []decide.Edit) (resolve.Named, error) {
	named := resolve.Named{}
	for _, e := range edits {
		if err := named.Refer(b.File, moved(e), b.Move.Version); err != nil {
			return nil, err
		}
	}
	tag := resolve.GitTagOf(b.File, b.Move.Component, b.Move.Version)
	named.Add(tag, resolve.PlaceOf(edits[0].Reference))
	return named, nil
}

// lock returns the digest or commit beside an edited version, or the reason why it is
// not known.
func (b Bump) lock(e decide.Edit, answers map[resolve.Target]resolve.Answer) (lock, because string) {
	targets, err := resolve.Targets(b.File, moved(e), b.Move.Version)
	if err != nil || len(targets) == 0 {
		return "", fmt.Sprintf("it names no target: %v", err)
	}
	a := answers[targets[0]]
	if a.Err != nil {
		return "", a.Err.Error()
	}
	if e.WantsDigest && e.Lock == nil {
		return a.Digest, ""
	}
	return decide.LockOf(e.Reference, a), ""
}

// blocked reports whether the plan must not be written.
func (p *Plan) blocked(acceptStandIns bool) bool {
	return len(decide.Errors(p.Findings)) > 0 || slices.ContainsFunc(p.Unchecked, func(o decide.Unchecked) bool {
		return !o.StandIn || !acceptStandIns
	})
}

// change computes the changed files, including derived ones.
func (b Bump) change(ctx context.Context, finder *find.Finder, p *Plan) error {
	changes, err := apply.Changes(finder, b.Tree, p.Edits)
	if err != nil || len(changes) == 0 {
		return err
	}
	if current, behind := p.Split(); len(current) > 0 && len(behind) > 0 {
		if p.Current, err = apply.Changes(finder, b.Tree, current); err != nil {
			return err
		}
	}
	commands := b.File.Components[b.Move.Component].Derived
	if b.Ask == nil {
		p.Underived, commands = commands, nil
	}
	if len(commands) == 0 {
		p.Changes = changes
		return b.relockAll(p)
	}
	derived, err := apply.Derive(ctx, b.Tree, b.Names, changes, commands, b.Env)
	if err != nil {
		return err
	}
	p.Changes = apply.Merge(changes, derived)
	if err := b.relockAll(p); err != nil {
		return err
	}
	return p.checkDerived(finder, changes, derived)
}

// Split returns the edits of places that were current, and those of places that were
// behind the others.
func (p *Plan) Split() (current, behind []decide.Edit) {
	for _, e := range p.Edits {
		if e.Behind {
			behind = append(behind, e)
			continue
		}
		current = append(current, e)
	}
	return current, behind
}

// checkDerived checks that the commands that derive files kept every edit.
func (p *Plan) checkDerived(finder *find.Finder, edited, derived []apply.Change) error {
	for _, d := range derived {
		i := slices.IndexFunc(edited, func(c apply.Change) bool { return c.File == d.File })
		if i < 0 {
			continue
		}
		want, got := p.count(finder, edited[i]), p.count(finder, d)
		for _, e := range p.Edits {
			if k := kindOf(e.Reference); e.File == d.File && got[k] < want[k] {
				return outcome.Wrongf("%s: after %q, %d of %d places hold %s %s: the command undoes the edit",
					d.File, d.By, got[k], want[k], p.Move.Component, p.Move.Version)
			}
		}
	}
	return nil
}

// kind identifies places that a command may have moved to other lines.
type kind struct {
	artifact string
	syntax   ref.Syntax
}

func kindOf(r ref.Reference) kind { return kind{r.Artifact, r.Syntax} }

// count returns the number of places of each kind that have the new version in the
// changed file.
func (p *Plan) count(finder *find.Finder, c apply.Change) map[kind]int {
	places := map[kind]int{}
	for _, r := range find.Pins(finder.Text(c.File, c.After)) {
		if v, err := r.Version(); err == nil && r.Component == p.Move.Component && v.Compare(p.Move.Version) == 0 {
			places[kindOf(r)]++
		}
	}
	return places
}

// Err returns the outcome of a plan as an error.
func (p *Plan) Err(acceptStandIns bool) error {
	switch {
	case len(decide.Errors(p.Findings)) > 0:
		return outcome.Wrongf("nothing is written: %s", report.Count(len(decide.Errors(p.Findings)), "finding"))
	case p.blocked(acceptStandIns):
		return outcome.As(outcome.Unchecked, fmt.Errorf("nothing is written: %s could not be checked",
			report.Count(len(p.Unchecked), "thing")))
	}
	return nil
}
