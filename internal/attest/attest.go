// Package attest tells whether an artifact is attested: whether a Sigstore
// bundle says, under a signature that holds, that a workflow of the repository
// made these bytes at the tag and commit that they are said to be of. It looks
// for bundles itself, and has gh, GitHub's command line, verify them; it is the
// only one who runs gh.
package attest

import (
	"context"
	"errors"
	"fmt"

	"github.com/kubestellar/actions/internal/outcome"
)

// Subject is what is asked about.
type Subject struct {
	Name   string // for messages
	At     string // the repository in a registry, of an image or chart; else ""
	Digest string // sha256:…
	Path   string // of a file that has the bytes; "" for what is in a registry
}

// Policy is what an attestation has to say of its subject.
type Policy struct {
	Repository string // owner/name, that it was made in
	Tag        string // v1.2.3, that the run was of
	Commit     string // that the tag is on
	// Workflow is the one that signed, as owner/name/.github/workflows/FILE; ""
	// is any of the repository's own.
	Workflow string
}

// Result tells of the attestations that hold.
type Result struct {
	Count  int    // how many hold; 0 is that there are none, so it is not signed
	Signer string // the workflow of the first, owner/name/path@ref
	Source string // where they are: Hub or Registry
}

// The places where attestations are kept.
const (
	Hub      = "GitHub"
	Registry = "registry"
)

// hub is asked for what GitHub holds. It is no interface: as a value of one, a
// client would keep all of go-github in the program, which templates could call.
type hub func(ctx context.Context, repository, digest string) ([][]byte, error)

// registry is asked for what refers to a digest, and for its bytes.
type registry interface {
	Bundles(ctx context.Context, at, digest string) ([][]byte, error)
	Manifest(ctx context.Context, at, digest string) ([]byte, error)
}

// Verifier looks for attestations and judges them.
type Verifier struct {
	GitHub   hub
	Registry registry
	// Command is gh, found on PATH.
	Command string
	// Env is gh's whole environment, but for what keeps it to a folder of its
	// own. It needs no token: gh is given all that it verifies.
	Env []string
	// TrustedRoot is a file of who may certify, in the form of `gh attestation
	// trusted-root`. Without, gh fetches it from Sigstore and from GitHub.
	TrustedRoot string
	// Home is a folder in which gh keeps what it fetched from one call to the
	// next; "" is a new one for each.
	Home string
}

// Verify looks for attestations of the subject, at GitHub and, if it is in a
// registry, there. One that holds is enough: who may write to a registry can
// put any number beside it that do not. A count of 0 without an error is that
// there is none. An error says why none holds: with the code Wrong if each of
// them was refuted, else Unchecked.
func (v Verifier) Verify(ctx context.Context, s Subject, p Policy) (Result, error) {
	fromHub, hubErr := v.verifyFrom(ctx, Hub, s, p, func() ([][]byte, error) { return v.GitHub(ctx, p.Repository, s.Digest) })
	if fromHub.Count > 0 || s.At == "" {
		return fromHub, verdict(s, hubErr)
	}
	fromRegistry, registryErr := v.verifyFrom(ctx, Registry, s, p, func() ([][]byte, error) { return v.Registry.Bundles(ctx, s.At, s.Digest) })
	if fromRegistry.Count > 0 {
		return fromRegistry, nil
	}
	return Result{}, verdict(s, hubErr, registryErr)
}

// verdict sums up why nothing holds. What could not be checked might hold, so
// nothing is refuted before all is.
func verdict(s Subject, reasons ...error) error {
	err := errors.Join(reasons...)
	if err == nil {
		return nil
	}
	err = fmt.Errorf("%s: %w", s.Name, err)
	for _, reason := range reasons {
		if reason != nil && !refuted(reason) {
			return unchecked{err}
		}
	}
	return err
}

// refuted tells whether every error that is joined in err says Wrong.
func refuted(err error) bool {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		for _, e := range joined.Unwrap() {
			if !refuted(e) {
				return false
			}
		}
		return true
	}
	return outcome.Of(err) == outcome.Wrong
}

// unchecked says what it holds, and hides that some of it is Wrong.
type unchecked struct{ cause error }

func (u unchecked) Error() string      { return u.cause.Error() }
func (u unchecked) Code() outcome.Code { return outcome.Unchecked }

// verifyFrom judges all that one place holds.
func (v Verifier) verifyFrom(ctx context.Context, source string, s Subject, p Policy, look func() ([][]byte, error)) (Result, error) {
	bundles, err := look()
	if err != nil {
		return Result{}, unchecked{fmt.Errorf("looking for attestations in %s: %w", source, err)}
	}
	result := Result{Source: source}
	var refusals []error
	for i, bundle := range bundles {
		claim, err := v.one(ctx, bundle, s, p)
		switch {
		case errors.Is(err, errOther):
			continue
		case err != nil:
			refusals = append(refusals, prefixed{fmt.Sprintf("attestation %d in %s", i+1, source), err})
			continue
		case result.Count == 0:
			result.Signer = claim.signer()
		}
		result.Count++
	}
	if result.Count > 0 {
		return result, nil
	}
	return Result{}, errors.Join(refusals...)
}

// prefixed is an error with where it was; its codes stay apart.
type prefixed struct {
	where string
	err   error
}

func (p prefixed) Error() string { return p.where + ": " + p.err.Error() }
func (p prefixed) Unwrap() error { return p.err }

// one judges one bundle: first by what it says, which tells most where it is
// refuted, then by whether gh finds that true, and what it is then.
func (v Verifier) one(ctx context.Context, bundle []byte, s Subject, p Policy) (claim, error) {
	said, err := read(bundle)
	if err != nil {
		return claim{}, err
	}
	if err := judge(said, s.Digest, p); err != nil {
		return claim{}, err
	}
	verified, err := v.run(ctx, bundle, said.predicate, s, p)
	if err != nil {
		return claim{}, err
	}
	return verified, judge(verified, s.Digest, p)
}
