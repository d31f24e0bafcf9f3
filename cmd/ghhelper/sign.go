package main

import (
	"slices"
	"strings"

	"github.com/kubestellar/actions/internal/release"
)

// The variables with which a workflow's job gets its OIDC token. The build runs other
// people's code, and does not see them: with the token it could sign as the job.
// https://docs.github.com/en/actions/reference/security/oidc
const (
	identityURL   = "ACTIONS_ID_TOKEN_REQUEST_URL"
	identityToken = "ACTIONS_ID_TOKEN_REQUEST_TOKEN"
)

// cosign is the only way to sign here. The other one is actions/attest.
const cosign = "cosign"

// signer returns the signer of the release. It reports in advance that signing is
// impossible.
func (p process) signer(how string) (release.Signer, error) {
	known := p.Getenv(identityURL) != "" && p.Getenv(identityToken) != ""
	switch {
	case how == "" && known:
		return release.Signer{Why: "actions/attest may attest the list in subjects.txt, beside the report"}, nil
	case how == "":
		return release.Signer{Why: "there is no OIDC token: a workflow's job gets one if it may write id-token"}, nil
	case how != cosign:
		return release.Signer{}, usage("--sign %q: want %s, or nothing", how, cosign)
	case !known:
		return release.Signer{}, usage("--sign %s: there is no OIDC token to sign with, since %s or %s is not set: "+
			"give the job the permission id-token: write, or leave the flag out", how, identityURL, identityToken)
	}
	signer := release.Signer{Command: cosign, Env: p.without(dispatchToken)}
	return signer, signer.Check()
}

// withoutTokens returns the environment for other people's code.
func (p process) withoutTokens() []string {
	return p.without("GITHUB_TOKEN", dispatchToken, identityURL, identityToken)
}

// without returns the environment without some variables.
func (p process) without(names ...string) []string {
	return slices.DeleteFunc(slices.Clone(p.Environ), func(entry string) bool {
		name, _, _ := strings.Cut(entry, "=")
		return slices.Contains(names, name)
	})
}
