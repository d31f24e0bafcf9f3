# shellcheck shell=bash

# sha256 [FILE…] prints hashes like sha256sum, which macOS lacks.
sha256() {
  if command -v sha256sum >/dev/null; then sha256sum "$@"; else shasum -a 256 "$@"; fi
}
