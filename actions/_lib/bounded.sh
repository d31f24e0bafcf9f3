# shellcheck shell=bash

# bounded SECONDS COMMAND… runs a command like timeout, which macOS lacks.
bounded() {
  local command status=0
  "${@:2}" &
  command=$!
  # The trap kills sleep, which would otherwise outlive the step.
  (sleep "$1" & trap 'kill $!' TERM; wait $! && kill "$command") >/dev/null 2>&1 &
  wait "$command" || status=$?
  kill $! 2>/dev/null || true # the timer has already exited if it killed the command
  return "$status"
}
