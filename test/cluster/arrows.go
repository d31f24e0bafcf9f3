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

// Arrow says that one artifact, when it is used, takes another at a version. Both are named as
// COMPONENT/ARTIFACT, after delivery.yaml.
type Arrow struct{ From, To, Version string }

func (a Arrow) String() string {
	return fmt.Sprintf("%s → %s %s", cmp.Or(a.From, "a user"), a.To, a.Version)
}

func compareArrows(a, b Arrow) int { return strings.Compare(a.String(), b.String()) }

// Declared are the arrows that the sources and the published charts hold: from our charts and
// hooks to the images and charts that they name, and from others' charts, among those, to the
// images in them.
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

// runs tells whether an artifact is one that a cluster takes: an image, a chart, or a hook.
func runs(f *delivery.File, artifact string) bool {
	component, name, _ := strings.Cut(artifact, "/")
	switch f.Components[component].Artifacts[name].Kind {
	case delivery.Image, delivery.Chart, delivery.Asset:
		return true
	}
	return false
}

// inChart adds the arrows from a published chart, as it renders by itself.
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

// artifactAt names the artifact that is published at a location, and the version that a tag of it
// has; "" where delivery.yaml declares none.
func artifactAt(f *delivery.File, at, tag string) (artifact, version string) {
	component, name, ok := f.Locate(at)
	if !ok {
		return "", ""
	}
	return component + "/" + name, strings.TrimPrefix(tag, "v")
}

// chartCalled names the artifact that is a chart of that name.
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
