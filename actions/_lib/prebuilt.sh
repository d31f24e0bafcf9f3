#!/usr/bin/env bash
# prebuilt.sh SOURCE PLATFORM FILE downloads the ghhelper that CI published for a
# source hash. A token with packages: write can move a tag, so the binary is used only
# if its attestation proves that prebuilt.yml built it on main.
# Otherwise it prints the reason and exits with 1. The reason is a warning if the
# published binary fails a check. Reads GH_TOKEN.
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
packed=$((64 << 20)) unpacked=$((256 << 20)) # limits in bytes, four times the real sizes

# plain TEXT prints foreign output as one line without workflow commands.
plain() {
  local text=${1//[^[:print:]]/ }
  echo "$text" | sed 's/##\[/# # [/g' | cut -c 1-500
}

# pass REASON exits because no prebuilt binary is available.
pass() {
  echo "no prebuilt ghhelper is used: $(plain "$1")"
  exit 1
}

# distrust REASON exits with a warning because the published binary failed a check.
distrust() {
  warn "a prebuilt ghhelper is not used: $(plain "ghcr.io/$at:$tag $1")"
  exit 1
}

# get BYTES FILE PATH OPTION… downloads a file of at most BYTES bytes from ghcr.io.
get() {
  local status
  status=$(curl --silent --show-error --location --proto '=https' --connect-timeout 10 --max-time 120 \
    --retry 2 --retry-max-time 60 --max-filesize "$1" --output "$2" --write-out '%{http_code}' \
    "${@:4}" "https://ghcr.io/$3" 2>"$work/errors") || pass "$(<"$work/errors")"
  case $status in
    200) ;;
    401 | 403 | 404) pass "ghcr.io/$at:$tag is not published, or not publicly: HTTP $status" ;;
    *) pass "ghcr.io answered HTTP $status" ;;
  esac
}

# gh's messages for an attestation that it checked and rejected. Every other message
# is about gh itself. https://github.com/cli/cli/tree/v2.83.0/pkg/cmd/attestation
refusals='verifying with issuer|no custom verifier found for issuer|issuer is not recognized|expected SourceRepository|expected Issuer|could not be parsed|no attestations found|HTTP 404: .*/attestations/'

# prove FILE exits unless GitHub's attestation proves that our workflow built FILE.
prove() {
  local status=0
  GH_HOST=github.com GH_CONFIG_DIR=$work/gh GH_NO_UPDATE_NOTIFIER=1 GH_PROMPT_DISABLED=1 NO_COLOR=1 \
    bounded 90 gh attestation verify "$1" --repo kubestellar/actions --source-ref refs/heads/main \
    --signer-workflow kubestellar/actions/.github/workflows/prebuilt.yml </dev/null >/dev/null 2>"$work/errors" || status=$?
  [[ $status -ne 0 ]] || return 0
  if grep -qE "$refusals" "$work/errors"; then
    distrust "is not proven to be built by prebuilt.yml on main: $(<"$work/errors")"
  fi
  pass "gh attestation verify could not check its provenance (exit code $status): $(<"$work/errors")"
}

[[ ${GITHUB_SERVER_URL:-} == https://github.com ]] || pass "only github.com stores its provenance, and this run is on ${GITHUB_SERVER_URL:-another server}"
for command in curl gh gzip; do
  command -v "$command" >/dev/null || pass "no command $command found on PATH"
done
[[ -n ${GH_TOKEN:-} ]] || pass "GH_TOKEN is empty, want a token that can read its provenance from github.com"
work=$(mktemp -d "${RUNNER_TEMP:?}/ghhelper-prebuilt.XXXXXX")
trap 'rm -rf "$work"' EXIT

get 65536 "$work/token" "token?service=ghcr.io&scope=repository:$at:pull" --header 'Accept: application/json'
[[ $(<"$work/token") =~ \"token\"\ *:\ *\"([A-Za-z0-9._~+/=-]+)\" ]] || pass "ghcr.io gave no token"
authorization="Authorization: Bearer ${BASH_REMATCH[1]}"
get 65536 "$work/manifest" "v2/$at/manifests/$tag" --header "$authorization" --header 'Accept: application/vnd.oci.image.manifest.v1+json'
[[ $(<"$work/manifest") =~ \"layers\"[^]]*\"digest\"\ *:\ *\"sha256:([0-9a-f]{64})\" ]] || distrust "has a manifest without a layer"
digest=${BASH_REMATCH[1]}
get "$packed" "$work/blob" "v2/$at/blobs/sha256:$digest" --header "$authorization"
[[ $(sha256 - <"$work/blob") == "$digest "* ]] || distrust "has other bytes than its manifest's layer, sha256:$digest"
# FILE is only written once the binary is proven.
if ! gzip -dc <"$work/blob" 2>/dev/null | head -c $((unpacked + 1)) >"$work/ghhelper" || [[ $(wc -c <"$work/ghhelper") -gt $unpacked ]]; then
  distrust "does not unpack to at most $unpacked bytes"
fi
prove "$work/ghhelper"
chmod +x "$work/ghhelper"
version=$(env -u GH_TOKEN "$work/ghhelper" --version) || version="nothing"
[[ $version == "ghhelper source $source "* ]] || distrust "is built by prebuilt.yml on main, but prints the version \"$version\", want source $source"
mv "$work/ghhelper" "$file"
echo "using the prebuilt ghhelper: prebuilt.yml built it from the same source on main, as GitHub's attestation proves"
