# shellcheck shell=bash

# run_checks COMMAND… ends the script as the command does, but well where the
# command ended with 3 and ALLOW_UNCHECKED is "true": nothing was found wrong, and
# something could not be checked.
run_checks() {
  case ${ALLOW_UNCHECKED:-} in
    true | false) ;;
    *) refuse "input allow-unchecked is \"${ALLOW_UNCHECKED:-}\", want \"true\" or \"false\"" ;;
  esac
  local status=0
  "$@" || status=$?
  if [[ $status -eq 3 && $ALLOW_UNCHECKED == true ]]; then
    exit 0
  fi
  exit "$status"
}
