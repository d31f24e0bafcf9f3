#!/usr/bin/env bash
# Adds a context for each KubeFlex control plane to your kubeconfig, named after the
# control plane. It needs only kubectl and bash, and can be piped into bash.
set -euo pipefail

usage() {
  cat <<'END'
usage: import-cp-contexts.sh [--context NAME] [--kubeconfig FILE] [--overwrite] [CONTROLPLANE...]

Adds a context for each of the named control planes (default: all) to a kubeconfig.
The current context does not change.

  --context NAME     the context of the hosting cluster (default: the current one)
  --kubeconfig FILE  the kubeconfig to read and extend
                     (default: the first file in $KUBECONFIG, or ~/.kube/config)
  --overwrite        replace a context that has a control plane's name but is for
                     another cluster
END
}

fail() {
  printf 'import-cp-contexts.sh: %s\n' "$*" >&2
  exit 1
}

misused() {
  printf 'import-cp-contexts.sh: %s (see --help)\n' "$*" >&2
  exit 2
}

hosting() { kubectl ${context:+--context "$context"} "$@"; }

controlplanes=controlplanes.tenancy.kflex.kubestellar.org

# secret_of NAME prints a control plane's type, and the namespace, name and key of the
# secret that contains its kubeconfig, separated by |.
secret_of() {
  hosting get "$controlplanes" "$1" --output \
    'jsonpath={.spec.type}|{.status.secretRef.namespace}|{.status.secretRef.name}|{.status.secretRef.key}'
}

# entries NAME FILE prints a kubeconfig with the cluster and user of FILE's current
# context, under the names that kflex uses. The output is JSON, which is valid YAML.
entries() {
  local cluster user
  cluster=$(kubectl --kubeconfig "$2" config view --raw --minify --output 'jsonpath={.clusters[0].cluster}')
  user=$(kubectl --kubeconfig "$2" config view --raw --minify --output 'jsonpath={.users[0].user}')
  [[ $cluster == "{"* && $user == "{"* ]] || fail "control plane $1: the kubeconfig in its secret has no cluster or no user, want both"
  printf '{"apiVersion":"v1","kind":"Config","clusters":[{"name":"%s-cluster","cluster":%s}],"users":[{"name":"%s-admin","user":%s}],' \
    "$1" "$cluster" "$1" "$user"
  printf '"contexts":[{"name":"%s","context":{"cluster":"%s-cluster","user":"%s-admin"}}]}\n' "$1" "$1" "$1"
}

# host_entry NAME prints a kubeconfig for a control plane of type host, which is the
# hosting cluster itself.
host_entry() {
  local same
  same=$(hosting config view --minify --output 'jsonpath={.contexts[0].context}')
  printf '{"apiVersion":"v1","kind":"Config","contexts":[{"name":"%s","context":%s}]}\n' "$1" "$same"
}

# cluster_of NAME FILE prints the cluster of the context NAME, or nothing if there is none.
cluster_of() {
  kubectl --kubeconfig "$2" config view --output \
    "go-template={{range .contexts}}{{if eq .name \"$1\"}}{{.context.cluster}}{{end}}{{end}}"
}

# fetch NAME writes the kubeconfig for a control plane to $work/NAME.
fetch() {
  local found type namespace secret key before after
  found=$(secret_of "$1")
  IFS='|' read -r type namespace secret key <<<"$found"
  if [[ $type == host ]]; then
    host_entry "$1" >"$work/$1"
  elif [[ -z $namespace || -z $secret || ! $key =~ ^[A-Za-z0-9._-]+$ ]]; then
    fail "control plane $1 has no kubeconfig yet; wait until kubectl get controlplanes shows it as ready"
  else
    hosting --namespace "$namespace" get secret "$secret" --output "go-template={{index .data \"$key\" | base64decode}}" >"$work/$1.secret"
    entries "$1" "$work/$1.secret" >"$work/$1"
  fi
  before=$(cluster_of "$1" "$file")
  after=$(cluster_of "$1" "$work/$1")
  if [[ -n $before && $before != "$after" && -z $overwrite ]]; then
    fail "$file already has a context $1 for the cluster $before, want none or one for $after: rename it, or use --overwrite"
  fi
}

# merge NAME… merges the fetched kubeconfigs and then the file, because the first entry
# of a name wins. The result is written to a temporary file and renamed.
merge() {
  local list="" plane
  for plane in "$@"; do list+="$work/$plane:"; done
  mkdir -p "$(dirname "$file")"
  next=$(mktemp "$file.XXXXXX")
  if ! KUBECONFIG="$list$file" kubectl config view --raw >"$next"; then
    fail "merging into $file failed; the file is unchanged"
  fi
  mv -f "$next" "$file" && next=""
}

# follow FILE prints the target of a symbolic link, so that the link itself is kept.
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
        [[ -n ${2:-} ]] || misused "$1 has no value, want one"
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
    ((${#planes[@]})) || fail "the cluster has no control planes, want at least one: is this the right context (--context)?"
  fi
  umask 077
  work=$(mktemp -d)
  next="" # merge's temporary file, which contains credentials
  trap 'rm -rf "$work"; [[ -z $next ]] || rm -f "$next"' EXIT
  trap 'exit 130' INT
  trap 'exit 143' TERM
  for plane in "${planes[@]}"; do fetch "$plane"; done
  merge "${planes[@]}"
  printf 'context %s\n' "${planes[@]}"
}

# The whole script is in functions, so a truncated download runs nothing.
main "$@"
