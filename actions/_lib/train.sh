#!/usr/bin/env bash
# train.sh release|publish runs that command of ghhelper in the caller's repository for
# VERSION (default: the pushed tag), with --allow-private if ALLOW_PRIVATE is "true".
# ghhelper annotates errors and writes the job's summary.
# Writes the outputs version and report-path even if the release stopped half way, and
# subjects (the file that lists what to attest) only if everything is published.
set -euo pipefail

# shellcheck source=actions/_lib/annotate.sh
source "$(dirname "${BASH_SOURCE[0]}")/annotate.sh"
# shellcheck source=actions/_lib/pushed.sh
source "$(dirname "${BASH_SOURCE[0]}")/pushed.sh"

command=$1
version=$(pushed_version)
[[ -n $version ]] || no_version

options=()
case ${ALLOW_PRIVATE:-false} in
true) options=(--allow-private) ;;
false) ;;
*) refuse "input allow-private is \"$ALLOW_PRIVATE\", want \"true\" or \"false\"" ;;
esac

report=$(mktemp -d "${RUNNER_TEMP:?}/ghhelper-report.XXXXXX")
status=0
ghhelper "$command" --report "$report" ${options[@]+"${options[@]}"} -- "$version" || status=$?

# ghhelper writes a report once it has accepted the version.
if [[ -f $report/report.md ]]; then
  {
    [[ $version =~ [0-9]+\.[0-9].*$ ]] && version=${BASH_REMATCH[0]} # without the rest of a git tag
    echo "version=${version#v}"
    echo "report-path=$report"
  } >>"$GITHUB_OUTPUT"
fi
if [[ $status -eq 0 && -f $report/subjects.txt ]]; then
  echo "subjects=$report/subjects.txt" >>"$GITHUB_OUTPUT"
fi
exit "$status"
