#!/usr/bin/env bash
# mirror-workflows.sh REPOSITORY REF DIRECTORY writes copies of the reusable workflows
# into DIRECTORY that call the actions of REPOSITORY (owner/name) at REF, a commit or a
# full version, in place of those beside them ($/). An Enterprise server, whose runners
# do not know $/, takes such copies; so does act.
set -euo pipefail

usage() {
  echo "mirror-workflows: $1; usage: hack/mirror-workflows.sh OWNER/NAME REF DIRECTORY" >&2
  exit 2
}

[[ $# -eq 3 ]] || usage "saw $# arguments, want 3"
[[ $1 =~ ^[A-Za-z0-9_-]+/[A-Za-z0-9._-]+$ ]] || usage "saw repository \"$1\", want OWNER/NAME"
[[ $2 =~ ^([0-9a-f]{40}|v[0-9]+\.[0-9]+\.[0-9]+[0-9A-Za-z.-]*)$ ]] || usage "saw ref \"$2\", want a full commit or vX.Y.Z: nothing else lasts"

mkdir -p "$3"
source=$(dirname "${BASH_SOURCE[0]}")/../.github/workflows
[[ ! $3 -ef $source ]] || usage "saw the folder \"$3\", which holds what is copied, want another"
for workflow in "$source"/reusable-*.yml; do
  copy=$3/${workflow##*/}
  sed -E "s|(uses: )\\\$(/actions/[a-z-]+)\$|\\1$1\\2@$2|" "$workflow" >"$copy"
  if cmp -s "$workflow" "$copy" || grep -n 'uses: [$]/' "$copy"; then
    echo "mirror-workflows: $workflow: not all that it calls by \$/ was rewritten, want each" >&2
    exit 1
  fi
done
