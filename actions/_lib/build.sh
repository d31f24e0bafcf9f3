#!/usr/bin/env bash
# build.sh OS ARCH FILE builds ghhelper from this checkout for a platform, in Go's
# names. The build is reproducible: the same source gives the same bytes on every
# machine, so a local build equals the published one.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/../.."
source=$(bash actions/_lib/source.sh)

# The toolchain is pinned with the source. Any other installed Go downloads it.
toolchain=$(awk '$1 == "toolchain" { print $2 }' go.mod)
if [[ -z $toolchain ]]; then
  echo "build.sh: go.mod has no line \"toolchain go1.x.y\", want one: it selects the Go that builds ghhelper" >&2
  exit 1
fi

unset GOEXPERIMENT
export GOTOOLCHAIN=$toolchain GOFLAGS=-mod=readonly GOWORK=off CGO_ENABLED=0 GOAMD64=v1 GOARM64=v8.0 GOFIPS140=off
GOOS=$1 GOARCH=$2 go build -trimpath -buildvcs=false -ldflags "-s -w -funcalign=16 -X main.sourceHash=$source" -o "$3" ./cmd/ghhelper
