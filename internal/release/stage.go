package release

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/kubestellar/actions/internal/apply"
	"github.com/kubestellar/actions/internal/delivery"
	"github.com/kubestellar/actions/internal/find"
	"github.com/kubestellar/actions/internal/gh"
	"github.com/kubestellar/actions/internal/oci"
	"github.com/kubestellar/actions/internal/plan"
	"github.com/kubestellar/actions/internal/resolve"
)

// stamp writes the stamped copies of charts and hooks, and looks whether what
// the charts render to is published, as far as others publish it: a tag is
// burned if that shows only after it.
func (r *ride) stamp() (string, error) {
	stamper := apply.Stamper{Tree: r.Tree, File: r.File, Version: r.Version, Time: r.time, Fetch: r.Registry.ChartArchive}
	stamped, err := stamper.Stamp(r.ctx, r.work)
	if err != nil {
		return "", err
	}
	r.stamped = stamped
	if err := r.orderCharts(); err != nil {
		return "", err
	}
	for _, c := range r.charts {
		if err := r.seen(c, r.othersPublish); err != nil {
			return "", err
		}
	}
	return fmt.Sprintf("%s in copies of %s; what %s render to is published", count(r.edits(), "place"), count(len(stamped), "source"), count(len(r.charts), "chart")), nil
}

func (r *ride) edits() int {
	n := 0
	for _, s := range r.stamped {
		n += len(s.Edits)
	}
	return n
}

// stagedChart is a chart in the registry that nobody can see by its own name.
type stagedChart struct {
	apply.Stamped
	at, tag, digest string
	// targets are what its rendering refers to.
	targets []resolve.Target
}

// stage pushes the charts, and adds the hooks to the draft release.
func (r *ride) stage() (string, error) {
	charts, err := r.stageCharts()
	if err != nil {
		return "", err
	}
	assets, err := r.stageAssets()
	return charts + assets, err
}

// stageCharts pushes the charts to the staging tag, by dependency: each only
// after everything that its rendering refers to was seen.
func (r *ride) stageCharts() (string, error) {
	for i := range r.charts {
		c := &r.charts[i]
		if err := r.seen(*c, everything); err != nil {
			return "", fmt.Errorf("staging %s: %w", c.Artifact, err)
		}
		image, err := oci.ChartImage(c.Archive, c.Chart.Metadata(), r.annotations(*c))
		if err != nil {
			return "", err
		}
		if c.digest, err = r.Registry.PushImage(r.ctx, c.at, r.stageTag(), image); err != nil {
			return "", err
		}
		r.table[c.at+":"+c.tag] = c.digest
	}
	return count(len(r.charts), "chart") + ", each after what it refers to was seen", nil
}

// orderCharts renders the charts and sorts them so that each follows those
// that it refers to.
func (r *ride) orderCharts() error {
	needs := map[string][]string{}
	byName := map[string]stagedChart{}
	for _, s := range r.stamped {
		if s.Kind != delivery.Chart {
			continue
		}
		targets, err := r.rendered(s)
		if err != nil {
			return err
		}
		for _, t := range targets {
			if t.Component == r.File.Self {
				needs[s.Artifact] = append(needs[s.Artifact], t.Artifact)
			}
		}
		a := r.File.Own().Artifacts[s.Artifact]
		byName[s.Artifact] = stagedChart{Stamped: s, at: a.At, tag: a.TagFor(r.Version), targets: targets}
	}
	names, err := plan.Order(sortedKeys(byName), needs)
	r.charts = nil
	for _, name := range names {
		r.charts = append(r.charts, byName[name])
	}
	return err
}

// rendered are the targets that a chart names when it is rendered with its
// own values. What must never be in a rendering is a finding.
func (r *ride) rendered(s apply.Stamped) ([]resolve.Target, error) {
	files, err := s.Chart.Render(nil)
	if err != nil {
		return nil, err
	}
	finder := find.New(r.File)
	var targets []resolve.Target
	var findings []plan.Finding
	for _, name := range sortedKeys(files) {
		text := files[name]
		references := finder.Text(name, []byte(text))
		findings = append(findings, plan.Rendered(name, text, references)...)
		for _, reference := range find.Pins(references) {
			named, err := resolve.Targets(r.File, reference, r.Version)
			if err != nil {
				return nil, err
			}
			targets = append(targets, named...)
		}
	}
	if len(findings) > 0 {
		return nil, &Findings{findings}
	}
	return targets, nil
}

// othersPublish tells whether a target is not this release's own.
func (r *ride) othersPublish(t resolve.Target) bool { return t.Component != r.File.Self }

func everything(resolve.Target) bool { return true }

// seen: everything that the chart's rendering refers to, as far as it counts,
// is in the registry or in this release's own table.
func (r *ride) seen(c stagedChart, counts func(resolve.Target) bool) error {
	places := map[resolve.Target]string{}
	targets := slices.DeleteFunc(slices.Clone(c.targets), func(t resolve.Target) bool { return !counts(t) })
	for _, t := range targets {
		places[t] = "the rendering of " + c.Artifact
	}
	findings, err := r.judge(resolve.All(r.ctx, r.own(), targets), places)
	if len(findings) > 0 {
		err = errors.Join(&Findings{findings}, err)
	}
	return err
}

// annotations of a chart's manifest; its times are the commit's.
func (r *ride) annotations(c stagedChart) map[string]string {
	return map[string]string{
		oci.KeyTitle:       c.Chart.Name(),
		oci.KeyDescription: c.Chart.Description(),
		oci.KeyVersion:     c.tag,
		oci.KeyRevision:    r.commit,
		oci.KeySource:      r.source(),
		oci.KeyCreated:     r.time.UTC().Format(time.RFC3339),
		oci.KeyLicenses:    "Apache-2.0",
	}
}

// source is the URL of our repository; it is declared, never taken from a
// remote, so that it is the same in every clone.
func (r *ride) source() string { return "https://github.com/" + r.File.Own().Repository }

// stageAssets adds what goreleaser does not know, the stamped hooks, to the
// draft release.
func (r *ride) stageAssets() (string, error) {
	var files []BuiltFile
	for _, s := range r.stamped {
		if s.Kind != delivery.Asset {
			continue
		}
		file, err := describeFile(r.File.Own().Artifacts[s.Artifact].AssetName(r.Version), s.Path)
		if err != nil {
			return "", err
		}
		files = append(files, file)
	}
	r.built.Files = append(r.built.Files, files...)
	release, err := r.currentRelease()
	if err != nil || release == nil && len(files) == 0 {
		return "", err
	}
	for _, file := range files {
		if err := r.attach(release, file); err != nil {
			return "", err
		}
	}
	return "; " + count(len(files), "asset") + " in the release's draft", nil
}

// attach gives a release a file; in a draft, an asset of that name with other
// bytes is what an earlier try left.
func (r *ride) attach(release *gh.Release, file BuiltFile) error {
	repository := r.File.Own().Repository
	if asset, ok := release.Asset(file.Name); ok {
		digest, err := r.Forge.AssetDigest(r.ctx, repository, asset)
		if err != nil || digest == file.Digest {
			return err
		}
		if !release.Draft {
			return &oci.Conflict{Name: "release asset " + file.Name, Seen: digest, Want: file.Digest}
		}
		if err := r.Forge.DeleteAsset(r.ctx, repository, asset.ID); err != nil {
			return err
		}
	}
	if !release.Draft {
		return fmt.Errorf("release %s is published without the asset %s: a published release is not added to, take the next version", release.URL, file.Name)
	}
	return r.Forge.Upload(r.ctx, repository, release.ID, file.Name, file.Path)
}

// currentRelease is this version's release: the published one, or its draft.
// Two drafts are an error, since nobody could tell which counts.
func (r *ride) currentRelease() (*gh.Release, error) {
	releases, err := r.Forge.Releases(r.ctx, r.File.Own().Repository, r.Version.Tag())
	switch {
	case err != nil:
		return nil, err
	case len(releases) == 0:
		return nil, fmt.Errorf("there is no release and no draft for %s in %s, though one was made before: run the release again", r.Version.Tag(), r.File.Own().Repository)
	case len(releases) > 1 && releases[0].Draft:
		return nil, fmt.Errorf("there are %d drafts for %s in %s: delete all but one", len(releases), r.Version.Tag(), r.File.Own().Repository)
	}
	return releases[0], nil
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
