package prove

import (
	"context"
	"errors"
	"strings"

	"github.com/kubestellar/actions/internal/delivery"
	"github.com/kubestellar/actions/internal/ref"
)

// Tags returns the tags of a location in a registry, or none if it does not exist.
type Tags func(ctx context.Context, at string) ([]string, error)

// Newest returns the newest version with a published image or chart, or zero. A git tag alone does
// not count: if the release of its commit failed, the tag stays and the next version is used.
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
			if v, err := ref.ParseVersion(strings.TrimPrefix(tag,
				"v")); err == nil && a.TagFor(v) == tag && !v.IsPlaceholder() {
				all = append(all, v)
			}
		}
	}
	return ref.Newest(all), errors.Join(errs...)
}
