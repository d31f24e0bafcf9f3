package verify

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"golang.org/x/sync/errgroup"

	"github.com/kubestellar/actions/internal/decide"
	"github.com/kubestellar/actions/internal/delivery"
	"github.com/kubestellar/actions/internal/ref"
	"github.com/kubestellar/actions/internal/render"
	"github.com/kubestellar/actions/internal/resolve"
)

// Asker queries targets, and judges the answers.
type Asker struct {
	File     *delivery.File
	Resolver resolve.Resolver
	// Charts fetches a chart's package, which is then rendered, and its targets are queried as well. If it is nil,
	// charts are not rendered.
	Charts func(ctx context.Context, at, tag string) (archive []byte, err error)
	// Renderings remembers the renderings of packages; nil remembers nothing.
	Renderings *render.Memo
	// Own is the version that placeholders mean. If it is zero, nothing is queried for them.
	Own ref.Version
	// Tagged is the newest version of our own among the git tags. If it is zero, no version of our own is known to be
	// unreleased.
	Tagged   decide.Tagged
	StandIns decide.StandIns
}

// Asked holds the answers for a set of targets, and the judgement of them.
type Asked struct {
	Answers   map[resolve.Target]resolve.Answer
	Findings  []decide.Finding
	Unchecked []decide.Unchecked
	Excuses   decide.Excuses
}

// Ask queries each target once, then those that the charts among them name, and so on. Excused targets are not queried.
func (a Asker) Ask(ctx context.Context, named resolve.Named) *Asked {
	asked := &Asked{Answers: map[resolve.Target]resolve.Answer{}, Excuses: decide.Excuses{File: a.File}}
	for next := maps.Clone(named); len(next) > 0; {
		maps.DeleteFunc(next, func(t resolve.Target, _ resolve.Place) bool { return asked.Excuses.Excused(t) })
		answers := resolve.All(ctx, a.Resolver, resolve.Sorted(next))
		for _, answer := range answers {
			asked.Answers[answer.Target] = answer
		}
		findings, unchecked := decide.Judge(answers, next, a.StandIns)
		asked.Findings, asked.Unchecked = append(asked.Findings, findings...), append(asked.Unchecked, unchecked...)
		next = a.charts(ctx, asked, answers, next)
	}
	return asked
}

// charts renders the charts among the answers with their own values, and returns the targets that they name and that
// are not queried yet.
func (a Asker) charts(ctx context.Context, asked *Asked, answers []resolve.Answer, named resolve.Named) resolve.Named {
	next := resolve.Named{}
	if a.Charts == nil {
		return next
	}
	charts := slices.DeleteFunc(slices.Clone(answers), func(answer resolve.Answer) bool {
		return answer.Kind != resolve.Chart || answer.Err != nil
	})
	renderings, errs := make([]render.Rendering, len(charts)), make([]error, len(charts))
	var group errgroup.Group
	const atOnce = 4 // charts are unpacked in memory
	group.SetLimit(atOnce)
	for i, answer := range charts {
		group.Go(func() error {
			renderings[i], errs[i] = a.render(ctx, answer.Target)
			return nil
		})
	}
	_ = group.Wait() // errs has the errors
	for i, answer := range charts {
		at := named[answer.Target]
		at.Text = fmt.Sprintf("the rendering of %s, named at %s", answer.Target, at)
		if errs[i] != nil {
			asked.Unchecked = append(asked.Unchecked, decide.Unchecked{What: at.Text, Because: errs[i].Error()})
			continue
		}
		asked.addFindings(renderings[i], at)
		for t := range renderings[i].Named {
			if _, known := asked.Answers[t]; !known {
				next.Add(t, at)
			}
		}
	}
	return next
}

func (a Asker) render(ctx context.Context, t resolve.Target) (render.Rendering, error) {
	archive, err := a.Charts(ctx, t.At, t.Tag)
	if err != nil {
		return render.Rendering{}, err
	}
	return a.Renderings.Archive(a.File, t.At+":"+t.Tag, archive, a.Own, render.Values{})
}

// addFindings adds the findings of a rendering, at the place in the tree that names its chart.
func (asked *Asked) addFindings(r render.Rendering, at resolve.Place) {
	for _, finding := range r.Findings {
		finding.Saw = fmt.Sprintf("%s in %s of %s", finding.Saw, finding.File, at)
		finding.File, finding.Line, finding.Column = at.File, at.Line, at.Column
		asked.Findings = append(asked.Findings, finding)
	}
}
