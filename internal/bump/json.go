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
	Component string             `json:"component"`
	Version   string             `json:"version"`
	Edits     []edit             `json:"edits"`
	Derived   []derived          `json:"derived"`
	Underived []string           `json:"underived,omitempty"`
	Left      []left             `json:"left"`
	Findings  []decide.Finding   `json:"findings"`
	Unchecked []decide.Unchecked `json:"unchecked"`
	// Proposal describes the pull request, with --pull-request.
	Proposal *proposal `json:"proposal,omitempty"`
}

type proposal struct {
	State   State  `json:"state"`
	Because string `json:"because,omitempty"`
	Number  int    `json:"number,omitempty"`
	URL     string `json:"url,omitempty"`
	// Commit is the commit that was made, if any.
	Commit   string `json:"commit,omitempty"`
	Author   string `json:"author,omitempty"`
	Verified bool   `json:"verified,omitempty"`
	Reason   string `json:"reason,omitempty"`
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
	made := &proposal{
		State: d.State, Because: d.Because,
		Commit: d.Commit.ID, Author: d.Commit.Author, Verified: d.Commit.Verified, Reason: d.Commit.Reason,
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
		Left:      []left{},
		Findings:  append([]decide.Finding{}, p.Findings...),
		Unchecked: append([]decide.Unchecked{}, p.Unchecked...),
		Proposal:  made,
	}
	for i, e := range p.Edits {
		line := p.Lines[i]
		out.Edits = append(out.Edits, edit{
			e.File, e.Line, e.Column, e.Syntax, e.Written, e.To, line.Before, line.After, e.Behind,
		})
	}
	for _, c := range p.Changes {
		if c.By != "" {
			out.Derived = append(out.Derived, derived{c.File, c.By})
		}
	}
	for _, l := range p.Left {
		out.Left = append(out.Left, left{l.File, l.Line, l.Column, l.Written, l.Because})
	}
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetIndent("", "  ")
	encoder.SetEscapeHTML(false) // lines are shown unchanged
	err := encoder.Encode(out)
	return b.Bytes(), err
}
