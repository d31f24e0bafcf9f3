package oci

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
)

// Sight is the visibility of a repository to some credentials.
type Sight int

// The sights. If a registry refuses, the repository is private or does not exist: ghcr.io
// and quay.io answer 401 or 403 in both cases.
const (
	Refused Sight = iota
	Absent
	Visible
)

// Sight queries whether a repository exists. An error means that it could not be queried.
func (r *Registry) Sight(ctx context.Context, at string) (Sight, error) {
	repository, err := name.NewRepository(at, name.StrictValidation)
	if err != nil {
		return Refused, err
	}
	r.once.Do(r.connect)
	lister, err := r.puller.Lister(ctx, repository)
	if err == nil {
		_, err = lister.Next(ctx) // one page of tags is enough
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
