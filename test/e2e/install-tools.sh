#!/usr/bin/env bash
# Installs the tools of the set-up except kind, kubectl and helm, for linux/amd64.
set -euo pipefail

if (($# != 1)); then
  echo "usage: install-tools.sh DIR   (a folder on PATH)" >&2
  exit 2
fi
mkdir -p "$1"
curl -fsSL https://github.com/kubestellar/kubeflex/releases/download/v0.6.1/kubeflex_0.6.1_linux_amd64.tar.gz |
  tar -xz -C "$1" --strip-components=1 bin/kflex
curl -fsSL https://github.com/open-cluster-management-io/clusteradm/releases/download/v0.8.2/clusteradm_linux_amd64.tar.gz |
  tar -xz -C "$1" clusteradm
"$1/clusteradm" --help >/dev/null
