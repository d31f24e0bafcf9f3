#!/usr/bin/env bash
# build.sh OS ARCH FILE builds ghhelper for a platform, as Go names it, from the
# source that this file came with. What comes out depends on that source alone,
# byte for byte, whoever builds it where: what is built here is what is published.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/../.."
source=$(bash actions/_lib/source.sh)

# The toolchain is part of what was pinned; an older or newer Go of the machine
# fetches it.
toolchain=$(awk '$1 == "toolchain" { print $2 }' go.mod)
if [[ -z $toolchain ]]; then
  echo "build.sh: go.mod has no line \"toolchain go1.x.y\", want one: it says what ghhelper is built with" >&2
  exit 1
fi

unset GOEXPERIMENT
export GOTOOLCHAIN=$toolchain GOFLAGS=-mod=readonly GOWORK=off CGO_ENABLED=0 GOAMD64=v1 GOARM64=v8.0 GOFIPS140=off
GOOS=$1 GOARCH=$2 go build -trimpath -buildvcs=false -ldflags "-s -w -funcalign=16 -X main.sourceHash=$source" -o "$3" ./cmd/ghhelper
