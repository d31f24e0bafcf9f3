package attest

import (
	"errors"
	"slices"
	"strings"

	"github.com/kubestellar/actions/internal/outcome"
)

// judge compares an attestation with the policy. Each difference is an error of its own.
func judge(c claim, digest string, p Policy) error {
	var errs []error
	differs := func(field, saw, want string) {
		if saw != want {
			errs = append(errs, outcome.Wrongf("it names %s %q, want %q", field, saw, want))
		}
	}
	if !slices.Contains(c.digests, digest) {
		errs = append(errs, outcome.Wrongf("its subject is %s, want %s", strings.Join(c.digests, ", "), digest))
	}
	differs("repository", c.repository, server+p.Repository)
	differs("ref", c.ref, "refs/tags/"+p.Tag)
	differs("commit", c.commit, p.Commit)
	workflow, _, _ := strings.Cut(c.identity, "@")
	switch {
	case p.Workflow != "":
		differs("workflow", workflow, server+p.Workflow)
	case !strings.HasPrefix(c.identity, server+p.Repository+"/"):
		errs = append(errs, outcome.Wrongf("it was signed by %q, want a workflow of %s", c.identity, p.Repository))
	}
	return errors.Join(errs...)
}
