package bump

import (
	"bytes"
	"encoding/json"

	"github.com/kubestellar/actions/internal/decide"
	"github.com/kubestellar/actions/internal/ref"
)

// Document is the output of --format json. Its fields are stable: none is removed or
// changes its meaning.
type Document struct {
	Component string    `json:"component"`
	Version   string    `json:"version"`
	Edits     []edit    `json:"edits"`
	Derived   []derived `json:"derived"`
	Underived []string  `json:"underived,omitempty"`
	// Stale are files that are derived from edited ones, and that no command derived.
	Stale []Stale `json:"stale,omitempty"`
	Left  []left  `json:"left"`
	// Listed are the places in Left that a person has to decide about.
	Listed    []left             `json:"listed"`
	Findings  []decide.Finding   `json:"findings"`
	Unchecked []decide.Unchecked `json:"unchecked"`
	// History is the reason why history could not decide about listed places.
	History string `json:"history,omitempty"`
	// Proposal describes the pull request, with --pull-request.
	Proposal *proposal `json:"proposal,omitempty"`
}

type proposal struct {
	State   State  `json:"state"`
	Because string `json:"because,omitempty"`
	Number  int    `json:"number,omitempty"`
	URL     string `json:"url,omitempty"`
	// Commit is the last commit that was made, if any.
	Commit   string `json:"commit,omitempty"`
	Author   string `json:"author,omitempty"`
	Verified bool   `json:"verified,omitempty"`
	Reason   string `json:"reason,omitempty"`
	// Commits are all commits that were made, the oldest first. Places that were behind
	// the others have a commit of their own.
	Commits []string `json:"commits,omitempty"`
}

type edit struct {
	File   string     `json:"file"`
	Line   int        `json:"line"`
	Column int        `json:"column"`
	Syntax ref.Syntax `json:"syntax"`
	From   string     `json:"from"`
	To     string     `json:"to"`
	// Before and After contain the whole line.
	Before string `json:"before"`
	After  string `json:"after"`
	// Behind means that the place was behind the others.
	Behind bool `json:"behind,omitempty"`
	// Because is the evidence for an edit whose form alone does not tell, and Commits
	// are those that are a part of it.
	Because string   `json:"because,omitempty"`
	Commits []string `json:"commits,omitempty"`
}

type left struct {
	File    string `json:"file"`
	Line    int    `json:"line"`
	Column  int    `json:"column"`
	Version string `json:"version"`
	Because string `json:"because"`
}

type derived struct {
	File string `json:"file"`
	By   string `json:"by"`
}

// JSON returns the plan and the proposal as --format json prints them.
func (d Proposed) JSON() ([]byte, error) {
	last := d.Commit()
	made := &proposal{
		State: d.State, Because: d.Because,
		Commit: last.ID, Author: last.Author, Verified: last.Verified, Reason: last.Reason,
	}
	for _, c := range d.Commits {
		made.Commits = append(made.Commits, c.ID)
	}
	if d.Pull != nil {
		made.Number, made.URL = d.Pull.Number, d.Pull.URL
	}
	return d.Plan.json(made)
}

// JSON returns the plan as --format json prints it.
func (p *Plan) JSON() ([]byte, error) { return p.json(nil) }

func (p *Plan) json(made *proposal) ([]byte, error) {
	out := Document{
		Component: p.Move.Component,
		Version:   p.Move.Version.String(),
		Edits:     []edit{},
		Derived:   []derived{},
		Underived: p.Underived,
		Stale:     p.Stale,
		Left:      []left{},
		Listed:    []left{},
		Findings:  append([]decide.Finding{}, p.Findings...),
		Unchecked: append([]decide.Unchecked{}, p.Unchecked...),
		History:   p.Partial,
		Proposal:  made,
	}
	for i, e := range p.Edits {
		line := p.Lines[i]
		out.Edits = append(out.Edits, edit{
			e.File, e.Line, e.Column, e.Syntax, e.Written, e.To, line.Before, line.After, e.Behind,
			e.Because, e.Commits,
		})
	}
	for _, c := range p.Changes {
		if c.By != "" {
			out.Derived = append(out.Derived, derived{c.File, c.By})
		}
	}
	for _, l := range p.Left {
		place := left{l.File, l.Line, l.Column, l.Written, l.Because}
		out.Left = append(out.Left, place)
		if l.Listed {
			out.Listed = append(out.Listed, place)
		}
	}
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetIndent("", "  ")
	encoder.SetEscapeHTML(false) // lines are shown unchanged
	err := encoder.Encode(out)
	return b.Bytes(), err
}
