#!/usr/bin/env bash
# Asks the forge for a token of the App CLIENT_ID, which signs with PRIVATE_KEY, and writes it
# as the output token. REPOSITORIES are names, separated by commas.
set -euo pipefail

base64url() { openssl base64 -A | tr '+/' '-_' | tr -d '='; }

# list prints its arguments as a list of JSON strings, without its brackets.
list() {
  local words
  printf -v words '"%s",' "$@"
  printf '%s' "${words%,}"
}

now=$(date +%s)
said=$(printf '{"alg":"RS256","typ":"JWT"}' | base64url).$(printf '{"iat":%d,"exp":%d,"iss":"%s"}' $((now - 30)) $((now + 300)) "$CLIENT_ID" | base64url)
signature=$(printf '%s' "$said" | openssl dgst -sha256 -sign <(printf '%s' "$PRIVATE_KEY") -binary | base64url)

IFS=', ' read -r -a names <<<"${REPOSITORIES:?}"
permissions=()
[[ -z $CONTENTS ]] || permissions+=("\"contents\":\"$CONTENTS\"")
[[ -z $PULL_REQUESTS ]] || permissions+=("\"pull_requests\":\"$PULL_REQUESTS\"")
[[ -z $ACTIONS ]] || permissions+=("\"actions\":\"$ACTIONS\"")
[[ -z $WORKFLOWS ]] || permissions+=("\"workflows\":\"$WORKFLOWS\"")
ask="{\"repositories\":[$(list "${names[@]}")],\"permissions\":{$(IFS=,; echo "${permissions[*]}")}}"

answer=$(curl --silent --show-error --fail-with-body --header "Authorization: Bearer $said.$signature" \
  --header 'Content-Type: application/json' --data "$ask" "${GITHUB_API_URL:?}/app/installations/1/access_tokens") ||
  { echo "asked for $ask of $OWNER: $answer" >&2; exit 1; }
token=$(sed -n 's/.*"token":"\([^"]*\)".*/\1/p' <<<"$answer")
echo "::add-mask::${token:?the answer held no token}"
echo "token=$token" >>"$GITHUB_OUTPUT"
