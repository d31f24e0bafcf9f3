#!/usr/bin/env bash
# Decides, before anything is released, whether actions/attest will attest the
# release, and writes the decision to the output wanted.
# Reads ATTEST, VERSION and PRIVATE (whether the repository is private). If attesting
# is impossible, ATTEST=auto prints why; ATTEST=true is refused.
set -euo pipefail

# shellcheck source=actions/_lib/annotate.sh
source "$(dirname "${BASH_SOURCE[0]}")/annotate.sh"

# obstacle prints why nothing can be attested, or nothing if it can.
obstacle() {
  local version=${VERSION:-${GITHUB_REF_NAME:-}}
  if [[ ${GITHUB_SERVER_URL:-} != https://github.com ]]; then
    echo "only github.com stores attestations, and this run is on ${GITHUB_SERVER_URL:-another server}"
  elif [[ -z ${ACTIONS_ID_TOKEN_REQUEST_URL:-} || -z ${ACTIONS_ID_TOKEN_REQUEST_TOKEN:-} ]]; then
    echo "the job has no OIDC token; give it the permissions id-token: write and attestations: write"
  elif [[ $ATTEST == auto && ${PRIVATE:-} == true ]]; then
    # https://docs.github.com/en/actions/concepts/security/artifact-attestations
    echo "the repository is private, and GitHub attests private repositories only with Enterprise Cloud; if you have that plan, set the input attest to \"true\""
  elif [[ ! ${GITHUB_REF:-} =~ ^refs/tags/(.*[^0-9.])?"${version#v}"$ ]]; then
    # Sigstore's certificate contains the run's ref and no other.
    echo "the attestation would name the ref of this run, ${GITHUB_REF:-none}, instead of the tag v${version#v}; run the workflow when the tag is pushed"
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
