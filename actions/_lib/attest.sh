#!/usr/bin/env bash
# Decides, before anything is released, whether what is released will be attested
# by actions/attest, and writes that as the output wanted. Reads ATTEST ("auto",
# "true" or "false"), VERSION and whether the repository is PRIVATE; "auto" attests where it can, and says why where
# not, while "true" is refused there.
set -euo pipefail

# shellcheck source=actions/_lib/annotate.sh
source "$(dirname "${BASH_SOURCE[0]}")/annotate.sh"

# obstacle prints why nothing can be attested here, or nothing.
obstacle() {
  local version=${VERSION:-${GITHUB_REF_NAME:-}}
  if [[ ${GITHUB_SERVER_URL:-} != https://github.com ]]; then
    echo "attestations are kept by github.com alone, and this is ${GITHUB_SERVER_URL:-another place}"
  elif [[ -z ${ACTIONS_ID_TOKEN_REQUEST_URL:-} || -z ${ACTIONS_ID_TOKEN_REQUEST_TOKEN:-} ]]; then
    echo "the job has no OIDC token; give it the permissions id-token: write and attestations: write"
  elif [[ $ATTEST == auto && ${PRIVATE:-} == true ]]; then
    # https://docs.github.com/en/actions/concepts/security/artifact-attestations
    echo "the repository is private, where GitHub attests under an Enterprise Cloud plan alone; where it does, set the input attest to \"true\""
  elif [[ ${GITHUB_REF:-} != "refs/tags/v${version#v}" ]]; then
    # Sigstore's certificate names the ref of the run, and nothing else.
    echo "an attestation would name ${GITHUB_REF:-no ref}, which this run is of, and not the tag v${version#v}; run this when the tag is pushed"
  fi
}

case ${ATTEST:-} in
  auto | true) why=$(obstacle) ;;
  false) why="the input attest is \"false\"" ;;
  *) refuse "input attest is \"${ATTEST:-}\", want \"auto\", \"true\" or \"false\"" ;;
esac
if [[ $ATTEST == true && -n $why ]]; then
  refuse "input attest is \"true\", but $why"
fi
wanted=true
if [[ -n $why ]]; then
  wanted=false
  echo "not attested: $why"
fi
echo "wanted=$wanted" >>"$GITHUB_OUTPUT"
