# shellcheck shell=bash

# pushed_version prints VERSION or, if that is empty, the tag that was pushed;
# nothing, if neither is there.
pushed_version() {
  if [[ -n ${VERSION:-} ]]; then
    printf '%s\n' "$VERSION"
  elif [[ ${GITHUB_REF_TYPE:-} == tag ]]; then
    printf '%s\n' "$GITHUB_REF_NAME"
  fi
}

# no_version ends the script where there must be one.
no_version() {
  refuse "no version: the input version is empty and ${GITHUB_REF:-this run} is no tag; give the input, or run this when a tag v* is pushed"
}
