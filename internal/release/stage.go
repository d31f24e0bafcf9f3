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
	"github.com/kubestellar/actions/internal/gh"
	"github.com/kubestellar/actions/internal/oci"
	"github.com/kubestellar/actions/internal/outcome"
	"github.com/kubestellar/actions/internal/render"
	"github.com/kubestellar/actions/internal/report"
	"github.com/kubestellar/actions/internal/resolve"
)

// stamped are the copies of charts and hooks.
type stamped struct {
	charts []chart // in the order in which they may be published
	hooks  []apply.Stamped
	open   []report.Open // stand-ins that the charts render to
}

// chart is a stamped chart and where it goes.
type chart struct {
	apply.Stamped
	at, tag string
	// named are what its rendering refers to, each with its first place.
	named map[resolve.Target]string
}

// stamp writes the stamped copies of charts and hooks, and looks whether what
// the charts render to is published, as far as others publish it: a tag is
// burned if that shows only after it.
func (t *Train) stamp(ctx context.Context, src source, dir string) (stamped, string, error) {
	stamper := apply.Stamper{Tree: t.Tree, File: t.File, Version: t.Version, Time: src.time, Fetch: t.Registry.Chart, AcceptStandIns: t.AcceptStandIns, Recorded: true}
	copies, err := stamper.Stamp(ctx, dir)
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
	if done.charts, err = t.orderCharts(copies); err != nil {
		return done, "", err
	}
	for _, c := range done.charts {
		answers, err := t.seen(ctx, c, t.recent, t.othersPublish)
		done.open = append(done.open, open(answers)...)
		if err != nil {
			return done, "", err
		}
	}
	return done, fmt.Sprintf("%s in copies of %s; what the renderings of %s name is published", report.Count(edits, "place"), report.Count(len(copies), "source"), report.Count(len(done.charts), "chart")), nil
}

// staged is what nobody can see by its final name yet.
type staged struct {
	charts []stagedChart
	files  []BuiltFile // all assets of the release
}

// stagedChart is a chart in the registry under the staging tag.
type stagedChart struct {
	chart
	digest string
}

// stage pushes the charts, and adds the hooks to the draft release.
func (t *Train) stage(ctx context.Context, src source, done stamped, built Built) (staged, string, error) {
	charts, said, err := t.stageCharts(ctx, src, done, built)
	if err != nil {
		return staged{}, "", err
	}
	hooks, err := t.stageHooks(ctx, done.hooks)
	if err != nil {
		return staged{}, "", err
	}
	return staged{charts, slices.Concat(built.Files, hooks)}, said + "; " + report.Count(len(hooks), "more asset") + " in the release's draft", nil
}

// stageCharts pushes the charts to the staging tag, by dependency: each only
// after everything that its rendering refers to was seen, in the world or
// among what this release has staged.
func (t *Train) stageCharts(ctx context.Context, src source, done stamped, built Built) ([]stagedChart, string, error) {
	table := t.imageTable(built)
	var charts []stagedChart
	for _, c := range done.charts {
		if _, err := t.seen(ctx, c, resolve.Table{Digests: table, Next: t.recent}, everything); err != nil {
			return nil, "", fmt.Errorf("staging %s: %w", c.Artifact, err)
		}
		image, err := oci.ChartImage(c.Archive, c.Chart.Metadata(), apply.Annotations(t.File, c.Stamped, src.commit))
		if err != nil {
			return nil, "", err
		}
		digest, err := t.Registry.PushStaged(ctx, c.at, t.stageTag(src), image)
		if err != nil {
			return nil, "", err
		}
		table[c.at+":"+c.tag] = digest
		charts = append(charts, stagedChart{c, digest})
	}
	return charts, report.Count(len(charts), "chart") + ", each after what it refers to was seen", nil
}

// imageTable are the final names of the staged images.
func (t *Train) imageTable(built Built) map[string]string {
	table := map[string]string{}
	for _, a := range t.File.Own().Artifacts {
		if digest := built.Images[a.At]; digest != "" && a.Kind == delivery.Image {
			table[a.At+":"+a.TagFor(t.Version)] = digest
		}
	}
	return table
}

// orderCharts renders the charts and sorts them so that each follows those
// that it refers to.
func (t *Train) orderCharts(copies []apply.Stamped) ([]chart, error) {
	needs := map[string][]string{}
	byName := map[string]chart{}
	copies = slices.DeleteFunc(slices.Clone(copies), func(s apply.Stamped) bool { return s.Kind != delivery.Chart })
	rendered, err := t.allRendered(copies)
	if err != nil {
		return nil, err
	}
	for i, s := range copies {
		named := rendered[i]
		for _, target := range resolve.Sorted(named) {
			if target.Component == t.File.Self {
				needs[s.Artifact] = append(needs[s.Artifact], target.Artifact)
			}
		}
		a := t.File.Own().Artifacts[s.Artifact]
		byName[s.Artifact] = chart{s, a.At, a.TagFor(t.Version), named}
	}
	names, err := decide.Order(slices.Sorted(maps.Keys(byName)), needs)
	var charts []chart
	for _, name := range names {
		charts = append(charts, byName[name])
	}
	return charts, err
}

// allRendered is rendered for several charts.
func (t *Train) allRendered(charts []apply.Stamped) ([]map[resolve.Target]string, error) {
	named, errs := make([]map[resolve.Target]string, len(charts)), make([]error, len(charts))
	var group sync.WaitGroup
	for i, c := range charts {
		group.Go(func() { named[i], errs[i] = t.rendered(c) })
	}
	group.Wait()
	return named, errors.Join(errs...)
}

// rendered is what a chart names when it is rendered with its own values and
// those that it is tested with. What must never be in a rendering is a finding.
func (t *Train) rendered(s apply.Stamped) (map[resolve.Target]string, error) {
	sets, err := render.ReadValues(t.Tree, t.File.Own().Artifacts[s.Artifact].Values)
	if err != nil {
		return nil, err
	}
	to, err := t.renderings.Archive(t.File, s.Artifact, s.Archive, t.Version, sets...)
	if err != nil {
		return nil, err
	}
	findings := slices.Clone(to.Findings)
	for i := range findings {
		findings[i].Saw += " in the rendering of " + s.Artifact
	}
	return to.Named, decide.Found(findings)
}

// othersPublish tells whether a target is not this release's own.
func (t *Train) othersPublish(target resolve.Target) bool { return target.Component != t.File.Self }

func everything(resolve.Target) bool { return true }

// seen: everything that the chart's rendering refers to, as far as it counts
// and is not excused, is there.
func (t *Train) seen(ctx context.Context, c chart, by resolve.Interface, counts func(resolve.Target) bool) ([]resolve.Answer, error) {
	places := maps.Clone(c.named)
	maps.DeleteFunc(places, func(target resolve.Target, _ string) bool {
		return !counts(target) || slices.ContainsFunc(t.File.Ignore, func(e delivery.Excuse) bool { return e.Target == target.Name() })
	})
	for target, place := range places {
		places[target] = place + " of " + c.Artifact + "'s rendering"
	}
	answers := resolve.All(ctx, by, resolve.Sorted(places))
	findings, err := t.judge(answers, places)
	others, revisionErr := t.ownRevisions(ctx, answers)
	return answers, errors.Join(decide.Found(append(findings, others...)), err, revisionErr)
}

// ownRevisions: an image of ours that is published already, and that a chart
// of this release runs, was built from this commit. Each is asked for its labels,
// which the answers need not have: those of its platforms are not in its manifest.
func (t *Train) ownRevisions(ctx context.Context, answers []resolve.Answer) ([]decide.Finding, error) {
	var findings []decide.Finding
	var errs []error
	for _, a := range answers {
		if a.Component != t.File.Self || a.Kind != delivery.Image || a.Err != nil || a.Staged {
			continue
		}
		d, err := t.Registry.Describe(ctx, a.At, a.Digest)
		errs = append(errs, err)
		if revision := d.Labels[oci.KeyRevision]; err == nil && revision != t.Commit {
			findings = append(findings, decide.Finding{Rule: "revision", Component: a.Component, Saw: fmt.Sprintf("%s with revision %q", a.Target, revision),
				Want: "revision " + t.Commit, Help: "the image of this version was built from another commit"})
		}
	}
	return findings, errors.Join(errs...)
}

// stageHooks adds what goreleaser does not know, the stamped hooks, to the
// draft release.
func (t *Train) stageHooks(ctx context.Context, hooks []apply.Stamped) ([]BuiltFile, error) {
	if len(hooks) == 0 {
		return nil, nil
	}
	release, err := t.currentRelease(ctx)
	if err != nil {
		return nil, err
	}
	var files []BuiltFile
	for _, hook := range hooks {
		file, err := describeFile(t.File.Own().Artifacts[hook.Artifact].AssetName(t.Version), hook.Path)
		if err != nil {
			return nil, err
		}
		if err := t.attach(ctx, release, file); err != nil {
			return nil, err
		}
		files = append(files, file)
	}
	return files, nil
}

// attach gives a release a file; in a draft, an asset of that name with other
// bytes is what an earlier try left.
func (t *Train) attach(ctx context.Context, release *gh.Release, file BuiltFile) error {
	repository := t.File.Own().Repository
	if asset, ok := release.Asset(file.Name); ok {
		same, err := t.sameAsset(ctx, asset, file)
		if same || err != nil && !release.Draft {
			return err
		}
		if err := t.Forge.DeleteAsset(ctx, repository, asset.ID); err != nil {
			return err
		}
	}
	if !release.Draft {
		return fmt.Errorf("release %s is published without the asset %s: a published release is not added to, take the next version", release.URL, file.Name)
	}
	return t.Forge.Upload(ctx, repository, release.ID, file.Name, file.Path)
}

// sameAsset tells whether an asset holds the file's bytes. Other bytes are a
// conflict, which only a draft may settle; an upload that broke off left none.
func (t *Train) sameAsset(ctx context.Context, asset gh.Asset, file BuiltFile) (bool, error) {
	if !asset.Complete() {
		return false, outcome.Wrongf("the upload of release asset %s broke off", file.Name)
	}
	digest, err := t.Forge.AssetDigest(ctx, t.File.Own().Repository, asset)
	if err == nil && digest != file.Digest {
		err = &oci.Conflict{Name: "release asset " + file.Name, Seen: digest, Want: file.Digest}
	}
	return err == nil, err
}

// errNoRelease says that GitHub shows no release of the version.
var errNoRelease = errors.New("run the release again")

// currentRelease is this version's release: the published one, or its draft.
// Two drafts are an error, since nobody could tell which counts.
func (t *Train) currentRelease(ctx context.Context) (*gh.Release, error) {
	releases, err := t.Forge.Releases(ctx, t.File.Own().Repository, t.Version.Tag())
	switch {
	case err != nil:
		return nil, err
	case len(releases) == 0:
		return nil, fmt.Errorf("there is no release and no draft for %s in %s, though one was made before: %w", t.Version.Tag(), t.File.Own().Repository, errNoRelease)
	case len(releases) > 1 && releases[0].Draft:
		return nil, fmt.Errorf("there are %d drafts for %s in %s: delete all but one", len(releases), t.Version.Tag(), t.File.Own().Repository)
	}
	return releases[0], nil
}
