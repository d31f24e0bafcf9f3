package oci_test

import (
	"context"
	"net/http"
	"testing"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/kubestellar/actions/internal/oci"
	"github.com/kubestellar/actions/internal/outcome"
	"github.com/kubestellar/actions/test/networktest"
)

func TestSight(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	w, owner := start(t)
	for _, host := range []string{"ghcr.io", "quay.io"} {
		for _, repository := range []string{"o/public", "o/private"} {
			if _, err := owner.PushImage(ctx, host+"/"+repository, "1.0.0", image(t, "a")); err != nil {
				t.Fatal(err)
			}
		}
		w.Registry(host).SetPrivate("o/private", true)
		for repository, want := range map[string]struct{ anybody, owner oci.Sight }{
			"o/public":  {oci.Visible, oci.Visible},
			"o/private": {oci.Refused, oci.Visible},
			"o/absent":  {oci.Refused, oci.Absent},
		} {
			for who, want := range map[*oci.Registry]oci.Sight{anybody(w): want.anybody, owner: want.owner} {
				if got, err := who.Sight(ctx, host+"/"+repository); got != want || err != nil {
					t.Errorf("%s/%s, the owner: %t: %d, %v, want %d", host, repository, who == owner, got, err, want)
				}
			}
		}
	}
}

func TestSightCouldNotAsk(t *testing.T) {
	t.Parallel()
	w, _ := start(t)
	for _, status := range []int{http.StatusInternalServerError, http.StatusTooManyRequests} {
		w.Intercept(func(networktest.Request) networktest.Fault { return networktest.Fault{Status: status} })
		if got, err := anybody(w).Sight(context.Background(), at); outcome.Of(err) != outcome.Unchecked {
			t.Errorf("answer %d: %d, %v", status, got, err)
		}
	}
	w.Intercept(nil)
	w.Down("ghcr.io")
	if got, err := anybody(w).Sight(context.Background(), at); outcome.Of(err) != outcome.Unchecked {
		t.Errorf("a registry that is down: %d, %v", got, err)
	}
}

func anybody(w *networktest.Network) *oci.Registry {
	return &oci.Registry{Keychain: authn.NewMultiKeychain(), Transport: w.Transport(), Backoff: remote.Backoff{Steps: 1}}
}
