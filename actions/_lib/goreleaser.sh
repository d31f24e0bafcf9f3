#!/usr/bin/env bash
# Runs ghhelper goreleaser in the caller's repository. MODE is "release" of VERSION, or
# of the pushed tag, "snapshot", or "auto": a release where there is a version, or a tag
# v* was pushed. Reads WORKDIR; ghhelper itself annotates errors, fills the job's
# summary, and writes the outputs.
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
