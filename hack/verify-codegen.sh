#!/usr/bin/env bash
# Checks that all derived files in this repository are up to date. It can run in any
# folder. The git status must be clean. It changes nothing except the tools in .tools.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

export DIRECTORY=$root SHOWN="make chart all-generated" TOOLS=$root/.tools/bin
mkdir -p "$TOOLS"
# shellcheck disable=SC2016 # the copy's shell expands it
exec bash "$root/actions/_lib/verify-derived.sh" bash -euc \
  'mkdir .tools && ln -s "$TOOLS" .tools/bin && make --no-print-directory chart all-generated'
