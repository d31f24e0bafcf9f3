#!/usr/bin/env bash
# Adds a context for each KubeFlex control plane to your kubeconfig, named after
# the control plane. Needs kubectl alone, and may be piped into bash.
set -euo pipefail

usage() {
  cat <<'END'
usage: import-cp-contexts.sh [--context NAME] [--kubeconfig FILE] [--overwrite] [CONTROLPLANE...]

Adds a context for each control plane named, or for all of them, to a kubeconfig.
The current context stays what it is.

  --context NAME     the context of the hosting cluster (default: the current one)
  --kubeconfig FILE  the kubeconfig to read and to add to
                     (default: the first file in $KUBECONFIG, or ~/.kube/config)
  --overwrite        replace a context that has a control plane's name and belongs
                     to another cluster
END
}

fail() {
  printf 'import-cp-contexts.sh: %s\n' "$*" >&2
  exit 1
}

misused() {
  printf 'import-cp-contexts.sh: %s; --help says more\n' "$*" >&2
  exit 2
}

hosting() { kubectl ${context:+--context "$context"} "$@"; }

controlplanes=controlplanes.tenancy.kflex.kubestellar.org

# where NAME: the type of a control plane, and the namespace, name and key of the
# secret with its kubeconfig.
where() {
  hosting get "$controlplanes" "$1" --output \
    'jsonpath={.spec.type}|{.status.secretRef.namespace}|{.status.secretRef.name}|{.status.secretRef.key}'
}

# entries NAME FILE: the cluster and the user of a kubeconfig's context, under
# names that are the control plane's own, as kflex has them. JSON is YAML too.
entries() {
  local cluster user
  cluster=$(kubectl --kubeconfig "$2" config view --raw --minify --output 'jsonpath={.clusters[0].cluster}')
  user=$(kubectl --kubeconfig "$2" config view --raw --minify --output 'jsonpath={.users[0].user}')
  [[ $cluster == "{"* && $user == "{"* ]] || fail "control plane $1: its secret holds no kubeconfig with a cluster and a user"
  printf '{"apiVersion":"v1","kind":"Config","clusters":[{"name":"%s-cluster","cluster":%s}],"users":[{"name":"%s-admin","user":%s}],' \
    "$1" "$cluster" "$1" "$user"
  printf '"contexts":[{"name":"%s","context":{"cluster":"%s-cluster","user":"%s-admin"}}]}\n' "$1" "$1" "$1"
}

# host_entry NAME: a context for a control plane that is the hosting cluster.
host_entry() {
  local same
  same=$(hosting config view --minify --output 'jsonpath={.contexts[0].context}')
  printf '{"apiVersion":"v1","kind":"Config","contexts":[{"name":"%s","context":%s}]}\n' "$1" "$same"
}

# cluster_of NAME FILE: the cluster of a kubeconfig's context, if there is one.
cluster_of() {
  kubectl --kubeconfig "$2" config view --output \
    "go-template={{range .contexts}}{{if eq .name \"$1\"}}{{.context.cluster}}{{end}}{{end}}"
}

# fetch NAME: writes what is to be added for one control plane to $work/NAME.
fetch() {
  local found type namespace secret key before after
  found=$(where "$1")
  IFS='|' read -r type namespace secret key <<<"$found"
  if [[ $type == host ]]; then
    host_entry "$1" >"$work/$1"
  elif [[ -z $namespace || -z $secret || ! $key =~ ^[A-Za-z0-9._-]+$ ]]; then
    fail "control plane $1 has no kubeconfig yet: wait until kubectl get controlplanes shows it as ready"
  else
    hosting --namespace "$namespace" get secret "$secret" --output "go-template={{index .data \"$key\" | base64decode}}" >"$work/$1.secret"
    entries "$1" "$work/$1.secret" >"$work/$1"
  fi
  before=$(cluster_of "$1" "$file")
  after=$(cluster_of "$1" "$work/$1")
  if [[ -n $before && $before != "$after" && -z $overwrite ]]; then
    fail "$file has a context $1 already, of cluster $before, want none or one of $after: rename it, or give --overwrite"
  fi
}

# merge: everything that was fetched, and then the file, since the first wins.
# Half a file is never seen: it is written beside the old one and takes its place.
merge() {
  local list="" plane
  for plane in "$@"; do list+="$work/$plane:"; done
  mkdir -p "$(dirname "$file")"
  next=$(mktemp "$file.XXXXXX")
  if ! KUBECONFIG="$list$file" kubectl config view --raw >"$next"; then
    fail "merging into $file failed; it is as it was"
  fi
  mv -f "$next" "$file" && next=""
}

# follow FILE: where a symbolic link leads, so that it stays one.
follow() {
  local at=$1 to
  while [[ -L $at ]]; do
    to=$(readlink "$at")
    if [[ $to == /* ]]; then at=$to; else at=$(dirname "$at")/$to; fi
  done
  printf '%s\n' "$at"
}

main() {
  context="" overwrite="" file=${KUBECONFIG:-$HOME/.kube/config}
  while [[ ${file:0:1} == : ]]; do file=${file#:}; done
  file=${file%%:*}
  local planes=() plane named
  while (($#)); do
    case $1 in
      --context | --kubeconfig)
        [[ -n ${2:-} ]] || misused "$1 is given without a value"
        if [[ $1 == --context ]]; then context=$2; else file=$2 KUBECONFIG=$2 && export KUBECONFIG; fi
        shift
        ;;
      --overwrite) overwrite=true ;;
      --help | -h) usage && exit ;;
      *)
        [[ $1 =~ ^[a-z0-9]([-a-z0-9]*[a-z0-9])?$ ]] || misused "saw \"$1\", want an option or the name of a control plane"
        planes+=("$1")
        ;;
    esac
    shift
  done
  command -v kubectl >/dev/null || fail "no command kubectl found on PATH: see https://kubernetes.io/docs/tasks/tools"
  file=$(follow "$file")

  if ((${#planes[@]} == 0)); then
    named=$(hosting get "$controlplanes" --output 'jsonpath={.items[*].metadata.name}')
    read -r -a planes <<<"$named"
    ((${#planes[@]})) || fail "the cluster has no control planes, want some: is its context the one meant (--context)?"
  fi
  umask 077
  work=$(mktemp -d)
  next="" # holds credentials, too, while it lies beside the file
  trap 'rm -rf "$work"; [[ -z $next ]] || rm -f "$next"' EXIT
  trap 'exit 130' INT
  trap 'exit 143' TERM
  for plane in "${planes[@]}"; do fetch "$plane"; done
  merge "${planes[@]}"
  printf 'context %s\n' "${planes[@]}"
}

# Everything stands in functions, so that half a download runs nothing.
main "$@"
