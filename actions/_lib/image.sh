#!/usr/bin/env bash
# image.sh builds the image of the tool COMPONENT at VERSION, or at its newest release
# if VERSION is empty, and publishes it if PUSH is true; ghhelper itself annotates
# errors, fills the job's summary, and writes the outputs.
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
what=("$COMPONENT")
[[ -z ${VERSION:-} ]] || what+=("$VERSION")

ghhelper image ${options[@]+"${options[@]}"} -- "${what[@]}"
