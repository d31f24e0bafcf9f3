# shellcheck shell=bash

# sha256 [FILE…] prints hashes as sha256sum does, which macOS does not have.
sha256() {
  if command -v sha256sum >/dev/null; then sha256sum "$@"; else shasum -a 256 "$@"; fi
}
