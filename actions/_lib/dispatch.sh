#!/usr/bin/env bash
# Runs ghhelper dispatch for a release of COMPONENT (default: the repository's own) at
# VERSION (default: the pushed tag). Reads TO (repositories, separated by spaces),
# WORKFLOW, REF, WAIT and TIMEOUT.
set -euo pipefail

here=$(dirname "${BASH_SOURCE[0]}")
# shellcheck source=actions/_lib/annotate.sh
source "$here/annotate.sh"
# shellcheck source=actions/_lib/pushed.sh
source "$here/pushed.sh"

version=$(pushed_version)
[[ -n $version ]] || no_version

options=("--timeout=${TIMEOUT:?}" "--ref=${REF:?}")
case ${WAIT:-} in
  true) options+=(--wait) ;;
  false) ;;
  *) refuse "input wait is \"${WAIT:-}\", want \"true\" or \"false\"" ;;
esac
if [[ -n ${WORKFLOW:-} ]]; then options+=("--workflow=$WORKFLOW"); fi
read -r -d '' -a receivers <<<"${TO:-}" || true # read returns 1 at the end of its input
for receiver in ${receivers[@]+"${receivers[@]}"}; do options+=("--to=$receiver"); done

ghhelper dispatch "${options[@]}" -- ${COMPONENT:+"$COMPONENT"} "$version"
