#!/usr/bin/env bash
# Says whether all that is derived in this repository is fresh, from any folder.
# The git status must be clean. Nothing is changed but the tools in .tools.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

export DIRECTORY=$root SHOWN="make chart all-generated" TOOLS=$root/.tools/bin
mkdir -p "$TOOLS"
# shellcheck disable=SC2016 # the copy's shell expands it
exec bash "$root/actions/_lib/verify-derived.sh" bash -euc \
  'mkdir .tools && ln -s "$TOOLS" .tools/bin && make --no-print-directory chart all-generated'
