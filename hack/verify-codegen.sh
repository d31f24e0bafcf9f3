#!/usr/bin/env bash
# Says whether all that is derived in this repository is fresh, from any folder.
# The git status must be clean. Nothing is changed but the tools in .tools.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

export DIRECTORY=$root SHOWN="make chart all-generated"
exec bash "$root/actions/_lib/verify-derived.sh" make --no-print-directory bin="$root/.tools/bin" chart all-generated
