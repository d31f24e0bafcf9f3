package prove

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/kubestellar/actions/internal/attest"
	"github.com/kubestellar/actions/internal/outcome"
)

// seal is the result of verifying the attestations of one thing.
type seal struct {
	attest.Result
	err error
}

// seal starts to verify the attestations of a digest, and returns a function that waits for the
// result. It returns nil if attestations are not queried.
func (r *run) seal(ctx context.Context, what attest.Subject, component, commit, repository string) func() *seal {
	if r.Attestations == nil {
		return func() *seal { return nil }
	}
	if commit == "" {
		return func() *seal { return &seal{err: &restsOnError{ruleGitTag}} }
	}
	policy := attest.Policy{Repository: repository, Tag: r.File.Components[component].GitTag(r.Version), Commit: commit,
		Workflow: r.src.File.Components[component].Signer}
	answer := make(chan *seal, 1)
	go func() {
		result, err := r.Attestations.Verify(ctx, what, policy)
		answer <- &seal{result, err}
	}()
	return func() *seal { return <-answer }
}

// seals claims of each attested thing that its attestations verify, and that they name the
// repository, the tag and the workflow. If nothing is attested, a note is enough; if only some
// things are, the others need a reason.
func (r *run) seals(parts []part) {
	signed, unsigned := 0, []string{}
	each(parts, func(s *subject) {
		switch {
		case s.seal == nil:
		case s.seal.err == nil && s.seal.Count == 0:
			unsigned = append(unsigned, s.name)
		case s.seal.err == nil || outcome.Of(s.seal.err) == outcome.Wrong:
			signed++
		}
	})
	if len(unsigned) > 0 {
		r.note("Not signed: there is no attestation of %s.", strings.Join(unsigned, ", "))
	}
	each(parts, func(s *subject) {
		if s.seal == nil || signed == 0 && s.seal.err == nil {
			return
		}
		claim := s.add(ruleSigned, "its attestations verify, and name the repository, the tag and the workflow",
			s.afterAll()...)
		if s.seal.err == nil && s.seal.Count == 0 {
			claim.err = errors.New("there is none, though other things of this release have one")
			return
		}
		claim.is(fmt.Sprintf("%d at %s, signed by %s", s.seal.Count, s.seal.Source, s.seal.Signer), s.seal.err)
	})
}

func each(parts []part, do func(*subject)) {
	for _, p := range parts {
		for _, s := range p.subjects {
			do(s)
		}
	}
}
