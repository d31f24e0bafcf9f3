# shellcheck shell=bash

# pushed_version prints VERSION, or the pushed tag if VERSION is empty, or nothing if
# both are unset.
pushed_version() {
  if [[ -n ${VERSION:-} ]]; then
    printf '%s\n' "$VERSION"
  elif [[ ${GITHUB_REF_TYPE:-} == tag ]]; then
    printf '%s\n' "$GITHUB_REF_NAME"
  fi
}

# no_version refuses a run without a version.
no_version() {
  refuse "no version: the input version is empty and the run's ref, ${GITHUB_REF:-empty}, is not a tag; set the input, or run the workflow when a tag v* is pushed"
}
