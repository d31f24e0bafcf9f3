#!/usr/bin/env bash
# Builds the image of the tool COMPONENT at VERSION (default: its newest release), and
# publishes it if PUSH is "true". ghhelper annotates errors, writes the job's summary
# and sets the outputs.
set -euo pipefail

# shellcheck source=actions/_lib/annotate.sh
source "$(dirname "${BASH_SOURCE[0]}")/annotate.sh"

options=()
case ${PUSH:-} in
  true) options=(--push) ;;
  false) ;;
  *) refuse "input push is \"${PUSH:-}\", want \"true\" or \"false\"" ;;
esac
[[ -n ${COMPONENT:-} ]] || refuse "input component is empty, want a component that has an image with a build in delivery.yaml"
arguments=("$COMPONENT")
[[ -z ${VERSION:-} ]] || arguments+=("$VERSION")

ghhelper image ${options[@]+"${options[@]}"} -- "${arguments[@]}"
