package release

import (
	"context"
	"fmt"
	"strings"

	"github.com/kubestellar/actions/internal/dispatch"
	"github.com/kubestellar/actions/internal/gh"
)

// dispatch tells the downstreams. A downstream whose runs show the event
// already has been told; where its runs cannot be read it is told again, which
// does no harm, since a receiver resolves everything for itself.
func (r *Releaser) dispatch(ctx context.Context) (string, error) {
	announcer := dispatch.Announcer{Forge: r.Downstreams, Event: gh.NewEvent(r.File.Self, r.Version.String())}
	var did []string
	for _, downstream := range r.File.Downstreams {
		told, err := announcer.Notify(ctx, downstream)
		if err != nil {
			return "", err
		}
		did = append(did, told.String())
	}
	if len(did) == 0 {
		return "no downstreams are declared", nil
	}
	return fmt.Sprintf("told %s", strings.Join(did, ", ")), nil
}
