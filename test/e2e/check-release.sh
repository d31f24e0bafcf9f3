#!/usr/bin/env bash
# Looks whether the charts and hooks that a release has published are, byte for
# byte, what its git tag makes of them. Needs ghhelper, helm and curl, and the tag
# checked out. Exit codes: 0 all are, 1 one is not, 2 wrong usage, 3 could not look.
set -euo pipefail

stop() {
  printf 'check-release.sh: %s\n' "$2" >&2
  exit "$1"
}

(($# == 1)) || stop 2 "usage: check-release.sh VERSION"
version=${1#v}
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
tagged=$(git rev-parse --verify --quiet "refs/tags/v$version^{commit}") || stop 2 "there is no git tag v$version here"
[[ $(git rev-parse HEAD) == "$tagged" ]] || stop 2 "v$version is not what is checked out: git checkout v$version"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
ghhelper stamp "$version" --out "$work/made" >/dev/null || stop 3 "ghhelper could not stamp $version"

differs=""
# compare FILE: what was made of it and what was published.
compare() {
  if cmp -s "$work/made/$1" "$work/published/$1"; then
    printf 'the same: %s\n' "$1"
  else
    differs=true
    printf 'check-release.sh: the published %s is not what v%s makes of it\n' "$1" "$version" >&2
  fi
}

mkdir "$work/published"
for made in "$work/made"/*.tgz; do
  chart=$(basename "$made" "-$version.tgz")
  helm pull "oci://ghcr.io/kubestellar/kubestellar/$chart" --version "$version" --destination "$work/published" >/dev/null ||
    stop 3 "could not fetch the chart $chart $version"
  compare "$chart-$version.tgz"
done
for made in "$work/made"/*.yaml; do
  hook=$(basename "$made")
  curl -fsSL --output "$work/published/$hook" "https://github.com/kubestellar/actions/releases/download/v$version/$hook" ||
    stop 3 "could not fetch the hook $hook of v$version"
  compare "$hook"
done
[[ -z $differs ]] || exit 1
