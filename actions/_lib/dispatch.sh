#!/usr/bin/env bash
# Runs ghhelper dispatch for VERSION, or the pushed tag, of COMPONENT, or of the
# repository's own. Reads TO, whose words spaces separate, WORKFLOW, REF, WAIT and
# TIMEOUT.
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
read -r -d '' -a receivers <<<"${TO:-}" || true # at the end of what it reads, read says 1
for receiver in ${receivers[@]+"${receivers[@]}"}; do options+=("--to=$receiver"); done

ghhelper dispatch "${options[@]}" -- ${COMPONENT:+"$COMPONENT"} "$version"
