#!/usr/bin/env bash
# Puts ghhelper on PATH for the steps that follow. The binary always matches the source
# of this checkout. It comes from the first of these that has it:
#   1. the runner's tool cache
#   2. CI's published binary, if its provenance is proven (not if GHHELPER_PREBUILT=false)
#   3. a local build
# Reads TOOLS, GH_TOKEN and GHHELPER_PREBUILT, and writes the outputs path and version.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=actions/_lib/annotate.sh
source "$here/annotate.sh"
# shellcheck source=actions/_lib/sha256.sh
source "$here/sha256.sh"

# Only the check of the provenance needs the token. Builds must not see it.
token=${GH_TOKEN:-}
unset GH_TOKEN

need_go() { command -v go >/dev/null || refuse "no command go found on PATH: run actions/setup-go in a step before this one"; }

case ${TOOLS:-} in
  true | ko) need_go ;;
  false) ;;
  *) refuse "input tools is \"${TOOLS:-}\", want \"true\", \"ko\" or \"false\"" ;;
esac

# In a locale that the machine lacks, bash prints a warning, which would be in $source.
source=$(LC_ALL=C bash "$here/source.sh" 2>&1) || refuse "$source"
os=$(uname -s | tr '[:upper:]' '[:lower:]')
arch=$(uname -m)
case $arch in
  x86_64) arch=amd64 ;;
  aarch64) arch=arm64 ;;
  armv[67]l) arch=arm ;;
  i?86) arch=386 ;;
esac

# whole FILE reports whether a ghhelper is complete and built from this source.
whole() {
  [[ -x $1 && -f $1.sha256 && $(sha256 - <"$1") == "$(<"$1.sha256")" && $("$1" --version) == "ghhelper source $source "* ]]
}

# prebuilt FILE downloads CI's binary, unless GHHELPER_PREBUILT=false.
prebuilt() {
  if [[ ${GHHELPER_PREBUILT:-} == false ]]; then
    echo "no prebuilt ghhelper is used: GHHELPER_PREBUILT is \"false\""
    return 1
  fi
  GH_TOKEN=$token bash "$here/prebuilt.sh" "$source" "$os-$arch" "$1"
}

# Other jobs on the machine may run this at the same time, so files are written under
# temporary names and renamed.
kept=${RUNNER_TOOL_CACHE:-}/ghhelper/$source/$os-$arch
if [[ -z ${RUNNER_TOOL_CACHE:-} ]] || ! mkdir -p "$kept" 2>/dev/null || [[ ! -w $kept ]]; then
  kept=${RUNNER_TEMP:?}/ghhelper/$source/$os-$arch
  mkdir -p "$kept"
fi
if whole "$kept/ghhelper"; then
  echo "ghhelper is in the tool cache already"
else
  new=$(mktemp -d "$kept/new.XXXXXX")
  trap 'rm -rf "$new"' EXIT
  if ! prebuilt "$new/ghhelper"; then
    need_go
    bash "$here/build.sh" "$os" "$arch" "$new/ghhelper"
  fi
  sha256 - <"$new/ghhelper" >"$new/ghhelper.sha256"
  whole "$new/ghhelper" || refuse "the new ghhelper prints the version \"$("$new/ghhelper" --version)\", want source $source"
  mv -f "$new/ghhelper.sha256" "$new/ghhelper" "$kept"
fi

bin=${RUNNER_TEMP:?}/ghhelper/bin
mkdir -p "$bin"
ln -sf "$kept/ghhelper" "$bin/ghhelper"
# make builds the tools in the checkout. The runner prepends each folder to PATH, so
# the last one is searched first.
case $TOOLS in
  true) make --no-print-directory -C "$here/../.." release-tools ;;
  ko) make --no-print-directory -C "$here/../.." image-tools ;;
esac
[[ $TOOLS == false ]] || (cd "$here/../../.tools/bin" && pwd) >>"$GITHUB_PATH"

version=$("$bin/ghhelper" --version)
echo "$version"
echo "$bin" >>"$GITHUB_PATH"
{
  echo "path=$bin"
  echo "version=${version#ghhelper }"
} >>"$GITHUB_OUTPUT"
