package verify

import (
	"context"
	"fmt"
	"io/fs"
	"sync"

	"github.com/kubestellar/actions/internal/apply"
	"github.com/kubestellar/actions/internal/decide"
	"github.com/kubestellar/actions/internal/delivery"
	"github.com/kubestellar/actions/internal/find"
	"github.com/kubestellar/actions/internal/oci"
	"github.com/kubestellar/actions/internal/ref"
	"github.com/kubestellar/actions/internal/render"
	"github.com/kubestellar/actions/internal/resolve"
)

// Tree is a tree to verify.
type Tree struct {
	FS    fs.FS
	Names []string // of its files
	Found find.Found
}

// RenderOwn stamps and renders the tree's own charts in memory, and adds the findings about their references, and about
// links of ours to paths of the tree. A chart that does not render could not be checked. RenderOwn returns the targets
// outside this repository that the renderings name. Without Charts, it renders without the dependencies that are not in
// the tree.
func (a Asker) RenderOwn(ctx context.Context, tree Tree, r *Result) resolve.Named {
	charts := a.ownCharts()
	renderings, errs := make([]render.Rendering, len(charts)), make([]error, len(charts))
	var group sync.WaitGroup
	for i, c := range charts {
		group.Go(func() { renderings[i], errs[i] = c.renderSource(ctx, tree) })
	}
	group.Wait()
	for _, reference := range find.Pins(tree.Found.References) {
		r.Findings = append(r.Findings, decide.Weigh(a.File, decide.OwnPath(a.File, reference, a.Own, tree.Names))...)
	}
	named := resolve.Named{}
	own := renderedFindings{known: map[line]bool{}, excused: map[line]bool{}}
	own.seen(tree.Found, r.Findings)
	for i, c := range charts {
		if errs[i] != nil {
			what := fmt.Sprintf("the rendering of %s in %s", c.name, c.File.Own().Artifacts[c.name].Source)
			r.Unchecked = append(r.Unchecked, decide.Unchecked{What: what, Because: errs[i].Error()})
			continue
		}
		r.Findings = append(r.Findings, decide.Weigh(a.File, own.more(renderings[i].Findings))...)
		for target, place := range renderings[i].Named {
			if !c.File.IsOwn(target.Component) {
				named.Add(target, place)
			}
		}
	}
	decide.Sort(r.Findings)
	return named
}

// ownChart is a chart of the tree, with an Asker for its component.
type ownChart struct {
	Asker
	name string
}

// ownCharts returns the charts of our own components that have a source in the tree.
func (a Asker) ownCharts() []ownChart {
	var charts []ownChart
	for _, component := range a.File.Selves {
		of := a
		of.File = a.File.As(component)
		for _, name := range of.File.Own().OfKind(delivery.Chart) {
			if of.File.Own().Artifacts[name].Source != "" {
				charts = append(charts, ownChart{of, name})
			}
		}
	}
	return charts
}

func (a ownChart) renderSource(ctx context.Context, tree Tree) (render.Rendering, error) {
	artifact, version := a.name, a.stampedWith()
	stamper := apply.Stamper{Tree: tree.FS, File: a.File, Version: version}
	if a.Charts != nil {
		stamper.Fetch = func(ctx context.Context, at, tag string) ([]byte, oci.Description, error) {
			archive, err := a.Charts(ctx, at, tag)
			return archive, oci.Description{}, err
		}
	}
	c, err := stamper.Preview(ctx, artifact)
	if err != nil {
		return render.Rendering{}, err
	}
	source := render.Source{
		File: a.File, Tree: tree.FS, Names: tree.Names, Artifact: artifact,
		Version: version, Preview: a.Own.IsZero(),
	}
	return source.Render(func(sets ...render.Values) (render.Rendering, error) {
		return render.Chart(a.File, c, version, sets...)
	})
}

// stampedWith returns the version to release, or one that it may be.
func (a Asker) stampedWith() ref.Version {
	switch {
	case !a.Own.IsZero():
		return a.Own
	case !a.Tagged[a.File.Self].IsZero():
		return a.Tagged[a.File.Self].Next()
	}
	first, _ := ref.ParseVersion("0.1.0") // it is a version
	return first
}

type line struct {
	file, rule string
	number     int
}

// renderedFindings selects the findings of renderings that the tree itself does not have, and that are not excused.
type renderedFindings struct{ known, excused map[line]bool }

func (f renderedFindings) seen(found find.Found, findings []decide.Finding) {
	for _, r := range found.References {
		if r.Excused != "" {
			f.excused[line{r.File, "", r.Line}] = true
		}
	}
	for _, finding := range findings {
		f.known[line{finding.File, finding.Rule, finding.Line}] = true
	}
}

func (f renderedFindings) more(findings []decide.Finding) (more []decide.Finding) {
	for _, finding := range findings {
		at := line{finding.File, finding.Rule, finding.Line}
		if !f.known[at] && !f.excused[line{finding.File, "", finding.Line}] {
			more = append(more, finding)
		}
	}
	return more
}
