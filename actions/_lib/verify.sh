#!/usr/bin/env bash
# Runs ghhelper verify in the caller's repository. Reads ALLOW_UNCHECKED.
set -euo pipefail

here=$(dirname "${BASH_SOURCE[0]}")
# shellcheck source=actions/_lib/annotate.sh
source "$here/annotate.sh"
# shellcheck source=actions/_lib/unchecked.sh
source "$here/unchecked.sh"

run_checks ghhelper verify
