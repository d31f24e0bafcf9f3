#!/usr/bin/env bash
# Delivers an object from a WDS to workload execution clusters of setup-kubestellar.sh,
# and removes it again.
set -euo pipefail

wds=wds1
timeout=${TIMEOUT:-600} # seconds, for each step

if (($# == 0)); then
  echo "usage: check-delivery.sh CONTEXT...   (of the clusters that $wds delivers to)" >&2
  exit 2
fi

# settle WHAT COMMAND ARG... runs the command until it succeeds.
settle() {
  local end=$((SECONDS + timeout))
  until "${@:2}" >/dev/null 2>&1; do
    if ((SECONDS >= end)); then
      printf 'check-delivery.sh: %s: not within %ss; the last output of %s:\n' "$1" "$timeout" "$2" >&2
      "${@:2}" >&2 || true # for its output
      exit 1
    fi
    sleep 5
  done
  printf 'seen: %s\n' "$1"
}

object() { kubectl --context "$1" --namespace e2e-hello get configmap hello --output name; }
gone() {
  local found
  found=$(kubectl --context "$1" --namespace e2e-hello get configmap hello --ignore-not-found --output name) && [[ -z $found ]]
}

kubectl --context "$wds" apply --filename - <<'END'
apiVersion: control.kubestellar.io/v1alpha1
kind: BindingPolicy
metadata:
  name: e2e-hello
spec:
  clusterSelectors:
  - matchLabels: {location-group: edge}
  downsync:
  - objectSelectors:
    - matchLabels: {app.kubernetes.io/name: e2e-hello}
---
apiVersion: v1
kind: Namespace
metadata:
  name: e2e-hello
  labels: {app.kubernetes.io/name: e2e-hello}
---
apiVersion: v1
kind: ConfigMap
metadata:
  name: hello
  namespace: e2e-hello
  labels: {app.kubernetes.io/name: e2e-hello}
END
for cluster in "$@"; do settle "delivered to $cluster" object "$cluster"; done
kubectl --context "$wds" --namespace e2e-hello delete configmap hello
for cluster in "$@"; do settle "taken from $cluster" gone "$cluster"; done
kubectl --context "$wds" delete bindingpolicies e2e-hello
