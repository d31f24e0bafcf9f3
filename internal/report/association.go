package report

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/kubestellar/actions/internal/outcome"
)

// Association is a rule about published artifacts, applied to one of them, with the evidence.
type Association struct {
	Rule     string `json:"rule"`
	Subject  string `json:"subject"` // what it is about
	Claim    string `json:"association"`
	State    State  `json:"state"`
	Evidence string `json:"evidence"` // or why it could not be checked
	// RestsOn is the rule whose failure explains this one.
	RestsOn string `json:"rests_on,omitempty"`
	// StandIn is set if it depends on a stand-in of a rehearsal.
	StandIn bool `json:"stand_in,omitempty"`
	// Places are the places where a stamped copy and the git tag differ.
	Places []string `json:"places,omitempty"`
}

// Key returns the association's unique name.
func (a Association) Key() string { return a.Rule + " " + a.Subject }

// Proof is the result of proving a release.
type Proof struct {
	Component    string        `json:"component"`
	Version      string        `json:"version"`
	Repository   string        `json:"repository"`
	Commit       string        `json:"commit"`
	Associations []Association `json:"associations"`
	Findings     []Association `json:"findings"`  // the refuted associations
	Unchecked    []Association `json:"unchecked"` // the associations that could not be checked
	Notes        []string      `json:"notes"`     // remarks that are not associations
}

// Settled fills the lists that follow from the associations.
func (p *Proof) Settled() {
	p.Findings, p.Unchecked = p.in(Refuted), p.in(Unchecked)
	if p.Notes == nil {
		p.Notes = []string{}
	}
}

func (p *Proof) in(state State) []Association {
	found := slices.DeleteFunc(slices.Clone(p.Associations), func(a Association) bool { return a.State != state })
	return append([]Association{}, found...)
}

// OnlyStandIns reports whether everything unchecked depends on stand-ins.
func (p *Proof) OnlyStandIns() bool {
	return !slices.ContainsFunc(p.Unchecked, func(a Association) bool { return !a.StandIn })
}

// Subjects returns the subjects of the associations, in their order.
func (p *Proof) Subjects() []string {
	var all []string
	for _, a := range p.Associations {
		if !slices.Contains(all, a.Subject) {
			all = append(all, a.Subject)
		}
	}
	return all
}

// About returns the associations of one subject.
func (p *Proof) About(subject string) []Association {
	return slices.DeleteFunc(slices.Clone(p.Associations), func(a Association) bool {
		return a.Subject != subject
	})
}

// Count returns the numbers of associations by state, in words.
func (p *Proof) Count() string {
	proven := len(p.Associations) - len(p.Findings) - len(p.Unchecked)
	return fmt.Sprintf("%s: %d proven, %d refuted, %d could not be checked",
		Count(len(p.Associations), "association"), proven, len(p.Findings), len(p.Unchecked))
}

// Table prints the associations by subject.
func (p *Proof) Table(w io.Writer) {
	fmt.Fprintf(w, "%s %s: git tag v%s of %s, commit %s\n\n",
		p.Component, p.Version, p.Version, p.Repository, orUnknown(p.Commit))
	subject := ""
	for _, a := range p.Associations {
		if a.Subject != subject {
			subject = a.Subject
			fmt.Fprintln(w, Plain(subject))
		}
		fmt.Fprintf(w, "  %-15s  %-18s  %s\n", a.State, a.Rule, Plain(strings.Trim(a.Claim+": "+a.Evidence, ": ")))
	}
	for _, note := range p.Notes {
		fmt.Fprintf(w, "\n%s\n", Plain(note))
	}
	fmt.Fprintf(w, "\n%s\n", p.Count())
}

func orUnknown(commit string) string {
	if commit == "" {
		return "unknown"
	}
	return commit
}

// Markdown returns the proof as a part of a job summary.
func (p *Proof) Markdown() string {
	var b strings.Builder
	fmt.Fprintf(&b, "\n## Proof of %s %s\n\n%s; git tag `v%s` of %s, commit `%s`.\n",
		p.Component, p.Version, p.Count(), p.Version, p.Repository, orUnknown(p.Commit))
	b.WriteString(Table([]string{"refuted", "association", "evidence", "rule"}, rows(p.Findings)))
	b.WriteString(Table([]string{"could not check", "association", "because", "rule"}, rows(p.Unchecked)))
	proven := p.in(Proven)
	b.WriteString(Folded("Proven: "+Count(len(proven), "association"),
		Table([]string{"what", "association", "evidence", "rule"}, rows(proven))))
	for _, note := range p.Notes {
		fmt.Fprintf(&b, "\n%s\n", Cell(note))
	}
	return b.String()
}

func rows(all []Association) (rows [][]string) {
	for _, a := range all {
		rows = append(rows, []string{Cell(a.Subject), Cell(a.Claim), Cell(a.Evidence), Cell(a.Rule)})
	}
	return rows
}

// StandIns is the treatment of stand-ins, which are only valid in a rehearsal.
type StandIns bool

// RefuseStandIns treats a stand-in as an artifact that could not be checked.
const (
	RefuseStandIns StandIns = false
	AcceptStandIns StandIns = true
)

// Err returns the outcome of a proof as an error. Refuted associations have priority over unchecked ones.
func (p *Proof) Err(standIns StandIns) error {
	switch {
	case len(p.Findings) > 0:
		return &RefutedError{p.Component, p.Version, p.Findings}
	case len(p.Unchecked) > 0 && !(standIns == AcceptStandIns && p.OnlyStandIns()):
		return fmt.Errorf("%s %s: %s could not be checked; without those that follow from another:%s",
			p.Component, p.Version, Count(len(p.Unchecked), "association"), listed(p.Unchecked))
	}
	return nil
}

// RefutedError is the error of refuted associations.
type RefutedError struct {
	Component, Version string
	Associations       []Association
}

// Code returns outcome.Wrong.
func (e *RefutedError) Code() outcome.Code { return outcome.Wrong }

func (e *RefutedError) Error() string {
	return fmt.Sprintf("%s %s: %s refuted%s",
		e.Component, e.Version, Count(len(e.Associations), "association"), listed(e.Associations))
}

// listed returns a line for each association that does not follow from another.
func listed(all []Association) string {
	var b strings.Builder
	for _, a := range all {
		if a.RestsOn == "" {
			fmt.Fprintf(&b, "\n  %s: %s: %s (%s)", a.Subject, a.Claim, a.Evidence, a.Rule)
		}
	}
	return b.String()
}
