# shellcheck shell=bash

# bounded SECONDS COMMAND… is timeout, which macOS does not have.
bounded() {
  local command status=0
  "${@:2}" &
  command=$!
  # Without its sleep, which would outlive the step.
  (sleep "$1" & trap 'kill $!' TERM; wait $! && kill "$command") >/dev/null 2>&1 &
  wait "$command" || status=$?
  kill $! 2>/dev/null || true # it has ended by itself where the time was over
  return "$status"
}
