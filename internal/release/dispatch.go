package release

import (
	"context"
	"fmt"
	"strings"

	"github.com/kubestellar/actions/internal/dispatch"
	"github.com/kubestellar/actions/internal/gh"
)

// dispatch notifies the downstreams. It skips a downstream whose runs already show the
// event. If the runs cannot be read, it sends the event again. That is harmless, because
// a receiver resolves everything by itself.
func (r *Releaser) dispatch(ctx context.Context) (string, error) {
	announcer := dispatch.Announcer{Forge: r.Downstreams, Event: gh.NewEvent(r.File.Self, r.Version.String())}
	var did []string
	for _, downstream := range r.File.Downstreams {
		sent, err := announcer.Notify(ctx, downstream)
		if err != nil {
			return "", err
		}
		did = append(did, sent.String())
	}
	if len(did) == 0 {
		return "no downstreams are declared", nil
	}
	return fmt.Sprintf("notified %s", strings.Join(did, ", ")), nil
}
