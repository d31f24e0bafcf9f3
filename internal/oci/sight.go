package oci

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
)

// Sight is what a registry shows of a repository to these credentials.
type Sight int

// The sights. A registry that refuses may hide a private repository or have
// none: ghcr.io and quay.io answer both with 401 or 403 to who has no rights.
const (
	Refused Sight = iota
	Absent
	Visible
)

// Sight asks whether a repository is there. An error means that it could not be
// asked.
func (r *Registry) Sight(ctx context.Context, at string) (Sight, error) {
	repository, err := name.NewRepository(at, name.StrictValidation)
	if err != nil {
		return Refused, err
	}
	r.once.Do(r.connect)
	lister, err := r.puller.Lister(ctx, repository)
	if err == nil {
		_, err = lister.Next(ctx) // one page of tags will do
	}
	var answer *transport.Error
	switch {
	case err == nil:
		return Visible, nil
	case errors.As(err, &answer) && answer.StatusCode == http.StatusNotFound:
		return Absent, nil
	case refused(err):
		return Refused, nil
	}
	return Refused, fmt.Errorf("looking for %s: could not ask: %w", at, err)
}
