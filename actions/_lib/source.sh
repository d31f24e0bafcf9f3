#!/usr/bin/env bash
# source.sh prints the source hash of ghhelper: the SHA-256, in hexadecimal, over all
# files that it is built from. Commits in which these files are equal share one hash.
set -euo pipefail
export LC_ALL=C # sort order must not depend on the machine

cd "$(dirname "${BASH_SOURCE[0]}")/../.."
# shellcheck source=actions/_lib/sha256.sh
source actions/_lib/sha256.sh

fail() {
  echo "source.sh: $1" >&2
  exit 1
}

files=()
# build.sh is included because its flags change the binary.
for top in go.mod go.sum actions/_lib/build.sh cmd/ghhelper internal; do
  found=$(find "$top" -name testdata -prune -o ! -type d ! -name '*_test.go' -print) || fail "cannot list $top in $PWD"
  [[ -n $found ]] || fail "no files below $top in $PWD, want the source of ghhelper"
  while IFS= read -r file; do
    [[ -f $file && ! -L $file ]] || fail "\"$file\" is not a regular file, want one: the hash does not cover the target of a link"
    files+=("$file")
  done <<<"$found"
done

hashes=$(sha256 "${files[@]}" | sort)
printf '%s\n' "$hashes" | sha256 | cut -d ' ' -f 1
