package main

import (
	"slices"
	"strings"

	"github.com/kubestellar/actions/internal/release"
)

// The variables by which a workflow's job gets a token that says who it is. The
// build, which runs other people's code, does not see them: with such a token
// it could sign anything as the job.
// https://docs.github.com/en/actions/reference/security/oidc
const (
	identityURL   = "ACTIONS_ID_TOKEN_REQUEST_URL"
	identityToken = "ACTIONS_ID_TOKEN_REQUEST_TOKEN"
)

// cosign is the one way of signing, beside leaving it to actions/attest.
const cosign = "cosign"

// signer is who signs what is released. That it cannot is said before anything
// is done.
func (p process) signer(how string) (release.Signer, error) {
	known := p.Getenv(identityURL) != "" && p.Getenv(identityToken) != ""
	switch {
	case how == "" && known:
		return release.Signer{Why: "that is left to actions/attest; subjects.txt, beside the report, is what it may attest"}, nil
	case how == "":
		return release.Signer{Why: "nothing here says who we are: a job of a workflow has an OIDC token if it may write id-token"}, nil
	case how != cosign:
		return release.Signer{}, usage("--sign %q: want %s, or nothing", how, cosign)
	case !known:
		return release.Signer{}, usage("--sign %s: there is no OIDC token to sign with, since %s or %s is not set: give the job the permission id-token: write, or leave the flag out", how, identityURL, identityToken)
	}
	signer := release.Signer{Command: cosign, Env: p.without(dispatchToken)}
	return signer, signer.Check()
}

// without is the environment less some variables.
func (p process) without(names ...string) []string {
	return slices.DeleteFunc(slices.Clone(p.Environ), func(entry string) bool {
		name, _, _ := strings.Cut(entry, "=")
		return slices.Contains(names, name)
	})
}
