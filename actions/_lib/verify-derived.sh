#!/usr/bin/env bash
# verify-derived.sh [COMMAND WORD…] checks that derived files in git are up to date.
# It runs the command in a copy of the checked out commit and fails if files change
# there. Without arguments it reads the command from COMMAND, split at spaces. The
# command runs in the folder DIRECTORY of the copy; the checkout itself is not touched.
# Exit codes: 0 fresh, 1 stale, 2 wrong usage, 3 the command failed.
set -euo pipefail

# shellcheck source=actions/_lib/annotate.sh
source "$(dirname "${BASH_SOURCE[0]}")/annotate.sh"

# stop CODE TEXT exits with an annotation on a runner, or a message in a terminal.
stop() {
  if [[ ${GITHUB_ACTIONS:-} == true ]]; then annotate "$2"; else printf 'verify-derived: %s\n' "$2" >&2; fi
  exit "$1"
}

# print_diff prints the diff, with workflow commands disabled on a runner.
print_diff() {
  local token=${copy##*/}
  [[ ${GITHUB_ACTIONS:-} != true ]] || echo "::stop-commands::$token"
  git -C "$copy/tree" --no-pager diff --cached --no-ext-diff "$commit"
  [[ ${GITHUB_ACTIONS:-} != true ]] || echo "::$token::"
}

command=("$@")
if [[ $# -eq 0 ]]; then
  read -r -d '' -a command <<<"${COMMAND:-}" || true # read returns 1 at the end of its input
fi
[[ ${#command[@]} -gt 0 ]] || stop 2 "no command: the input command is empty, want one that derives files, such as \"make all-generated\""

unset GIT_DIR GIT_WORK_TREE GIT_INDEX_FILE GIT_PREFIX # git sets them in hooks
directory=${DIRECTORY:-.}
top=$(git -C "$directory" rev-parse --show-toplevel) || stop 2 "directory \"$directory\" is not in a clone of a repository"
below=$(git -C "$directory" rev-parse --show-prefix)
commit=$(git -C "$top" rev-parse --verify --quiet 'HEAD^{commit}') || stop 2 "\"$top\" has no commit yet"
changed=$(git -C "$top" status --porcelain --untracked-files=no)
[[ -z $changed ]] || stop 2 "must be invoked in a state where the git status is clean: commit or stash the changes in $top:
$changed"

copy=$(mktemp -d "${RUNNER_TEMP:-${TMPDIR:-/tmp}}/verify-derived.XXXXXXXX")
# A failed cleanup must not change the exit code.
trap 'chmod -R u+w "$copy" && rm -rf "$copy" || true' EXIT
git clone --quiet --shared --no-checkout "$top" "$copy/tree"
git -C "$copy/tree" checkout --quiet --detach "$commit"

status=0
(cd "$copy/tree/$below" && exec "${command[@]}") </dev/null || status=$?
[[ $status -eq 0 ]] || stop 3 "could not derive: ${command[*]} ended with exit code $status"

git -C "$copy/tree" add --all # includes new and deleted files
stale=$(git -C "$copy/tree" diff --cached --name-only "$commit")
if [[ -n $stale ]]; then
  print_diff
  stop 1 "stale (diff above): ${stale//$'\n'/, }; run ${SHOWN:-${command[*]}} and commit the result"
fi
echo "verify-derived: ${SHOWN:-${command[*]}} changes nothing at ${commit:0:12}"
