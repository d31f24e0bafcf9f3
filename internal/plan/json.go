package plan

import (
	"github.com/kubestellar/actions/internal/decide"
)

// Document is the output of --format json. Its fields are stable: none is removed or
// changes its meaning.
type Document struct {
	Organisation string             `json:"organisation,omitempty"`
	Repositories []repository       `json:"repositories"`
	Without      []string           `json:"without"`  // delivery.yaml
	LeftOut      []LeftOut          `json:"left_out"` // on purpose
	Behind       []Behind           `json:"behind"`
	Steps        []Task             `json:"steps"`
	Cycles       []Cycle            `json:"cycles"`
	Unchecked    []decide.Unchecked `json:"unchecked"`
}

type repository struct {
	Repository string `json:"repository"`
	Component  string `json:"component"`
	// Newest is its newest release, empty if it has none.
	Newest string `json:"newest"`
	// Declares means that it has a delivery.yaml. Others are only named by one.
	Declares bool     `json:"declares"`
	RefersTo []refers `json:"refers_to"`
}

type refers struct {
	Repository string   `json:"repository"`
	Component  string   `json:"component"`
	Versions   []string `json:"versions"`
	Newest     string   `json:"newest"`
	Places     int      `json:"places"`
	// Left is the number of places that stay behind on purpose.
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

// Behind returns the bumps that can be made now, to released versions.
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

// Document returns the plan for programs.
func (p *Plan) Document() Document {
	d := Document{
		Organisation: p.Organisation, Repositories: []repository{}, Without: list(p.Without), LeftOut: list(p.LeftOut),
		Behind: p.Behind(), Steps: list(p.Steps), Cycles: list(p.Cycles), Unchecked: list(p.Unchecked),
	}
	for _, r := range p.Repositories {
		shown := repository{r.Name, r.Component, r.Newest.String(), r.Declares, []refers{}}
		for _, a := range r.Arrows {
			shown.RefersTo = append(shown.RefersTo, refers{
				a.To, a.Component, list(a.Written), a.Newest.String(), len(a.Sites), a.Left,
			})
		}
		d.Repositories = append(d.Repositories, shown)
	}
	return d
}

// list returns a list that is never nil, because nil is null in JSON.
func list[T any](all []T) []T { return append([]T{}, all...) }

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

// MostJobs is the limit of jobs of a matrix:
// https://docs.github.com/en/actions/reference/limits#existing-system-limits
const MostJobs = 256

// Matrix returns a part of the bumps that can be made now, and the number of bumps in
// later parts. Parts count from 1. A part beyond the last is empty.
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
