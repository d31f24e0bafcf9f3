#!/usr/bin/env bash
# prebuilt.sh SOURCE PLATFORM FILE fetches the ghhelper that CI published of this
# source, and uses it only if it is proven here that prebuilt.yml built it on main:
# whoever may write packages can move a tag, and who pins a commit must not get other
# code by that. Else it ends with 1 and says why; with a warning, if what is
# published is not what it should be. Reads GH_TOKEN.
set -euo pipefail

here=$(dirname "${BASH_SOURCE[0]}")
# shellcheck source=actions/_lib/annotate.sh
source "$here/annotate.sh"
# shellcheck source=actions/_lib/bounded.sh
source "$here/bounded.sh"
# shellcheck source=actions/_lib/sha256.sh
source "$here/sha256.sh"

source=$1 file=$3
at=kubestellar/actions/ghhelper-source tag=$1-$2
packed=$((64 << 20)) unpacked=$((256 << 20)) # in bytes; four times what they are

# plain is what others said, in one line that the runner takes for no command.
plain() {
  local text=${1//[^[:print:]]/ }
  echo "$text" | sed 's/##\[/# # [/g' | cut -c 1-500
}

pass() {
  echo "no prebuilt ghhelper is used: $(plain "$1")"
  exit 1
}

distrust() {
  warn "a prebuilt ghhelper is not used: $(plain "ghcr.io/$at:$tag $1")"
  exit 1
}

# get BYTES FILE ADDRESS OPTION… fetches a file of at most so many bytes.
get() {
  local status
  status=$(curl --silent --show-error --location --proto '=https' --connect-timeout 10 --max-time 120 --retry 2 --retry-max-time 60 \
    --max-filesize "$1" --output "$2" --write-out '%{http_code}' "${@:4}" "https://ghcr.io/$3" 2>"$work/said") || pass "$(<"$work/said")"
  case $status in
    200) ;;
    401 | 403 | 404) pass "ghcr.io/$at:$tag is not published, or not for all: $status" ;;
    *) pass "ghcr.io answered $status" ;;
  esac
}

# What gh says of what it has looked at and does not believe; all else is about
# itself. https://github.com/cli/cli/tree/v2.83.0/pkg/cmd/attestation
refusals='verifying with issuer|no custom verifier found for issuer|issuer is not recognized|expected SourceRepository|expected Issuer|could not be parsed|no attestations found|HTTP 404: .*/attestations/'

# prove FILE ends the script, unless GitHub's word for it is that our workflow made it.
prove() {
  local status=0
  GH_HOST=github.com GH_CONFIG_DIR=$work/gh GH_NO_UPDATE_NOTIFIER=1 GH_PROMPT_DISABLED=1 NO_COLOR=1 \
    bounded 90 gh attestation verify "$1" --repo kubestellar/actions --source-ref refs/heads/main \
    --signer-workflow kubestellar/actions/.github/workflows/prebuilt.yml </dev/null >/dev/null 2>"$work/said" || status=$?
  [[ $status -ne 0 ]] || return 0
  if grep -qE "$refusals" "$work/said"; then
    distrust "is not proven to be built by prebuilt.yml on main: $(<"$work/said")"
  fi
  pass "gh attestation verify could not check its provenance, and ended with $status: $(<"$work/said")"
}

[[ ${GITHUB_SERVER_URL:-} == https://github.com ]] || pass "its provenance is kept by github.com, and this is ${GITHUB_SERVER_URL:-another place}"
for command in curl gh gzip; do
  command -v "$command" >/dev/null || pass "no command $command found on PATH"
done
[[ -n ${GH_TOKEN:-} ]] || pass "there is no GH_TOKEN to ask github.com with for its provenance"
work=$(mktemp -d "${RUNNER_TEMP:?}/ghhelper-prebuilt.XXXXXX")
trap 'rm -rf "$work"' EXIT

get 65536 "$work/token" "token?service=ghcr.io&scope=repository:$at:pull" --header 'Accept: application/json'
[[ $(<"$work/token") =~ \"token\"\ *:\ *\"([A-Za-z0-9._~+/=-]+)\" ]] || pass "ghcr.io gave no token"
authorization="Authorization: Bearer ${BASH_REMATCH[1]}"
get 65536 "$work/manifest" "v2/$at/manifests/$tag" --header "$authorization" --header 'Accept: application/vnd.oci.image.manifest.v1+json'
[[ $(<"$work/manifest") =~ \"layers\"[^]]*\"digest\"\ *:\ *\"sha256:([0-9a-f]{64})\" ]] || distrust "has no manifest that names a blob"
digest=${BASH_REMATCH[1]}
get "$packed" "$work/blob" "v2/$at/blobs/sha256:$digest" --header "$authorization"
[[ $(sha256 - <"$work/blob") == "$digest "* ]] || distrust "is not the blob that its manifest names, sha256:$digest"
# Only what is proven comes to lie where it is used.
if ! gzip -dc <"$work/blob" 2>/dev/null | head -c $((unpacked + 1)) >"$work/ghhelper" || [[ $(wc -c <"$work/ghhelper") -gt $unpacked ]]; then
  distrust "does not unpack to at most $unpacked bytes"
fi
prove "$work/ghhelper"
chmod +x "$work/ghhelper"
said=$(env -u GH_TOKEN "$work/ghhelper" --version) || said="nothing"
[[ $said == "ghhelper source $source "* ]] || distrust "is built by prebuilt.yml on main, but says \"$said\", want source $source"
mv "$work/ghhelper" "$file"
echo "ghhelper is prebuilt: prebuilt.yml has built it of the same source on main, as GitHub's attestation proves"
