// Package attest verifies attestations: signed Sigstore bundles which state that a workflow
// of a repository built an artifact at a tag and commit. It finds the bundles itself, and
// runs gh, GitHub's command line, to verify them. No other package runs gh.
package attest

import (
	"context"
	"errors"
	"fmt"

	"github.com/kubestellar/actions/internal/outcome"
)

// Subject is the artifact of an attestation.
type Subject struct {
	Name   string // for messages
	At     string // the location in a registry, "" for a file
	Digest string // sha256:…
	Path   string // the path of a file, "" for an image or chart
}

// Policy is the required content of an attestation.
type Policy struct {
	Repository string // owner/name of the workflow's repository
	Tag        string // the git tag that the workflow ran for, v1.2.3
	Commit     string // the commit of that tag
	// Workflow is the signing workflow, as owner/name/.github/workflows/FILE. If empty,
	// every workflow of the repository is accepted.
	Workflow string
}

// Result describes the valid attestations of a subject.
type Result struct {
	Count  int    // 0 if there are none, and the subject is not signed
	Signer string // the workflow of the first, owner/name/path@ref
	Source string // the place where they are stored: Hub or Registry
}

// The places where attestations are stored.
const (
	Hub      = "GitHub"
	Registry = "registry"
)

// hub returns the bundles that GitHub stores. It is a function, because a client in an
// interface would link all of go-github into the program: templates could call its methods.
type hub func(ctx context.Context, repository, digest string) ([][]byte, error)

// registry returns the bundles that refer to a digest, and a manifest's bytes.
type registry interface {
	Bundles(ctx context.Context, at, digest string) ([][]byte, error)
	Manifest(ctx context.Context, at, digest string) ([]byte, error)
}

// Verifier finds and verifies attestations.
type Verifier struct {
	GitHub   hub
	Registry registry
	// Command is gh, looked up on PATH.
	Command string
	// Env is gh's environment, except for the variables that set its folders. gh needs no
	// token, because it gets everything that it verifies as files.
	Env []string
	// TrustedRoot is a file with the trusted authorities, in the form of `gh attestation
	// trusted-root`. If empty, gh fetches it from Sigstore and from GitHub.
	TrustedRoot string
	// Home is the folder for gh's cache. If empty, each call uses a new one.
	Home string
}

// Verify verifies the attestations of the subject, at GitHub and, for an image or chart, in
// its registry. One valid attestation is enough, because anyone with write access to a
// registry can add invalid ones. If there are none, Verify returns a count of 0. An error
// explains why none is valid: its code is Wrong if each was refuted, otherwise Unchecked.
func (v Verifier) Verify(ctx context.Context, s Subject, p Policy) (Result, error) {
	fromHub, hubErr := v.verifyFrom(ctx, Hub, s, p, func() ([][]byte, error) {
		return v.GitHub(ctx, p.Repository, s.Digest)
	})
	if fromHub.Count > 0 || s.At == "" {
		return fromHub, verdict(s, hubErr)
	}
	fromRegistry, registryErr := v.verifyFrom(ctx, Registry, s, p, func() ([][]byte, error) {
		return v.Registry.Bundles(ctx, s.At, s.Digest)
	})
	if fromRegistry.Count > 0 {
		return fromRegistry, nil
	}
	return Result{}, verdict(s, hubErr, registryErr)
}

// verdict joins the reasons why no attestation is valid. An attestation that could not be
// checked may be valid, so the verdict is Wrong only if every reason is.
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

// refuted reports whether the code of every error joined in err is Wrong.
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

// unchecked is an error with the code Unchecked, whatever the code of its cause.
type unchecked struct{ cause error }

func (u unchecked) Error() string      { return u.cause.Error() }
func (u unchecked) Code() outcome.Code { return outcome.Unchecked }

// verifyFrom verifies the bundles of one place.
func (v Verifier) verifyFrom(
	ctx context.Context, place string, s Subject, p Policy, fetch func() ([][]byte, error),
) (Result, error) {
	bundles, err := fetch()
	if err != nil {
		return Result{}, unchecked{fmt.Errorf("looking for attestations in %s: %w", place, err)}
	}
	result := Result{Source: place}
	var refusals []error
	for i, bundle := range bundles {
		claim, err := v.one(ctx, bundle, s, p)
		switch {
		case errors.Is(err, errOther):
			continue
		case err != nil:
			refusals = append(refusals, prefixed{fmt.Sprintf("attestation %d in %s", i+1, place), err})
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

// prefixed is an error with a place. It keeps the codes of joined errors apart.
type prefixed struct {
	where string
	err   error
}

func (p prefixed) Error() string { return p.where + ": " + p.err.Error() }
func (p prefixed) Unwrap() error { return p.err }

// one verifies one bundle. Its unverified content is checked first, because that gives the
// clearest reason. Then gh verifies it, and the verified content is checked.
func (v Verifier) one(ctx context.Context, bundle []byte, s Subject, p Policy) (claim, error) {
	unverified, err := read(bundle)
	if err != nil {
		return claim{}, err
	}
	if err := judge(unverified, s.Digest, p); err != nil {
		return claim{}, err
	}
	verified, err := v.run(ctx, bundle, unverified.predicate, s, p)
	if err != nil {
		return claim{}, err
	}
	return verified, judge(verified, s.Digest, p)
}
