// Package oci is the edge to container registries: it looks, pushes and
// promotes. It is the only importer of go-containerregistry's remote package.
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

// Registry reaches all registries, each by the name that stands in its
// references.
type Registry struct {
	Keychain  authn.Keychain
	Transport http.RoundTripper
	// Backoff between tries of what may be repeated; zero is a sensible one.
	Backoff remote.Backoff

	once   sync.Once
	puller *remote.Puller // remembers each repository's token
	pusher *remote.Pusher
}

// usualBackoff tries for about three seconds.
var usualBackoff = remote.Backoff{Duration: 200 * time.Millisecond, Factor: 3, Jitter: 0.1, Steps: 4}

// ErrDenied is what errors.Is finds where a registry wants other credentials:
// it tells nothing of what is there.
var ErrDenied = errors.New("it does not exist, or is private and the credentials do not reach it")

// options of one call; all calls share the tokens that registries gave out.
func (r *Registry) options(ctx context.Context) []remote.Option {
	r.once.Do(r.connect)
	return []remote.Option{remote.WithContext(ctx), remote.Reuse(r.puller), remote.Reuse(r.pusher)}
}

// userAgent is how registries know us.
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
	r.puller, _ = remote.NewPuller(options...) // fails on contradicting options only
	r.pusher, _ = remote.NewPusher(options...)
}

// parse reads repository + ":" + tag, or + "@" + digest.
func parse(at, identifier string) (name.Reference, error) {
	if _, err := v1.NewHash(identifier); err == nil {
		return name.NewDigest(at+"@"+identifier, name.StrictValidation)
	}
	return name.NewTag(at+":"+identifier, name.StrictValidation)
}

// explain tells absent from could not ask, and says what to do about it.
func explain(doing string, ref name.Reference, err error) error {
	if outcome.Of(err) == outcome.Wrong {
		return fmt.Errorf("%s %s: %w", doing, ref, err) // it was asked, and is not what it should be
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

// Digest is what a tag points at now; it is asked anew each time.
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

// CheckPush tells whether the credentials may push to a repository.
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
		return fmt.Errorf("no right to push to %s: give credentials for %s that may (docker login, helm registry login for charts, or GITHUB_TOKEN with packages: write for ghcr.io): %w", at, repository.RegistryStr(), err)
	}
	return fmt.Errorf("asking for the right to push to %s: could not ask: %w", at, err)
}

// refused tells whether a registry answered that these credentials may not.
func refused(err error) bool {
	var answer *transport.Error
	return errors.As(err, &answer) && (answer.StatusCode == http.StatusUnauthorized || answer.StatusCode == http.StatusForbidden)
}

// contextTransport gives requests of calls that take no context one.
type contextTransport struct {
	ctx  context.Context
	next http.RoundTripper
}

func (t contextTransport) RoundTrip(req *http.Request) (*http.Response, error) {
	return t.next.RoundTrip(req.WithContext(t.ctx))
}

// Conflict says that a tag, which never moves, holds other bytes.
type Conflict struct {
	Name       string // repository:tag
	Seen, Want string // digests
	// Raced says that the tag was free when we looked, and after our push holds
	// what somebody else pushed at the same time.
	Raced bool
	// Revision is the commit that what Seen names says that it is of, if it was
	// raced and says so.
	Revision string
}

// Code of a conflict: something is wrong.
func (c *Conflict) Code() outcome.Code { return outcome.Wrong }

func (c *Conflict) Error() string {
	if c.Raced {
		return fmt.Sprintf("%s was free, and somebody else pushed it at the same time as we did, and won: it is %s now, which %s; ours is %s, which keeps its staging name: let one runner at a time release a version; if theirs is the right one, nothing is to be done, else take the next version",
			c.Name, c.Seen, c.whose(), c.Want)
	}
	return fmt.Sprintf("%s is published already with other bytes: it is %s, this release would be %s; nothing published is overwritten: take the next version", c.Name, c.Seen, c.Want)
}

func (c *Conflict) whose() string {
	if c.Revision == "" {
		return "does not say of which commit it is"
	}
	return "says that it is of commit " + c.Revision
}

// Published tells whether repository:tag holds exactly the digest. Absent is
// false; another digest is a *Conflict.
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

// Promote gives the manifest with this digest, which the repository holds
// already, one more tag. It looks first and afterwards: a tag is never moved.
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

// confirm reads a tag back after a push. Registries have no compare-and-swap: of
// two who push at the same time, the last one wins, and the other one sees it
// here.
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

// PushImage pushes an image under a tag, unless exactly it is there already,
// and returns its digest.
func (r *Registry) PushImage(ctx context.Context, at, tag string, image v1.Image) (string, error) {
	return r.push(ctx, at, tag, image, remote.Write, image)
}

// PushStaged pushes an image under a staging tag that carries the image's
// digest: what was staged by a try before stays, and is in nobody's way.
func (r *Registry) PushStaged(ctx context.Context, at, tag string, image v1.Image) (string, error) {
	tag, err := staged(at, tag, image)
	if err != nil {
		return "", err
	}
	return r.PushImage(ctx, at, tag, image)
}

// PushStagedIndex is PushStaged for an image of several platforms; it returns the
// staging tag, too.
func (r *Registry) PushStagedIndex(ctx context.Context, at, tag string, index v1.ImageIndex) (staging, digest string, err error) {
	staging, err = staged(at, tag, index)
	if err != nil {
		return "", "", err
	}
	digest, err = r.PushIndex(ctx, at, staging, index)
	return staging, digest, err
}

// staged is a tag that carries the digest of what is pushed under it.
func staged(at, tag string, what digester) (string, error) {
	hash, err := what.Digest()
	if err != nil {
		return "", fmt.Errorf("computing the digest of %s:%s: %w", at, tag, err)
	}
	const enough = 12
	return tag + "-" + hash.Hex[:enough], nil
}

// PushIndex is PushImage for an image of several platforms.
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

// Copy brings an image, named by location@digest, from one edge to another, under
// its digest alone.
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
