package plan

import (
	"github.com/kubestellar/actions/internal/decide"
)

// Document is a plan as --format json prints it. Its fields are stable: none is
// taken away or given another meaning.
type Document struct {
	Organisation string             `json:"organisation,omitempty"`
	Repositories []repository       `json:"repositories"`
	Without      []string           `json:"without"`  // delivery.yaml
	LeftOut      []LeftOut          `json:"left_out"` // on purpose
	Behind       []Behind           `json:"behind"`
	Steps        []Step             `json:"steps"`
	Cycles       []Cycle            `json:"cycles"`
	Unchecked    []decide.Unchecked `json:"unchecked"`
}

type repository struct {
	Repository string `json:"repository"`
	Component  string `json:"component"`
	// Newest is its newest release, "" where it has none.
	Newest string `json:"newest"`
	// Declares says that it has a delivery.yaml; others are referred to only.
	Declares bool     `json:"declares"`
	RefersTo []refers `json:"refers_to"`
}

type refers struct {
	Repository string   `json:"repository"`
	Component  string   `json:"component"`
	Versions   []string `json:"versions"`
	Newest     string   `json:"newest"`
	Places     int      `json:"places"`
	// Left are places that are behind and stay so on purpose.
	Left int `json:"left"`
}

// Behind is a bump that can be made now.
type Behind struct {
	Repository string   `json:"repository"`
	Component  string   `json:"component"`
	From       []string `json:"from"`
	Version    string   `json:"version"`
	Places     int      `json:"places"`
	Left       int      `json:"left"`
}

// Behind are the bumps that can be made now: to what is released.
func (p *Plan) Behind() []Behind {
	all := []Behind{}
	for _, r := range p.Repositories {
		for _, a := range r.Arrows {
			for _, b := range a.Bumps {
				all = append(all, Behind{r.Name, a.Component, b.From, b.Version.String(), b.Places, a.Left})
			}
		}
	}
	return all
}

// Document is the plan for programs.
func (p *Plan) Document() Document {
	d := Document{
		Organisation: p.Organisation, Repositories: []repository{}, Without: some(p.Without), LeftOut: some(p.LeftOut),
		Behind: p.Behind(), Steps: some(p.Steps), Cycles: some(p.Cycles), Unchecked: some(p.Unchecked),
	}
	for _, r := range p.Repositories {
		shown := repository{r.Name, r.Component, r.Newest.String(), r.Declares, []refers{}}
		for _, a := range r.Arrows {
			shown.RefersTo = append(shown.RefersTo, refers{a.To, a.Component, some(a.Written), a.Newest.String(), len(a.Sites), a.Left})
		}
		d.Repositories = append(d.Repositories, shown)
	}
	return d
}

// some is a list that prints as one, also where it is empty.
func some[T any](list []T) []T { return append([]T{}, list...) }

// Matrix is the include of a strategy's matrix in a workflow:
// https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-syntax#jobsjob_idstrategymatrixinclude
type Matrix struct {
	Include []Cell `json:"include"`
}

// Cell is one job of a matrix: one bump.
type Cell struct {
	Repository string `json:"repository"`
	Component  string `json:"component"`
	Version    string `json:"version"`
}

// MostJobs is how many jobs a matrix may make:
// https://docs.github.com/en/actions/reference/limits#existing-system-limits
const MostJobs = 256

// Matrix is a part of the bumps that can be made now, counted from 1, and how
// many come in the parts after it. A part beyond the last is empty.
func (p *Plan) Matrix(part int) (m Matrix, left int) {
	all := p.Behind()
	from := min((part-1)*MostJobs, len(all))
	to := min(from+MostJobs, len(all))
	m.Include = []Cell{}
	for _, b := range all[from:to] {
		m.Include = append(m.Include, Cell{b.Repository, b.Component, b.Version})
	}
	return m, len(all) - to
}
