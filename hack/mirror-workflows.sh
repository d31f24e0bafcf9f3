#!/usr/bin/env bash
# mirror-workflows.sh REPOSITORY REF DIRECTORY writes copies of the reusable workflows
# into DIRECTORY. The copies call the actions of REPOSITORY (owner/name) at REF, a commit
# or a full version, instead of $/actions/NAME. They are for act and for Enterprise
# servers, which do not support $/.
set -euo pipefail

usage() {
  echo "mirror-workflows: $1; usage: hack/mirror-workflows.sh OWNER/NAME REF DIRECTORY" >&2
  exit 2
}

[[ $# -eq 3 ]] || usage "saw $# arguments, want 3"
[[ $1 =~ ^[A-Za-z0-9_-]+/[A-Za-z0-9._-]+$ ]] || usage "saw repository \"$1\", want OWNER/NAME"
[[ $2 =~ ^([0-9a-f]{40}|v[0-9]+\.[0-9]+\.[0-9]+[0-9A-Za-z.-]*)$ ]] || usage "saw ref \"$2\", want a full commit or vX.Y.Z: other refs can move"

mkdir -p "$3"
source=$(dirname "${BASH_SOURCE[0]}")/../.github/workflows
[[ ! $3 -ef $source ]] || usage "saw the folder \"$3\", which contains the originals, want another one"
for workflow in "$source"/reusable-*.yml; do
  copy=$3/${workflow##*/}
  sed -E "s|(uses: )\\\$(/actions/[a-z-]+)\$|\\1$1\\2@$2|" "$workflow" >"$copy"
  if cmp -s "$workflow" "$copy" || grep -n 'uses: [$]/' "$copy"; then
    echo "mirror-workflows: $workflow: some calls of \$/ were not rewritten (see above), want all of them" >&2
    exit 1
  fi
done
