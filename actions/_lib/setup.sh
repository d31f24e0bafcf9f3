#!/usr/bin/env bash
# Builds ghhelper from the source that this file came with, and puts it on PATH
# for the steps that follow. Reads TOOLS and ACTION_REF; writes the outputs path
# and version.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=actions/_lib/annotate.sh
source "$here/annotate.sh"
cd "$here/../.."

case ${TOOLS:-} in
  true | false | ko) ;;
  *) refuse "input tools is \"${TOOLS:-}\", want \"true\", \"ko\" or \"false\"" ;;
esac
command -v go >/dev/null || refuse "no command go found on PATH: run actions/setup-go in a step before this one"

# The toolchain is part of what was pinned; an older or newer Go of the runner
# fetches it.
toolchain=$(awk '$1 == "toolchain" { print $2 }' go.mod)
[[ -n $toolchain ]] || refuse "go.mod has no line \"toolchain go1.x.y\", want one: it says what ghhelper is built with"

# A runner that unpacked us left no git folder: only what stands behind the @ of
# "uses" says what this source is, and a branch there says nothing that lasts.
ldflags="-s -w"
ref=${ACTION_REF:-}
if [[ $ref =~ ^[0-9a-f]{40}$ ]]; then
  ldflags+=" -X main.commit=$ref"
elif [[ $ref =~ ^v[0-9]+\.[0-9]+\.[0-9]+[0-9A-Za-z.-]*$ ]]; then
  ldflags+=" -X main.version=${ref#v}"
elif [[ -z $ref && -e .git ]]; then
  ldflags+=" -X main.commit=$(git -c safe.directory="$PWD" rev-parse HEAD)"
fi

bin=${RUNNER_TEMP:?}/ghhelper/bin
mkdir -p "$bin"
GOTOOLCHAIN=$toolchain GOFLAGS=-mod=readonly GOWORK=off CGO_ENABLED=0 \
  go build -trimpath -buildvcs=false -ldflags "$ldflags" -o "$bin/ghhelper" ./cmd/ghhelper
case $TOOLS in
  true) make --no-print-directory release-tools bin="$bin" ;;
  ko) make --no-print-directory image-tools bin="$bin" ;;
esac

version=$("$bin/ghhelper" --version)
echo "built $version"
echo "$bin" >>"$GITHUB_PATH"
{
  echo "path=$bin"
  echo "version=${version#ghhelper }"
} >>"$GITHUB_OUTPUT"
