#!/usr/bin/env bash
# verify-derived.sh [COMMAND WORD…] says whether files that are derived from
# others are what is derived: it runs the command in a copy of the commit that is
# checked out around DIRECTORY and looks at what changed there. Without arguments
# the command is COMMAND, whose words spaces separate. Nothing is written here.
# Exit codes are ghhelper's: 0 fresh, 1 stale, 2 wrong usage, 3 the command failed.
set -euo pipefail

# shellcheck source=actions/_lib/annotate.sh
source "$(dirname "${BASH_SOURCE[0]}")/annotate.sh"

# stop CODE TEXT ends the script, on a runner and in a terminal.
stop() {
  if [[ ${GITHUB_ACTIONS:-} == true ]]; then annotate "$2"; else printf 'verify-derived: %s\n' "$2" >&2; fi
  exit "$1"
}

# print_diff has the runner take nothing in a diff for a command to itself.
print_diff() {
  local token=${copy##*/}
  [[ ${GITHUB_ACTIONS:-} != true ]] || echo "::stop-commands::$token"
  git -C "$copy/tree" --no-pager diff --cached --no-ext-diff "$commit"
  [[ ${GITHUB_ACTIONS:-} != true ]] || echo "::$token::"
}

command=("$@")
if [[ $# -eq 0 ]]; then
  read -r -d '' -a command <<<"${COMMAND:-}" || true # at the end of what it reads, read says 1
fi
[[ ${#command[@]} -gt 0 ]] || stop 2 "no command: the input command is empty, want one that derives, such as \"make all-generated\""

unset GIT_DIR GIT_WORK_TREE GIT_INDEX_FILE GIT_PREFIX # a hook has them, of its own repository
directory=${DIRECTORY:-.}
top=$(git -C "$directory" rev-parse --show-toplevel) || stop 2 "directory \"$directory\" is in no clone of a repository"
below=$(git -C "$directory" rev-parse --show-prefix)
commit=$(git -C "$top" rev-parse --verify --quiet 'HEAD^{commit}') || stop 2 "\"$top\" has no commit yet"
changed=$(git -C "$top" status --porcelain --untracked-files=no)
[[ -z $changed ]] || stop 2 "must be invoked in a state where the git status is clean: commit or stash what differs from HEAD in $top:
$changed"

copy=$(mktemp -d "${RUNNER_TEMP:-${TMPDIR:-/tmp}}/verify-derived.XXXXXXXX")
# What cannot be cleared away must not change what was found out.
trap 'chmod -R u+w "$copy" && rm -rf "$copy" || true' EXIT
git clone --quiet --shared --no-checkout "$top" "$copy/tree"
git -C "$copy/tree" checkout --quiet --detach "$commit"

status=0
(cd "$copy/tree/$below" && exec "${command[@]}") </dev/null || status=$?
[[ $status -eq 0 ]] || stop 3 "could not derive: ${command[*]} ended with exit code $status"

git -C "$copy/tree" add --all # what is new or gone, too
stale=$(git -C "$copy/tree" diff --cached --name-only "$commit")
if [[ -n $stale ]]; then
  print_diff
  stop 1 "stale, by the diff above: ${stale//$'\n'/, }; run ${SHOWN:-${command[*]}} and commit what it writes"
fi
echo "verify-derived: ${SHOWN:-${command[*]}} changes nothing at ${commit:0:12}"
