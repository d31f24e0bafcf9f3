#!/usr/bin/env bash
# Runs ghhelper prove for a release of COMPONENT: VERSION, else the pushed tag, else
# the newest release. Reads REBUILD and ALLOW_UNCHECKED.
set -euo pipefail

here=$(dirname "${BASH_SOURCE[0]}")
# shellcheck source=actions/_lib/annotate.sh
source "$here/annotate.sh"
# shellcheck source=actions/_lib/pushed.sh
source "$here/pushed.sh"
# shellcheck source=actions/_lib/unchecked.sh
source "$here/unchecked.sh"

options=()
case ${REBUILD:-} in
  true) options+=(--rebuild) ;;
  false) ;;
  *) refuse "input rebuild is \"${REBUILD:-}\", want \"true\" or \"false\"" ;;
esac
version=$(pushed_version)
if [[ -z $version ]]; then options+=(--newest); fi

run_checks ghhelper prove ${options[@]+"${options[@]}"} -- ${COMPONENT:+"$COMPONENT"} ${version:+"$version"}
