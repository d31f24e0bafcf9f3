#!/usr/bin/env bash
# Runs ghhelper goreleaser in the caller's repository. Reads WORKDIR and MODE:
#   release   releases VERSION, or the pushed tag
#   snapshot  publishes nothing
#   auto      releases if VERSION is set or a tag v* was pushed, else makes a snapshot
# ghhelper annotates errors, writes the job's summary and sets the outputs.
set -euo pipefail

here=$(dirname "${BASH_SOURCE[0]}")
# shellcheck source=actions/_lib/annotate.sh
source "$here/annotate.sh"
# shellcheck source=actions/_lib/pushed.sh
source "$here/pushed.sh"

version=$(pushed_version)
case ${MODE:-} in
  release) [[ -n $version ]] || no_version ;;
  snapshot) version="" ;;
  auto) [[ -n ${VERSION:-} || $version == v* ]] || version="" ;;
  *) refuse "input mode is \"${MODE:-}\", want \"auto\", \"release\" or \"snapshot\"" ;;
esac

ghhelper goreleaser --verbose "--workdir=${WORKDIR:?}" -- ${version:+"$version"}
