package oci_test

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/kubestellar/actions/internal/oci"
	"github.com/kubestellar/actions/internal/outcome"
	"github.com/kubestellar/actions/internal/rehearsal/network"
	"github.com/kubestellar/actions/test/networktest"
	"github.com/kubestellar/actions/test/testkit"
)

const at = "ghcr.io/o/app"

func start(t *testing.T) (*networktest.Network, *oci.Registry) {
	t.Helper()
	w := testkit.Start(t, network.Options{}).Network
	return w, as(w, w.Token())
}

func as(w *networktest.Network, token string) *oci.Registry {
	return &oci.Registry{Keychain: testkit.Login(token), Transport: w.Transport(), Backoff: remote.Backoff{Steps: 1}}
}

func image(t *testing.T, label string) v1.Image {
	t.Helper()
	labels := map[string]string{oci.KeyRevision: label}
	i, err := mutate.ConfigFile(empty.Image, &v1.ConfigFile{OS: "linux", Architecture: "arm64", Config: v1.Config{Labels: labels}})
	if err != nil {
		t.Fatal(err)
	}
	return i
}

// A referrer of another type is not a bundle, and the fallback tag is not a version.
func TestBundles(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	w, r := start(t)
	digest, err := r.PushImage(ctx, at, "1.0.0", image(t, "a"))
	if err != nil {
		t.Fatal(err)
	}
	if none, err := r.Bundles(ctx, at, digest); err != nil || len(none) != 0 {
		t.Errorf("before: %q, %v", none, err)
	}
	if none, err := as(w, w.Token()).Bundles(ctx, at, "sha256:"+strings.Repeat("0", 64)); err != nil || len(none) != 0 {
		t.Errorf("of what is not there: %q, %v", none, err)
	}
	ref, err := name.NewDigest(at + "@" + digest)
	if err != nil {
		t.Fatal(err)
	}
	for _, kind := range []types.MediaType{"application/vnd.cyclonedx+json", "application/vnd.dev.sigstore.bundle.v0.3+json"} {
		if err := refer(w, ref, kind, []byte(`{"type":"`+kind+`"}`)); err != nil {
			t.Fatal(err)
		}
	}
	got, err := r.Bundles(ctx, at, digest)
	if err != nil || len(got) != 1 || !strings.Contains(string(got[0]), "sigstore") {
		t.Errorf("saw %q, %v, want the bundle alone", got, err)
	}
	manifest, err := r.Manifest(ctx, at, digest)
	if sum, _, hashErr := v1.SHA256(bytes.NewReader(manifest)); err != nil || hashErr != nil || sum.String() != digest {
		t.Errorf("the manifest: %s, %v, %v", sum, err, hashErr)
	}
	if _, err := r.Manifest(ctx, at, "sha256:"+strings.Repeat("0", 64)); !errors.Is(err, outcome.ErrAbsent) {
		t.Errorf("no manifest: %v", err)
	}
}

// refer pushes a manifest of one layer that refers to another manifest.
func refer(w *networktest.Network, to name.Digest, kind types.MediaType, content []byte) error {
	options := []remote.Option{remote.WithTransport(w.Transport()), remote.WithAuthFromKeychain(testkit.Login(w.Token()))}
	subject, err := remote.Head(to, options...)
	if err != nil {
		return err
	}
	layer := mutate.Addendum{Layer: static.NewLayer(content, kind), MediaType: kind}
	plain, err := mutate.Append(mutate.MediaType(empty.Image, types.OCIManifestSchema1), layer)
	if err != nil {
		return err
	}
	referrer := mutate.Subject(plain, *subject).(v1.Image)
	hash, err := referrer.Digest()
	if err != nil {
		return err
	}
	return remote.Write(to.Digest(hash.String()), referrer, options...)
}

func TestPushedOnceAndNeverMoved(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	_, r := start(t)
	first, err := r.PushImage(ctx, at, "1.0.0", image(t, "a"))
	if err != nil {
		t.Fatal(err)
	}
	if again, err := r.PushImage(ctx, at, "1.0.0", image(t, "a")); err != nil || again != first {
		t.Errorf("the same bytes again: %s, %v", again, err)
	}
	other, err := r.PushImage(ctx, at, "1.0.0", image(t, "b"))
	var conflict *oci.Conflict
	if !errors.As(err, &conflict) || conflict.Seen != first || conflict.Want != other || outcome.Of(err) != outcome.Wrong {
		t.Errorf("other bytes: %v", err)
	}
	if now, _ := r.Digest(ctx, at, "1.0.0"); now != first {
		t.Errorf("the tag moved to %s", now)
	}
}

func TestPromote(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	_, r := start(t)
	digest, err := r.PushImage(ctx, at, "staging-x", image(t, "a"))
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := r.Promote(ctx, at, digest, "1.0.0"); err != nil {
			t.Fatal(err)
		}
	}
	if now, _ := r.Digest(ctx, at, "1.0.0"); now != digest {
		t.Errorf("promoted to %s, want %s", now, digest)
	}
	other, err := r.PushImage(ctx, at, "staging-y", image(t, "b"))
	if err != nil {
		t.Fatal(err)
	}
	var conflict *oci.Conflict
	if err := r.Promote(ctx, at, other, "1.0.0"); !errors.As(err, &conflict) {
		t.Errorf("promoting over another image: %v", err)
	}
}

func TestDescribe(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	_, r := start(t)
	if _, err := r.PushImage(ctx, at, "1.0.0", image(t, "abc")); err != nil {
		t.Fatal(err)
	}
	d, err := r.Describe(ctx, at, "1.0.0")
	if err != nil || d.Labels[oci.KeyRevision] != "abc" || len(d.Platforms) != 1 || d.Platforms[0] != "linux/arm64" || d.StandIn() != "" {
		t.Errorf("described as %+v, %v", d, err)
	}
	base, err := oci.BaseImage()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.PushIndex(ctx, at, "base", base); err != nil {
		t.Fatal(err)
	}
	if d, err = r.Describe(ctx, at, "base"); err != nil || strings.Join(d.Platforms, " ") != "linux/amd64 linux/arm64 linux/ppc64le" {
		t.Errorf("described as %+v, %v", d, err)
	}
}

// An absent artifact and a query without an answer are different.
func TestAbsentIsNotCouldNotAsk(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	w, r := start(t)
	if _, err := r.PushImage(ctx, at, "1.0.0", image(t, "a")); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Describe(ctx, at, "2.0.0"); !errors.Is(err, outcome.ErrAbsent) || outcome.Of(err) != outcome.Wrong {
		t.Errorf("an absent tag: %v", err)
	}
	if _, err := r.Describe(ctx, "ghcr.io/o/none", "2.0.0"); !errors.Is(err, outcome.ErrAbsent) {
		t.Errorf("an absent repository: %v", err)
	}
	w.Registry("ghcr.io").SetPrivate("o/app", true)
	anonymous := &oci.Registry{Keychain: authn.NewMultiKeychain(), Transport: w.Transport(), Backoff: remote.Backoff{Steps: 1}}
	_, err := anonymous.Describe(ctx, at, "1.0.0")
	if errors.Is(err, outcome.ErrAbsent) || outcome.Of(err) != outcome.Unchecked || !strings.Contains(err.Error(), "does not exist, or is private") {
		t.Errorf("a private image without credentials: %v", err)
	}
	for _, status := range []int{http.StatusInternalServerError, http.StatusTooManyRequests} {
		w.Intercept(func(networktest.Request) networktest.Fault { return networktest.Fault{Status: status} })
		if _, err := as(w, w.Token()).Describe(ctx, at, "2.0.0"); errors.Is(err, outcome.ErrAbsent) || outcome.Of(err) != outcome.Unchecked {
			t.Errorf("answer %d: %v", status, err)
		}
	}
	w.Intercept(nil)
	w.Down("ghcr.io")
	if _, err := as(w, w.Token()).Describe(ctx, at, "2.0.0"); errors.Is(err, outcome.ErrAbsent) || outcome.Of(err) != outcome.Unchecked {
		t.Errorf("a registry that is down: %v", err)
	}
}

func TestCheckPush(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	w, r := start(t)
	if err := r.CheckPush(ctx, at); err != nil {
		t.Errorf("with the right token: %v", err)
	}
	if err := as(w, "wrong").CheckPush(ctx, at); err == nil || strings.Contains(err.Error(), "wrong\"") {
		t.Errorf("with a wrong token: %v", err)
	}
	w.Registry("ghcr.io").DenyPush("o/")
	if err := as(w, w.Token()).CheckPush(ctx, at); err == nil || !strings.Contains(err.Error(), "no right to push to "+at) {
		t.Errorf("without the right: %v", err)
	}
}
