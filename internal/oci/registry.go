// Package oci queries container registries, pushes to them and promotes images. It is the
// only package that imports go-containerregistry's remote package.
package oci

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"

	"github.com/kubestellar/actions/internal/outcome"
)

// Registry is a client of all registries.
type Registry struct {
	Keychain  authn.Keychain
	Transport http.RoundTripper
	// Backoff is the time between tries. Zero means usualBackoff.
	Backoff remote.Backoff

	once   sync.Once
	puller *remote.Puller // keeps the token of each repository
	pusher *remote.Pusher
}

// usualBackoff tries for about three seconds.
var usualBackoff = remote.Backoff{Duration: 200 * time.Millisecond, Factor: 3, Jitter: 0.1, Steps: 4}

// ErrDenied is wrapped by errors of a registry that wants other credentials. The artifact
// may exist or not.
var ErrDenied = errors.New("it does not exist, or is private and the credentials do not reach it")

// options returns the options of one call. All calls share the tokens of the registries.
func (r *Registry) options(ctx context.Context) []remote.Option {
	r.once.Do(r.connect)
	return []remote.Option{remote.WithContext(ctx), remote.Reuse(r.puller), remote.Reuse(r.pusher)}
}

// userAgent is the name of the client in requests.
const userAgent = "ghhelper"

func (r *Registry) backoff() remote.Backoff {
	if r.Backoff.Steps == 0 {
		return usualBackoff
	}
	return r.Backoff
}

func (r *Registry) connect() {
	options := []remote.Option{
		remote.WithAuthFromKeychain(r.Keychain),
		remote.WithTransport(r.Transport),
		remote.WithRetryBackoff(r.backoff()),
		remote.WithUserAgent(userAgent),
	}
	r.puller, _ = remote.NewPuller(options...) // only fails for options that contradict each other
	r.pusher, _ = remote.NewPusher(options...)
}

// parse parses repository + ":" + tag, or repository + "@" + digest.
func parse(at, identifier string) (name.Reference, error) {
	if _, err := v1.NewHash(identifier); err == nil {
		return name.NewDigest(at+"@"+identifier, name.StrictValidation)
	}
	return name.NewTag(at+":"+identifier, name.StrictValidation)
}

// explain distinguishes a query without an answer from an absent artifact, and adds the remedy.
func explain(doing string, ref name.Reference, err error) error {
	if outcome.Of(err) == outcome.Wrong {
		return fmt.Errorf("%s %s: %w", doing, ref, err) // the query was answered
	}
	var answer *transport.Error
	if !errors.As(err, &answer) {
		return fmt.Errorf("%s %s: could not ask: %w", doing, ref, err)
	}
	switch {
	case answer.StatusCode == http.StatusNotFound:
		return fmt.Errorf("%s %s: %w in the registry", doing, ref, outcome.ErrAbsent)
	case refused(err):
		return fmt.Errorf("%s %s: could not ask: %w (docker login %s, or GITHUB_TOKEN for ghcr.io): %w",
			doing, ref, ErrDenied, ref.Context().RegistryStr(), err)
	}
	return fmt.Errorf("%s %s: could not ask: %w", doing, ref, err)
}

// Digest queries the digest of a tag.
func (r *Registry) Digest(ctx context.Context, at, tag string) (string, error) {
	ref, err := parse(at, tag)
	if err != nil {
		return "", err
	}
	desc, err := remote.Get(ref, r.options(ctx)...)
	if err != nil {
		return "", explain("looking for", ref, err)
	}
	return desc.Digest.String(), nil
}

// CheckPush returns an error if the credentials may not push to a repository.
func (r *Registry) CheckPush(ctx context.Context, at string) error {
	repository, err := name.NewRepository(at, name.StrictValidation)
	if err != nil {
		return err
	}
	probe := repository.Tag("probe")
	err = remote.CheckPushPermission(probe, r.Keychain, contextTransport{ctx, r.Transport})
	switch {
	case err == nil:
		return nil
	case refused(err):
		return fmt.Errorf("no right to push to %s: give credentials for %s that may (docker login, "+
			"helm registry login for charts, or GITHUB_TOKEN with packages: write for ghcr.io): %w",
			at, repository.RegistryStr(), err)
	}
	return fmt.Errorf("asking for the right to push to %s: could not ask: %w", at, err)
}

// refused reports whether a registry refused the credentials.
func refused(err error) bool {
	var answer *transport.Error
	return errors.As(err, &answer) &&
		(answer.StatusCode == http.StatusUnauthorized || answer.StatusCode == http.StatusForbidden)
}

// contextTransport sets the context of requests of functions without one.
type contextTransport struct {
	ctx  context.Context
	next http.RoundTripper
}

func (t contextTransport) RoundTrip(req *http.Request) (*http.Response, error) {
	return t.next.RoundTrip(req.WithContext(t.ctx))
}

// Conflict means that a tag, which never moves, already names other bytes.
type Conflict struct {
	Name       string // repository:tag
	Seen, Want string // digests
	// Raced is set if the tag was free before the push, and names another push's bytes
	// after it.
	Raced bool
	// Revision is the commit recorded in the image that won the race, or empty if it
	// records none.
	Revision string
}

// Code returns outcome.Wrong.
func (c *Conflict) Code() outcome.Code { return outcome.Wrong }

func (c *Conflict) Error() string {
	if c.Raced {
		return fmt.Sprintf("%s was free, and another runner pushed it at the same time: it is %s now, which %s; "+
			"this run's is %s, and keeps its staging tag. Let one runner at a time release a version. "+
			"If the other one is right, there is nothing to do, else take the next version",
			c.Name, c.Seen, c.whose(), c.Want)
	}
	return fmt.Sprintf("%s is published already with other bytes: it is %s, this release would be %s; "+
		"nothing published is overwritten: take the next version", c.Name, c.Seen, c.Want)
}

func (c *Conflict) whose() string {
	if c.Revision == "" {
		return "records no commit"
	}
	return "records commit " + c.Revision
}

// Published reports whether repository:tag names the digest. It returns a *Conflict if it
// names another one.
func (r *Registry) Published(ctx context.Context, at, tag, digest string) (bool, error) {
	seen, err := r.Digest(ctx, at, tag)
	switch {
	case errors.Is(err, outcome.ErrAbsent):
		return false, nil
	case err != nil:
		return false, err
	case seen != digest:
		return false, &Conflict{Name: at + ":" + tag, Seen: seen, Want: digest}
	}
	return true, nil
}

// Promote adds a tag to the manifest with this digest, which is in the repository
// already. It checks the tag before and after, and never moves it.
func (r *Registry) Promote(ctx context.Context, at, digest, tag string) error {
	if done, err := r.Published(ctx, at, tag, digest); done || err != nil {
		return err
	}
	from, err := parse(at, digest)
	if err != nil {
		return err
	}
	to, err := name.NewTag(at+":"+tag, name.StrictValidation)
	if err != nil {
		return err
	}
	desc, err := remote.Get(from, r.options(ctx)...)
	if err != nil {
		return explain("promoting", from, err)
	}
	if err := remote.Tag(to, desc, r.options(ctx)...); err != nil {
		return explain("promoting", to, err)
	}
	return r.confirm(ctx, at, tag, digest)
}

// confirm reads a tag back after a push. Registries have no compare-and-swap: of two
// pushes at the same time the last one wins, and the other one fails here.
func (r *Registry) confirm(ctx context.Context, at, tag, digest string) error {
	done, err := r.Published(ctx, at, tag, digest)
	var conflict *Conflict
	if errors.As(err, &conflict) {
		conflict.Raced = true
		if winner, err := r.Describe(ctx, at, conflict.Seen); err == nil {
			conflict.Revision = winner.Labels[KeyRevision]
		}
	}
	if err == nil && !done {
		err = fmt.Errorf("%s:%s was pushed, and is %w", at, tag, outcome.ErrAbsent)
	}
	return err
}

// PushImage pushes an image under a tag, unless the tag names it already, and returns
// its digest.
func (r *Registry) PushImage(ctx context.Context, at, tag string, image v1.Image) (string, error) {
	return r.push(ctx, at, tag, image, remote.Write, image)
}

// PushStaged pushes an image under a staging tag that contains the image's digest. So an
// earlier try does not conflict.
func (r *Registry) PushStaged(ctx context.Context, at, tag string, image v1.Image) (string, error) {
	tag, err := staged(at, tag, image)
	if err != nil {
		return "", err
	}
	return r.PushImage(ctx, at, tag, image)
}

// PushStagedIndex is PushStaged for an image for several platforms. It returns the
// staging tag as well.
func (r *Registry) PushStagedIndex(
	ctx context.Context, at, tag string, index v1.ImageIndex,
) (staging, digest string, err error) {
	staging, err = staged(at, tag, index)
	if err != nil {
		return "", "", err
	}
	digest, err = r.PushIndex(ctx, at, staging, index)
	return staging, digest, err
}

// staged returns a tag that contains the digest of an image.
func staged(at, tag string, what digester) (string, error) {
	hash, err := what.Digest()
	if err != nil {
		return "", fmt.Errorf("computing the digest of %s:%s: %w", at, tag, err)
	}
	const enough = 12
	return tag + "-" + hash.Hex[:enough], nil
}

// PushIndex is PushImage for an image for several platforms.
func (r *Registry) PushIndex(ctx context.Context, at, tag string, index v1.ImageIndex) (string, error) {
	write := func(ref name.Reference, _ v1.Image, o ...remote.Option) error {
		return remote.WriteIndex(ref, index, o...)
	}
	return r.push(ctx, at, tag, index, write, nil)
}

type digester interface{ Digest() (v1.Hash, error) }

func (r *Registry) push(ctx context.Context, at, tag string, what digester,
	write func(name.Reference, v1.Image, ...remote.Option) error, image v1.Image) (string, error) {
	hash, err := what.Digest()
	if err != nil {
		return "", fmt.Errorf("computing the digest of %s:%s: %w", at, tag, err)
	}
	to, err := parse(at, tag)
	if err != nil {
		return "", err
	}
	if done, err := r.Published(ctx, at, tag, hash.String()); done || err != nil {
		return hash.String(), err
	}
	if err := write(to, image, r.options(ctx)...); err != nil {
		return "", explain("pushing", to, err)
	}
	return hash.String(), r.confirm(ctx, at, tag, hash.String())
}

// Copy copies an image, named by location@digest, with the credentials of two clients. The
// copy has no tag.
func Copy(ctx context.Context, from, to *Registry, image string) error {
	digest, err := name.NewDigest(image, name.StrictValidation)
	if err != nil {
		return outcome.Usagef("image %q is not named by digest: %w", image, err)
	}
	desc, err := remote.Get(digest, from.options(ctx)...)
	if err != nil {
		return explain("fetching", digest, err)
	}
	if desc.MediaType.IsIndex() {
		index, err := desc.ImageIndex()
		if err == nil {
			err = remote.WriteIndex(digest, index, to.options(ctx)...)
		}
		return wrapped("copying", digest, err)
	}
	single, err := desc.Image()
	if err == nil {
		err = remote.Write(digest, single, to.options(ctx)...)
	}
	return wrapped("copying", digest, err)
}

func wrapped(doing string, ref name.Reference, err error) error {
	if err == nil {
		return nil
	}
	return explain(doing, ref, err)
}
