// Package verify checks the references of a tree: by the rules that need
// nothing else, and by asking the world whether what they name is there.
package verify

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"golang.org/x/sync/errgroup"

	"github.com/kubestellar/actions/internal/decide"
	"github.com/kubestellar/actions/internal/delivery"
	"github.com/kubestellar/actions/internal/find"
	"github.com/kubestellar/actions/internal/outcome"
	"github.com/kubestellar/actions/internal/ref"
	"github.com/kubestellar/actions/internal/render"
	"github.com/kubestellar/actions/internal/report"
	"github.com/kubestellar/actions/internal/resolve"
)

// Result is what verify has to say, in the shape that --format json prints.
type Result struct {
	References int              `json:"references"` // places that were found, uses among them
	Targets    int              `json:"targets"`    // distinct things that the world was asked for
	Findings   []decide.Finding `json:"findings"`
	Unchecked  []report.Open    `json:"unchecked"`
}

// Offline checks what was found in a tree by itself.
func Offline(f *delivery.File, found find.Found) Result {
	r := Result{References: len(found.References), Findings: decide.Check(f, found), Unchecked: []report.Open{}}
	for _, u := range found.Unread {
		r.Unchecked = append(r.Unchecked, report.Open{What: u.File, Because: u.Because})
	}
	if r.Findings == nil {
		r.Findings = []decide.Finding{}
	}
	return r
}

// Asker asks the world what references name, and what that names in turn.
type Asker struct {
	File  *delivery.File
	World resolve.Interface
	// Renderings remembers what packages render to; nil remembers nothing.
	Renderings *render.Memo
	// Charts brings a chart's package, to see what the chart runs.
	Charts func(ctx context.Context, at, tag string) (archive []byte, err error)
	// Own is the version that stands for placeholders; zero leaves what they
	// name unasked, since it is yet to be published.
	Own ref.Version
}

// Check asks for everything that a tree's pins name, and adds what there is to
// say to the result.
func (a Asker) Check(ctx context.Context, references []ref.Reference, r *Result) error {
	named, err := decide.Named(a.File, a.published(references), a.Own)
	if err != nil {
		return err
	}
	asked := a.Ask(ctx, named)
	r.Targets += len(asked.Answers)
	r.Findings = append(r.Findings, asked.Findings...)
	r.Findings = append(r.Findings, decide.Weigh(a.File, decide.Belongs(a.File, references, a.Own, asked.Answers))...)
	r.Unchecked = append(r.Unchecked, asked.Unchecked...)
	return nil
}

// published leaves out placeholders where nothing stands for them.
func (a Asker) published(references []ref.Reference) []ref.Reference {
	return slices.DeleteFunc(slices.Clone(references), func(r ref.Reference) bool {
		v, err := r.Version()
		return a.Own.IsZero() && err == nil && v.IsPlaceholder()
	})
}

// Asked is what the world said.
type Asked struct {
	Answers   map[resolve.Target]resolve.Answer
	Findings  []decide.Finding
	Unchecked []report.Open
	// Excused are what was not asked for, each with the reason.
	Excused []string
}

// place is where a target is named: at a reference, perhaps by way of a chart
// that runs it.
type place struct {
	at    ref.Site
	named string
}

// Ask asks for each target once, and then for what the charts among them run.
func (a Asker) Ask(ctx context.Context, named map[resolve.Target]ref.Reference) Asked {
	next := map[resolve.Target]place{}
	for t, r := range named {
		next[t] = place{r.Site, r.Site.String()}
	}
	asked, used := a.ask(ctx, next)
	asked.idle(a.File, used)
	return asked
}

// Things is Ask for what is named elsewhere than in the tree, each with its
// place; an excuse that excuses nothing there is of no interest.
func (a Asker) Things(ctx context.Context, named map[resolve.Target]string) Asked {
	next := map[resolve.Target]place{}
	for t, at := range named {
		next[t] = place{named: at}
	}
	asked, _ := a.ask(ctx, next)
	return asked
}

// ask also tells which entries of ignore were of use.
func (a Asker) ask(ctx context.Context, next map[resolve.Target]place) (Asked, map[int]bool) {
	asked := Asked{Answers: map[resolve.Target]resolve.Answer{}}
	used := map[int]bool{}
	for len(next) > 0 {
		a.excuse(next, used)
		answers := resolve.All(ctx, a.World, resolve.Sorted(next))
		for _, answer := range answers {
			asked.Answers[answer.Target] = answer
			a.judge(&asked, answer, next[answer.Target])
		}
		next = a.runs(ctx, &asked, answers, next)
	}
	for i, e := range a.File.Ignore {
		if used[i] {
			asked.Excused = append(asked.Excused, fmt.Sprintf("%s (%s)", e.Target, e.Because))
		}
	}
	return asked, used
}

// excuse drops the targets that delivery.yaml says need not be there.
func (a Asker) excuse(next map[resolve.Target]place, used map[int]bool) {
	maps.DeleteFunc(next, func(t resolve.Target, _ place) bool {
		i := slices.IndexFunc(a.File.Ignore, func(e delivery.Excuse) bool { return e.Target != "" && e.Target == t.Name() })
		if i >= 0 {
			used[i] = true
		}
		return i >= 0
	})
}

// idle finds the excuses of targets that nothing names.
func (asked *Asked) idle(f *delivery.File, used map[int]bool) {
	for i, e := range f.Ignore {
		if e.Target != "" && !used[i] {
			asked.Findings = append(asked.Findings, decide.Weigh(f, []decide.Finding{{Rule: "idle-excuse", File: delivery.FileName, Line: e.Line, Column: 1,
				Saw: fmt.Sprintf("an entry of ignore for target %q, which nothing names", e.Target), Want: "an excuse for something", Help: "correct it or take it out"}})...)
		}
	}
}

func (a Asker) judge(asked *Asked, answer resolve.Answer, p place) {
	switch {
	case answer.Absent():
		asked.Findings = append(asked.Findings, decide.Absent(answer, p.at, p.named))
	case answer.Err != nil:
		asked.Unchecked = append(asked.Unchecked, report.Open{What: fmt.Sprintf("%s, named at %s", answer.Target, p.named), Because: answer.Err.Error()})
	case answer.StandIn != "":
		asked.Unchecked = append(asked.Unchecked, report.Open{What: fmt.Sprintf("%s, named at %s", answer.Target, p.named), Because: "stand-in: " + answer.StandIn, StandIn: true})
	}
}

// runs are the targets, not asked for yet, that charts name when they are
// rendered with their own values.
func (a Asker) runs(ctx context.Context, asked *Asked, answers []resolve.Answer, places map[resolve.Target]place) map[resolve.Target]place {
	charts := slices.DeleteFunc(slices.Clone(answers), func(answer resolve.Answer) bool { return answer.Kind != delivery.Chart || answer.Err != nil })
	rendered := make([]rendering, len(charts))
	var group errgroup.Group
	const atOnce = 4 // charts are unpacked in memory
	group.SetLimit(atOnce)
	for i, answer := range charts {
		group.Go(func() error {
			rendered[i] = a.render(ctx, answer.Target)
			return nil
		})
	}
	_ = group.Wait() // a rendering holds its own error
	next := map[resolve.Target]place{}
	for i, answer := range charts {
		at := places[answer.Target]
		at.named = fmt.Sprintf("the rendering of %s, named at %s", answer.Target, at.named)
		a.consider(asked, rendered[i], at, next)
	}
	return next
}

// rendering is what a chart comes to.
type rendering struct {
	render.Rendering
	err error
}

func (a Asker) render(ctx context.Context, t resolve.Target) rendering {
	archive, err := a.Charts(ctx, t.At, t.Tag)
	if err != nil {
		return rendering{err: err}
	}
	r, err := a.Renderings.Archive(a.File, t.At+":"+t.Tag, archive, a.Own, render.Values{})
	return rendering{r, err}
}

// consider adds what a rendering names to what is asked next.
func (a Asker) consider(asked *Asked, r rendering, at place, next map[resolve.Target]place) {
	if r.err != nil {
		asked.Unchecked = append(asked.Unchecked, report.Open{What: at.named, Because: r.err.Error()})
		return
	}
	for _, finding := range r.Findings {
		finding.Saw = fmt.Sprintf("%s in %s of %s", finding.Saw, finding.File, at.named)
		finding.File, finding.Line, finding.Column = at.at.File, at.at.Line, at.at.Column
		asked.Findings = append(asked.Findings, finding)
	}
	for t := range r.Named {
		_, known := asked.Answers[t]
		if _, waiting := next[t]; !known && !waiting {
			next[t] = at
		}
	}
}

// Err is the outcome of a result as an error: findings win over what could not
// be checked, and warnings count for nothing. Stand-ins may be accepted.
func (r Result) Err(acceptStandIns bool) error {
	open := slices.DeleteFunc(slices.Clone(r.Unchecked), func(o report.Open) bool { return o.StandIn && acceptStandIns })
	switch errs := decide.Errors(r.Findings); {
	case len(errs) > 0:
		return foundWrong{len(errs), len(r.Unchecked)}
	case len(open) > 0:
		return unchecked{len(open)}
	}
	return nil
}

type foundWrong struct{ findings, unchecked int }

func (e foundWrong) Code() outcome.Code { return outcome.Wrong }

func (e foundWrong) Error() string {
	text := report.Count(e.findings, "finding")
	if e.unchecked > 0 {
		text += fmt.Sprintf("; %d could not be checked", e.unchecked)
	}
	return text
}

type unchecked struct{ n int }

func (e unchecked) Code() outcome.Code { return outcome.Unchecked }
func (e unchecked) Error() string      { return report.Count(e.n, "thing") + " could not be checked" }
