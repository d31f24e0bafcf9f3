// Package verify checks the references in a tree. Offline applies the rules that need only the tree. Asker queries
// whether the targets of the references exist.
package verify

import (
	"context"
	"fmt"
	"slices"

	"github.com/kubestellar/actions/internal/decide"
	"github.com/kubestellar/actions/internal/delivery"
	"github.com/kubestellar/actions/internal/find"
	"github.com/kubestellar/actions/internal/outcome"
	"github.com/kubestellar/actions/internal/ref"
	"github.com/kubestellar/actions/internal/report"
	"github.com/kubestellar/actions/internal/resolve"
)

// Result is the result of a check. --format json prints it.
type Result struct {
	References int                `json:"references"` // found in the tree, uses included
	Targets    int                `json:"targets"`    // queried
	Findings   []decide.Finding   `json:"findings"`
	Unchecked  []decide.Unchecked `json:"unchecked"`
	// Notices are about places that people decide about. They are not findings, and change no exit code.
	Notices []decide.Notice `json:"notices"`
}

// Offline checks the references found in a tree without any query. tagged is the newest version of our own among the
// git tags, or zero if none is known.
func Offline(f *delivery.File, found find.Found, tagged decide.Tagged) Result {
	r := Result{References: len(found.References), Unchecked: []decide.Unchecked{}}
	r.Findings, r.Notices = decide.Check(f, found, tagged)
	for _, u := range found.Unread {
		r.Unchecked = append(r.Unchecked, decide.Unchecked{What: u.File, Because: u.Because})
	}
	if r.Findings == nil {
		r.Findings = []decide.Finding{}
	}
	return r
}

// Check queries the targets of the pins in a tree, and those that only the renderings of its own charts name. It adds
// to the result.
func (a Asker) Check(ctx context.Context, references []ref.Reference, rendered resolve.Named, r *Result) error {
	named, err := decide.Required(a.File, a.published(references), a.Own, a.Tagged)
	if err != nil {
		return err
	}
	for target, place := range rendered {
		named.Add(target, place)
	}
	asked := a.Ask(ctx, named)
	r.Targets += len(asked.Answers)
	r.Findings = append(r.Findings, asked.Findings...)
	r.Findings = append(r.Findings, asked.Excuses.Idle()...)
	r.Findings = append(r.Findings, decide.Mismatched(a.File, references, a.Own, asked.Answers)...)
	r.Unchecked = append(r.Unchecked, asked.Unchecked...)
	return nil
}

// published returns the references without placeholders if no version of our own is given, and without the versions of
// our own that are not released yet.
func (a Asker) published(references []ref.Reference) []ref.Reference {
	return slices.DeleteFunc(slices.Clone(references), func(r ref.Reference) bool {
		v, err := r.Version()
		if err != nil {
			return false
		}
		tagged := a.Tagged.Of(a.File, r.Component)
		coming := decide.IsOwn(a.File, r) && !tagged.IsZero() && v.Compare(tagged) > 0
		return a.Own.IsZero() && (v.IsPlaceholder() || coming)
	})
}

// Err returns the outcome of a result as an error. Findings have priority over unchecked things. Warnings do not count.
func (r Result) Err(acceptStandIns bool) error {
	open := slices.DeleteFunc(slices.Clone(r.Unchecked), func(u decide.Unchecked) bool {
		return u.StandIn && acceptStandIns
	})
	switch errs := decide.Errors(r.Findings); {
	case len(errs) > 0:
		return findingsError{len(decide.Grouped(errs)), len(r.Unchecked)}
	case len(open) > 0:
		return uncheckedError(len(open))
	}
	return nil
}

type findingsError struct{ findings, unchecked int }

func (e findingsError) Code() outcome.Code { return outcome.Wrong }

func (e findingsError) Error() string {
	text := report.Count(e.findings, "finding")
	if e.unchecked > 0 {
		text += fmt.Sprintf("; %d could not be checked", e.unchecked)
	}
	return text
}

type uncheckedError int

func (e uncheckedError) Code() outcome.Code { return outcome.Unchecked }
func (e uncheckedError) Error() string {
	return report.Count(int(e), "thing") + " could not be checked"
}
