package lookup_test

import (
	"context"
	"errors"
	"testing"

	"github.com/kubestellar/actions/internal/lookup"
	"github.com/kubestellar/actions/internal/outcome"
	"github.com/kubestellar/actions/internal/resolve"
)

func TestGitTag(t *testing.T) {
	t.Parallel()
	down := errors.New("down")
	r := lookup.Resolver{Refs: func(_ context.Context, _, tag string, _ bool) (string, error) {
		return map[string]string{"v1.0.0": "abc"}[tag], map[string]error{"v9.0.0": down}[tag]
	}}
	for tag, want := range map[string]error{"v1.0.0": nil, "v2.0.0": outcome.ErrAbsent, "v9.0.0": down} {
		a := r.Resolve(t.Context(), resolve.Target{Kind: resolve.GitTag, At: "o/up", Tag: tag})
		if !errors.Is(a.Err, want) || a.Err != nil && a.Absent() != errors.Is(want, outcome.ErrAbsent) {
			t.Errorf("%s: %v, want %v", tag, a.Err, want)
		}
	}
}
