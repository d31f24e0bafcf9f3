package release

import (
	"context"
	"fmt"
	"strings"

	"github.com/kubestellar/actions/internal/gh"
)

// dispatch tells the downstreams. A downstream whose runs show the event
// already has been told; where its runs cannot be read it is told again, which
// does no harm, since a receiver resolves everything for itself.
func (t *Train) dispatch(ctx context.Context) (string, error) {
	event := gh.Event{Component: t.File.Self, Version: t.Version.String(), ID: t.File.Self + " " + t.Version.String()}
	var did []string
	for _, downstream := range t.File.Downstreams {
		told, err := t.Downstreams.Dispatched(ctx, downstream, event)
		switch {
		case ctx.Err() != nil:
			return "", ctx.Err()
		case told:
			did = append(did, downstream+" was told already")
			continue
		case err != nil:
			did = append(did, downstream+" (again, if it was: its runs cannot be read)")
		default:
			did = append(did, downstream)
		}
		if err := t.Downstreams.Dispatch(ctx, downstream, event); err != nil {
			return "", err
		}
	}
	if len(did) == 0 {
		return "no downstreams are declared", nil
	}
	return fmt.Sprintf("told %s", strings.Join(did, ", ")), nil
}
