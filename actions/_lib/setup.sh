#!/usr/bin/env bash
# Puts on PATH, for the steps that follow, the ghhelper of the source that this file
# came with: the one that is in the tool cache already, or the one that CI published
# of exactly this source, if that is proven, or one that is built here. Reads TOOLS
# and GH_TOKEN; writes the outputs path and version.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=actions/_lib/annotate.sh
source "$here/annotate.sh"
# shellcheck source=actions/_lib/sha256.sh
source "$here/sha256.sh"

# Only the proof of what was published takes the token: no build sees it.
token=${GH_TOKEN:-}
unset GH_TOKEN

need_go() { command -v go >/dev/null || refuse "no command go found on PATH: run actions/setup-go in a step before this one"; }

case ${TOOLS:-} in
  true | ko) need_go ;;
  false) ;;
  *) refuse "input tools is \"${TOOLS:-}\", want \"true\", \"ko\" or \"false\"" ;;
esac

source=$(bash "$here/source.sh" 2>&1) || refuse "$source"
os=$(uname -s | tr '[:upper:]' '[:lower:]')
arch=$(uname -m)
case $arch in
  x86_64) arch=amd64 ;;
  aarch64) arch=arm64 ;;
esac

# whole tells whether a ghhelper was written to its end, and is of this source.
whole() {
  [[ -x $1 && -f $1.sha256 && $(sha256 - <"$1") == "$(<"$1.sha256")" && $("$1" --version) == "ghhelper source $source "* ]]
}

# Other jobs of the machine may do the same at the same time: what has its final
# name is never written to.
cache=${RUNNER_TOOL_CACHE:-}
[[ -n $cache && -w $cache ]] || cache=${RUNNER_TEMP:?}
kept=$cache/ghhelper/$source/$os-$arch
mkdir -p "$kept"
if whole "$kept/ghhelper"; then
  echo "ghhelper is in the tool cache already"
else
  new=$(mktemp -d "$kept/new.XXXXXX")
  trap 'rm -rf "$new"' EXIT
  if ! GH_TOKEN=$token bash "$here/prebuilt.sh" "$source" "$os-$arch" "$new/ghhelper"; then
    need_go
    bash "$here/build.sh" "$os" "$arch" "$new/ghhelper"
  fi
  sha256 - <"$new/ghhelper" >"$new/ghhelper.sha256"
  whole "$new/ghhelper" || refuse "what was built says \"$("$new/ghhelper" --version)\", want source $source"
  mv -f "$new/ghhelper.sha256" "$new/ghhelper" "$kept"
fi

bin=${RUNNER_TEMP:?}/ghhelper/bin
mkdir -p "$bin"
ln -sf "$kept/ghhelper" "$bin/ghhelper"
case $TOOLS in
  true) make --no-print-directory -C "$here/../.." release-tools bin="$bin" ;;
  ko) make --no-print-directory -C "$here/../.." image-tools bin="$bin" ;;
esac

version=$("$bin/ghhelper" --version)
echo "$version"
echo "$bin" >>"$GITHUB_PATH"
{
  echo "path=$bin"
  echo "version=${version#ghhelper }"
} >>"$GITHUB_OUTPUT"
