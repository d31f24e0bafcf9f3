#!/usr/bin/env bash
# source.sh prints the source hash of ghhelper: the SHA-256, in hexadecimal, of all
# that it is built from. Two commits in which these files are the same have the same.
set -euo pipefail
export LC_ALL=C # one order everywhere

cd "$(dirname "${BASH_SOURCE[0]}")/../.."
# shellcheck source=actions/_lib/sha256.sh
source actions/_lib/sha256.sh

fail() {
  echo "source.sh: $1" >&2
  exit 1
}

files=()
# The script that builds is among them: its flags decide about the bytes, too.
for top in go.mod go.sum actions/_lib/build.sh cmd/ghhelper internal; do
  found=$(find "$top" -name testdata -prune -o ! -type d ! -name '*_test.go' -print) || fail "cannot list $top in $PWD"
  [[ -n $found ]] || fail "there is no file below $top in $PWD, want the source of ghhelper"
  while IFS= read -r file; do
    [[ -f $file && ! -L $file ]] || fail "\"$file\" is no regular file, want one: what a link leads to is not held by the hash"
    files+=("$file")
  done <<<"$found"
done

hashes=$(sha256 "${files[@]}" | sort)
printf '%s\n' "$hashes" | sha256 | cut -d ' ' -f 1
