package release

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"

	"github.com/kubestellar/actions/internal/apply"
	"github.com/kubestellar/actions/internal/decide"
	"github.com/kubestellar/actions/internal/delivery"
	"github.com/kubestellar/actions/internal/find"
	"github.com/kubestellar/actions/internal/goreleaser"
	"github.com/kubestellar/actions/internal/oci"
	"github.com/kubestellar/actions/internal/render"
	"github.com/kubestellar/actions/internal/report"
	"github.com/kubestellar/actions/internal/resolve"
)

// stamped contains the stamped copies of charts and hooks.
type stamped struct {
	charts   []chart // in the order in which they may be published
	hooks    []apply.Stamped
	standIns []decide.Unchecked // the stand-ins that only the charts' renderings name
}

// chart is a stamped chart, with the location and tag that it is published under.
type chart struct {
	apply.Stamped
	at, tag string
	named   resolve.Named // the targets in its renderings
}

// stamp writes the stamped copies of charts and hooks. It also checks that the charts'
// renderings refer to nothing unpublished outside this release: found after the tag step,
// that would cost a version.
func (r *Releaser) stamp(ctx context.Context, rev revision, dir string) (stamped, string, error) {
	copies, err := apply.Stamper{
		Tree:           r.Tree,
		File:           r.File,
		Version:        r.Version,
		Time:           rev.time,
		Fetch:          r.Registry.Chart,
		AcceptStandIns: r.AcceptStandIns,
		Recorded:       true,
	}.Stamp(ctx, dir)
	if err != nil {
		return stamped{}, "", err
	}
	var done stamped
	edits := 0
	for _, c := range copies {
		edits += len(c.Edits)
		if c.Kind == delivery.Asset {
			done.hooks = append(done.hooks, c)
		}
	}
	if done.charts, err = r.orderCharts(copies); err != nil {
		return done, "", err
	}
	if done.standIns, err = r.requirePublished(ctx, r.elsewhere(rev, done.charts), r.recent); err != nil {
		return done, "", err
	}
	return done, fmt.Sprintf("%s in copies of %s; everything in the renderings of %s is published",
		report.Count(edits, "place"), report.Count(len(copies), "source"), report.Count(len(done.charts), "chart")), nil
}

// staged contains the artifacts that do not have their final names yet.
type staged struct {
	charts []stagedChart
	files  []goreleaser.File // all assets of the release
}

// stagedChart is a chart in the registry under the staging tag.
type stagedChart struct {
	chart
	digest string
}

// stage pushes the charts, and adds the hooks to the draft release.
func (r *Releaser) stage(
	ctx context.Context, rev revision, done stamped, built goreleaser.Results,
) (staged, string, error) {
	charts, did, err := r.stageCharts(ctx, rev, done, built)
	if err != nil {
		return staged{}, "", err
	}
	hooks, err := r.stageHooks(ctx, done.hooks)
	if err != nil {
		return staged{}, "", err
	}
	did += "; " + report.Count(len(hooks), "more asset") + " in the release's draft"
	return staged{charts, slices.Concat(built.Files, hooks)}, did, nil
}

// stageCharts pushes the charts to the staging tag in the order of their dependencies. First
// it checks that everything in a chart's renderings is published or already staged.
func (r *Releaser) stageCharts(
	ctx context.Context, rev revision, done stamped, built goreleaser.Results,
) ([]stagedChart, string, error) {
	table := r.imageTable(built)
	var charts []stagedChart
	for _, c := range done.charts {
		if _, err := r.requirePublished(ctx, c.named, resolve.Table{Digests: table, Next: r.recent}); err != nil {
			return nil, "", fmt.Errorf("staging %s: %w", c.Artifact, err)
		}
		image, err := oci.ChartImage(c.Archive, c.Chart.Metadata(), apply.Annotations(r.File, c.Stamped, rev.commit))
		if err != nil {
			return nil, "", err
		}
		digest, err := r.Registry.PushStaged(ctx, c.at, r.stageTag(rev), image)
		if err != nil {
			return nil, "", err
		}
		table[c.at+":"+c.tag] = digest
		charts = append(charts, stagedChart{c, digest})
	}
	return charts, report.Count(len(charts), "chart") + ", each after everything that it refers to", nil
}

// imageTable returns the digests of the staged images by their final names.
func (r *Releaser) imageTable(built goreleaser.Results) map[string]string {
	table := map[string]string{}
	for _, a := range r.File.Own().Artifacts {
		if digest := built.Images[a.At]; digest != "" && a.Kind == delivery.Image {
			table[a.At+":"+a.TagFor(r.Version)] = digest
		}
	}
	return table
}

// orderCharts renders the charts, and sorts each after the charts that it refers to.
func (r *Releaser) orderCharts(copies []apply.Stamped) ([]chart, error) {
	needs := map[string][]string{}
	byName := map[string]chart{}
	copies = slices.DeleteFunc(slices.Clone(copies), func(s apply.Stamped) bool { return s.Kind != delivery.Chart })
	rendered, err := r.allRendered(copies)
	if err != nil {
		return nil, err
	}
	for i, s := range copies {
		named := rendered[i]
		for _, target := range resolve.Sorted(named) {
			if target.Component == r.File.Self {
				needs[s.Artifact] = append(needs[s.Artifact], target.Artifact)
			}
		}
		a := r.File.Own().Artifacts[s.Artifact]
		byName[s.Artifact] = chart{s, a.At, a.TagFor(r.Version), named}
	}
	names, err := decide.Order(slices.Sorted(maps.Keys(byName)), needs)
	var charts []chart
	for _, name := range names {
		charts = append(charts, byName[name])
	}
	return charts, err
}

// allRendered calls rendered for several charts.
func (r *Releaser) allRendered(charts []apply.Stamped) ([]resolve.Named, error) {
	named, errs := make([]resolve.Named, len(charts)), make([]error, len(charts))
	var group sync.WaitGroup
	for i, c := range charts {
		group.Go(func() { named[i], errs[i] = r.rendered(c) })
	}
	group.Wait()
	return named, errors.Join(errs...)
}

// rendered returns the targets in a chart's renderings, with its own values and its test
// values. A reference that must never be in a rendering is a finding.
func (r *Releaser) rendered(s apply.Stamped) (resolve.Named, error) {
	names, err := find.Names(r.Tree)
	if err != nil {
		return nil, err
	}
	source := render.Source{File: r.File, Tree: r.Tree, Names: names, Artifact: s.Artifact, Version: r.Version}
	to, err := source.Render(func(sets ...render.Values) (render.Rendering, error) {
		return r.renderings.Archive(r.File, s.Artifact, s.Archive, r.Version, sets...)
	})
	if err != nil {
		return nil, err
	}
	findings := slices.Clone(to.Findings)
	for i := range findings {
		findings[i].Saw += " in the rendering of " + s.Artifact
	}
	named := resolve.Named{}
	for target, place := range to.Named {
		named[target] = resolve.Place{Text: place.Text + " of " + s.Artifact + "'s rendering"}
	}
	return named, decide.Found(findings)
}

// elsewhere returns the targets outside this release that the charts name, except those that
// preflight has checked.
func (r *Releaser) elsewhere(rev revision, charts []chart) resolve.Named {
	named := resolve.Named{}
	for _, c := range charts {
		for target, place := range c.named {
			if _, known := rev.named[target]; !known && target.Component != r.File.Self {
				named.Add(target, place)
			}
		}
	}
	return named
}

// requirePublished checks that the targets exist, except the ignored ones, and that images of
// ours were built from this commit. It returns the accepted stand-ins.
func (r *Releaser) requirePublished(
	ctx context.Context, named resolve.Named, by resolve.Resolver,
) ([]decide.Unchecked, error) {
	asked, standIns, err := r.ask(ctx, named, by)
	others, revisionErr := r.ownRevisions(ctx, asked.Answers)
	return standIns, errors.Join(decide.Found(append(asked.Findings, others...)), err, revisionErr)
}

// ownRevisions checks that images of ours that are already published were built from this
// commit. It queries their labels, because an answer may lack them: the labels of platforms
// are not in the manifest.
func (r *Releaser) ownRevisions(
	ctx context.Context, answers map[resolve.Target]resolve.Answer,
) ([]decide.Finding, error) {
	var findings []decide.Finding
	var errs []error
	for _, target := range resolve.Sorted(answers) {
		a := answers[target]
		if a.Component != r.File.Self || a.Kind != resolve.Image || a.Err != nil || a.Staged {
			continue
		}
		d, err := r.Registry.Describe(ctx, a.At, a.Digest)
		errs = append(errs, err)
		if revision := d.Labels[oci.KeyRevision]; err == nil && revision != r.Commit {
			findings = append(findings, decide.Finding{
				Rule:      "revision",
				Component: a.Component,
				Saw:       fmt.Sprintf("%s with revision %q", a.Target, revision),
				Want:      "revision " + r.Commit,
				Help:      "the image of this version was built from another commit",
			})
		}
	}
	return findings, errors.Join(errs...)
}

// stageHooks uploads the stamped hooks, which goreleaser does not know, into the draft release.
func (r *Releaser) stageHooks(ctx context.Context, hooks []apply.Stamped) ([]goreleaser.File, error) {
	if len(hooks) == 0 {
		return nil, nil
	}
	release, err := r.currentRelease(ctx)
	if err != nil {
		return nil, err
	}
	var files []goreleaser.File
	for _, hook := range hooks {
		file, err := goreleaser.ReadFile(r.File.Own().Artifacts[hook.Artifact].AssetName(r.Version), hook.Path)
		if err != nil {
			return nil, err
		}
		if err := r.attach(ctx, release, file); err != nil {
			return nil, err
		}
		files = append(files, file)
	}
	return files, nil
}
