package prove

import (
	"context"
	"errors"
	"strings"

	"github.com/kubestellar/actions/internal/delivery"
	"github.com/kubestellar/actions/internal/ref"
)

// Tags lists the tags of a location in a registry; none where there is no such.
type Tags func(ctx context.Context, at string) ([]string, error)

// Newest is the newest version of which any image or chart of a component is
// published; zero without one. A git tag alone is no release: one whose commit
// could not be released stays, and the next version is taken.
func Newest(ctx context.Context, c delivery.Component, tags Tags) (ref.Version, error) {
	var all []ref.Version
	var errs []error
	for _, name := range c.ArtifactNames() {
		a := c.Artifacts[name]
		if a.Kind != delivery.Image && a.Kind != delivery.Chart {
			continue
		}
		listed, err := tags(ctx, a.At)
		errs = append(errs, err)
		for _, tag := range listed {
			if v, err := ref.ParseVersion(strings.TrimPrefix(tag, "v")); err == nil && a.TagFor(v) == tag && !v.IsPlaceholder() {
				all = append(all, v)
			}
		}
	}
	return ref.Newest(all), errors.Join(errs...)
}
