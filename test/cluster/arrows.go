package cluster

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/kubestellar/actions/internal/chart"
	"github.com/kubestellar/actions/internal/decide"
	"github.com/kubestellar/actions/internal/delivery"
	"github.com/kubestellar/actions/internal/find"
	"github.com/kubestellar/actions/internal/oci"
	"github.com/kubestellar/actions/internal/ref"
)

// Arrow means that one artifact uses another at a version. Both are named COMPONENT/ARTIFACT, as in
// delivery.yaml.
type Arrow struct{ From, To, Version string }

func (a Arrow) String() string {
	return fmt.Sprintf("%s → %s %s", cmp.Or(a.From, "a user"), a.To, a.Version)
}

func compareArrows(a, b Arrow) int { return strings.Compare(a.String(), b.String()) }

// Declared returns the arrows in the sources and the published charts: from our charts and hooks to
// the images and charts that they name, and from named charts of others to their images.
func Declared(ctx context.Context, f *delivery.File, tree fs.FS, names []string, own ref.Version, registry *oci.Registry) ([]Arrow, error) {
	found, err := find.New(f).Files(ctx, tree, names)
	if err != nil {
		return nil, err
	}
	arrows := map[Arrow]bool{}
	for _, e := range decide.Edges(f, found.References, own) {
		if runs(f, e.From) && runs(f, e.To) {
			arrows[Arrow(e)] = true
		}
	}
	for _, a := range slices.SortedFunc(maps.Keys(arrows), compareArrows) {
		component, name, _ := strings.Cut(a.To, "/")
		if artifact := f.Components[component].Artifacts[name]; artifact.Kind == delivery.Chart && component != f.Self {
			err = errors.Join(err, inChart(ctx, f, registry, a, artifact, arrows))
		}
	}
	return slices.SortedFunc(maps.Keys(arrows), compareArrows), err
}

// runs reports whether a cluster uses an artifact: an image, a chart, or a hook.
func runs(f *delivery.File, artifact string) bool {
	component, name, _ := strings.Cut(artifact, "/")
	switch f.Components[component].Artifacts[name].Kind {
	case delivery.Image, delivery.Chart, delivery.Asset:
		return true
	}
	return false
}

// inChart adds the arrows of a published chart's rendering with its own values.
func inChart(ctx context.Context, f *delivery.File, registry *oci.Registry, to Arrow, artifact delivery.Artifact, arrows map[Arrow]bool) error {
	version, err := ref.ParseVersion(to.Version)
	if err != nil {
		return fmt.Errorf("%s: %w", to, err)
	}
	archive, err := registry.ChartArchive(ctx, artifact.At, artifact.TagFor(version))
	if err != nil {
		return err
	}
	c, err := chart.LoadArchive(to.To, archive)
	if err != nil {
		return err
	}
	rendered, err := c.Render(nil)
	if err != nil {
		return err
	}
	for name, text := range rendered {
		for _, r := range find.Pins(find.New(f).Text(name, []byte(text))) {
			if a := (Arrow{to.To, r.Component + "/" + r.Artifact, strings.TrimPrefix(r.Written, "v")}); a.To != a.From && runs(f, a.To) {
				arrows[a] = true
			}
		}
	}
	return nil
}

// artifactAt returns the artifact that is published at a location, and the version of a tag. It
// returns "" if delivery.yaml does not declare it.
func artifactAt(f *delivery.File, at, tag string) (artifact, version string) {
	component, name, ok := f.Locate(at)
	if !ok {
		return "", ""
	}
	return component + "/" + name, strings.TrimPrefix(tag, "v")
}

// chartCalled returns the artifact of a chart with this name.
func chartCalled(f *delivery.File, name string) string {
	for _, component := range f.Names() {
		for _, artifact := range f.Components[component].OfKind(delivery.Chart) {
			if path.Base(f.Components[component].Artifacts[artifact].At) == name {
				return component + "/" + artifact
			}
		}
	}
	return ""
}
