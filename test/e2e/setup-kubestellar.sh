#!/usr/bin/env bash
# Sets up KubeStellar for end-to-end tests: KubeFlex, an ITS, a WDS, and workload
# execution clusters. It uses a release or local sources.
set -euo pipefail

# Versions that neither the hooks nor the charts name.
KUBEFLEX_VERSION=0.6.1
CLUSTERADM_VERSION=0.8.2
OCM_TRANSPORT_PLUGIN_VERSION=0.1.11

its=its1
wds=wds1
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
PATH=$PATH:$root/.tools/bin # fallback for tools that make builds

usage() {
  cat <<END
usage: setup-kubestellar.sh (--released VERSION | --local) [--env kind|existing]
         [--context NAME] [--wecs NAME,...] [--source DIR] [--timeout SECONDS] [--dry-run]

Installs KubeFlex and creates the ITS $its and the WDS $wds, with contexts of those
names in your kubeconfig, and registers workload execution clusters (WECs) with $its.
The hook ocm is that of the work tree. The hook kubestellar and the chart are those of HEAD.

  --released VERSION  set $wds up with the hook kubestellar, stamped to this release
  --local             build the controller-manager and the transport controller from
                      sources, load them with kind, and install the chart stamped to them
  --env kind          create kind clusters: kubeflex, and one for each WEC (default)
  --env existing      use existing clusters; with --local, the hosting cluster must be
                      a kind cluster, because kind loads the images
  --context NAME      the hosting cluster's context (--env existing; default: the
                      current one)
  --wecs NAME,...     the WECs; with --env existing they are contexts
                      (default: cluster1,cluster2 for kind, none for existing)
  --source DIR        a clone of kubestellar/kubestellar, for --local
                      (default: \$KUBESTELLAR_SOURCE, or kubestellar beside this clone)
  --timeout SECONDS   how long to wait for each thing to become ready (default: 900)
  --dry-run           print the commands without running them
END
}

misused() {
  printf 'setup-kubestellar.sh: %s; see --help\n' "$*" >&2
  exit 2
}

fail() {
  printf 'setup-kubestellar.sh: %s\n' "$*" >&2
  exit 1
}

# Commands are printed before they run: on stderr, or on stdout in a dry run.
exec 3>&2
show() { printf '%s\n' "$*" >&3; }
quoted() {
  local text
  printf -v text ' %q' "$@"
  printf '%s' "${text# }"
}

# failed CODE COMMAND ARG...
failed() {
  printf 'setup-kubestellar.sh: exit code %d of %s\n' "$1" "$(quoted "${@:2}")" >&2
  exit "$1"
}

# run COMMAND ARG...
run() {
  show "$(quoted "$@")"
  [[ -n $dry ]] || "$@" || failed $? "$@"
}

# run_in DIR COMMAND ARG...
run_in() {
  show "(cd $(quoted "$1") && $(quoted "${@:2}"))"
  [[ -n $dry ]] || (cd "$1" && "${@:2}") || failed $? "${@:2}"
}

# run_to FILE COMMAND ARG... writes the command's output to the file.
run_to() {
  show "$(quoted "${@:2}") > $(quoted "$1")"
  [[ -n $dry ]] || "${@:2}" >"$1" || failed $? "${@:2}"
}

# ask ANSWER COMMAND ARG... prints the command's output. A dry run prints ANSWER.
ask() {
  show "$(quoted "${@:2}")"
  if [[ -n $dry ]]; then printf '%s\n' "$1"; else "${@:2}" || failed $? "${@:2}"; fi
}

# settle COMMAND ARG... runs the command until it succeeds. It is needed because kubectl
# wait fails at once if the object does not exist yet.
settle() {
  local end=$((SECONDS + timeout))
  show "$(quoted "$@")"
  until [[ -n $dry ]] || "$@"; do
    ((SECONDS < end)) || fail "gave up after ${timeout}s: $(quoted "$@")"
    sleep 5
  done
}

hosting() { run kubectl --context "$context" "$@"; }
settled() { settle kubectl --context "$context" --namespace "$1-system" wait --timeout "${timeout}s" "${@:2}"; }

# completed PLANE JOB waits for the end of a hook's Job. If the Job failed, it prints the
# log of the last pod.
completed() {
  local end=$((SECONDS + timeout)) in=(kubectl --context "$context" --namespace "$1-system") failed
  local wait=("${in[@]}" wait --timeout 30s --for condition=complete "job/$2")
  show "$(quoted "${wait[@]}")"
  until [[ -n $dry ]] || "${wait[@]}"; do
    failed=$("${in[@]}" get job "$2" --ignore-not-found --output 'jsonpath={.status.conditions[?(@.type=="Failed")].status}') || failed=""
    if [[ $failed == True ]]; then
      "${in[@]}" logs "job/$2" --all-containers --prefix >&2 || true # the job has failed, with or without a log
      fail "the job $2 of $1 has failed permanently; the log of its last pod is above"
    fi
    ((SECONDS < end)) || fail "gave up after ${timeout}s: $(quoted "${wait[@]}")"
    sleep 5
  done
}

is_cluster() { [[ $'\n'$1$'\n' == *$'\n'$2$'\n'* ]]; }

parse() {
  mode="" release="" env=kind context="" wecs="" source=${KUBESTELLAR_SOURCE:-$root/../kubestellar} timeout=900 dry=""
  local wecs_given=""
  while (($#)); do
    case $1 in
      --released | --env | --context | --wecs | --source | --timeout)
        if (($# < 2)) || [[ -z $2 && $1 != --wecs ]]; then misused "$1 is given without a value"; fi
        ;;
    esac
    case $1 in
      --released | --local)
        [[ -z $mode || $mode == "$1" ]] || misused "--released and --local are given, want one of them"
        mode=$1
        if [[ $1 == --released ]]; then release=$2 && shift; fi
        ;;
      --env) env=$2 && shift ;;
      --context) context=$2 && shift ;;
      --wecs) wecs=$2 wecs_given=true && shift ;;
      --source) source=$2 && shift ;;
      --timeout) timeout=$2 && shift ;;
      --dry-run) dry=true ;;
      --help | -h) usage && exit ;;
      *) misused "saw \"$1\", want an option" ;;
    esac
    shift
  done
  [[ -n $mode ]] || misused "want --released VERSION or --local"
  [[ $env == kind || $env == existing ]] || misused "saw --env $env, want kind or existing"
  [[ $timeout =~ ^[0-9]+$ ]] || misused "saw --timeout $timeout, want a number of seconds"
  [[ -z $release || $release =~ ^v?[0-9]+\.[0-9]+\.[0-9]+(-[0-9A-Za-z.-]+)?$ ]] || misused "saw --released $release, want a version such as 1.2.3"
  if [[ $env == kind ]]; then
    [[ -z $context ]] || misused "--context is for --env existing; --env kind has the context kind-kubeflex"
    context=kind-kubeflex
    [[ -n $wecs_given ]] || wecs=cluster1,cluster2
  fi
  [[ $wecs =~ ^([a-z0-9]([-a-z0-9]*[a-z0-9])?(,|$))*$ && $wecs != *, ]] || misused "saw --wecs $wecs, want names of clusters, separated by commas"
  IFS=, read -r -a wec <<<"$wecs"
}

# need COMMAND PURPOSE records a missing command.
need() { command -v "$1" >/dev/null || missing+=("$1, $2"); }

check_tools() {
  local missing=()
  need kubectl "to access the clusters: https://kubernetes.io/docs/tasks/tools"
  need kflex "to install KubeFlex and create control planes: version $KUBEFLEX_VERSION of https://github.com/kubestellar/kubeflex"
  need ghhelper "to stamp the hook or the chart: make build"
  if ((${#wec[@]})); then need clusteradm "to register clusters: version $CLUSTERADM_VERSION of https://github.com/open-cluster-management-io/clusteradm"; fi
  if [[ $env == kind || $mode == --local ]]; then
    need kind "to make clusters and load images: https://kind.sigs.k8s.io"
    need docker "to run kind's clusters: https://docs.docker.com/engine/install"
  fi
  if [[ $mode == --local ]]; then
    need git "to get the transport plugin"
    need go "to build: https://go.dev/dl"
    need ko "to build images: make tools"
    need helm "to install the chart: make tools"
  fi
  ((${#missing[@]})) || return 0
  printf 'setup-kubestellar.sh: no such command on PATH:\n' >&2
  printf '  %s\n' "${missing[@]}" >&2
  exit 1
}

# The transport plugin imports KubeStellar's package pkg/transport/cmd.
check_source() {
  local folder
  for folder in cmd/controller-manager pkg/transport/cmd; do
    [[ -d $source/$folder ]] ||
      fail "--source $source has no folder $folder: want a clone of kubestellar/kubestellar that ocm-transport-plugin $OCM_TRANSPORT_PLUGIN_VERSION can be built with"
  done
  source=$(cd "$source" && pwd)
}

# kflex installs the KubeFlex of its own version.
check_kflex() {
  local installed
  installed=$(ask "Kubeflex version: v$KUBEFLEX_VERSION" kflex version 2>/dev/null) || true # it fails without a cluster
  case $installed in
    "Kubeflex version: v$KUBEFLEX_VERSION" | "Kubeflex version: v$KUBEFLEX_VERSION"[.\ $'\n']*) ;;
    *) fail "kflex version printed \"$installed\", want v$KUBEFLEX_VERSION" ;;
  esac
}

# kflex stores the hosting cluster's context in the kubeconfig, and trusts the entry of an
# older set-up. It therefore gets a kubeconfig of its own.
kubeflex() { run env KUBECONFIG="$work/kubeconfig" kflex "$@" --chatty-status=false; }

set_up_hosting() {
  if [[ $env == existing ]]; then
    run_to "$work/kubeconfig" kubectl config view --raw --flatten --minify --context "$context"
    kubeflex init
    return
  fi
  if is_cluster "$clusters" kubeflex; then run kind export kubeconfig --name kubeflex --kubeconfig "$work/kubeconfig"; fi
  kubeflex init --create-kind
  run kind export kubeconfig --name kubeflex
}

# plane NAME ARG... creates a control plane unless it exists.
plane() {
  local found
  found=$(ask "" kubectl --context "$context" get controlplanes.tenancy.kflex.kubestellar.org "$1" --ignore-not-found --output name)
  if [[ -z $found ]]; then kubeflex create "$@"; fi
}

set_up_its() {
  hosting apply --filename "$root/config/postcreate-hooks/ocm.yaml"
  plane "$its" --type vcluster --postcreate-hook ocm
  completed "$its" ocm
}

set_up_released_wds() {
  hosting apply --filename "$work/stamped/kubestellar.yaml"
  plane "$wds" --type k8s --postcreate-hook kubestellar --set "ITSName=$its"
  completed "$wds" kubestellar
}

set_up_local_wds() {
  plane "$wds" --type k8s
  hosting label controlplanes.tenancy.kflex.kubestellar.org "$wds" kflex.kubestellar.io/cptype=wds --overwrite
  run helm upgrade --install kubestellar "$work/stamped/controller-manager-chart" --kube-context "$context" --namespace "$wds-system" \
    --set-literal "ControlPlaneName=$wds" --set-literal "ITSName=$its"
  run "$root/scripts/deploy-transport-controller.sh" --context "$context" "$wds" "$its" "ko.local/transport-controller:$release"
}

# ko_build DIR PACKAGE builds the image ko.local/NAME:RELEASE in docker.
ko_build() {
  run_in "$1" env KO_DOCKER_REPO=ko.local ko build --base-import-paths --platform "linux/$arch" --tags "$release" "$2"
}

build_images() {
  local plugin=$work/ocm-transport-plugin
  run git clone --quiet --depth 1 --branch "v$OCM_TRANSPORT_PLUGIN_VERSION" https://github.com/kubestellar/ocm-transport-plugin "$plugin"
  run go -C "$plugin" mod edit -replace "github.com/kubestellar/kubestellar=$source"
  run go -C "$plugin" mod tidy
  arch=$(ask amd64 go env GOARCH)
  ko_build "$source" ./cmd/controller-manager
  ko_build "$plugin" ./cmd/transport-controller
  # The chart runs this image: its tag is the appVersion.
  run docker tag "ko.local/controller-manager:$release" "ghcr.io/kubestellar/kubestellar/controller-manager:$release"
}

load_images() {
  run kind load docker-image --name "${context#kind-}" "ghcr.io/kubestellar/kubestellar/controller-manager:$release" "ko.local/transport-controller:$release"
}

# stamped ARTIFACT writes a stamped copy. The files in git do not change.
stamped() { run ghhelper stamp "$release" --out "$work/stamped" --only "$1"; }

# join NAME COMMAND... runs the command that clusteradm printed, for one cluster. It prints
# the command without the token.
join() {
  local words=("${@:2}" --context "$1" --singleton) shown i
  if [[ $env == kind ]]; then words+=(--force-internal-endpoint-lookup); fi
  for i in "${!words[@]}"; do
    if [[ ${words[i]} == "<cluster_name>" ]]; then words[i]=$1; fi
  done
  shown=("${words[@]}")
  for i in "${!words[@]}"; do
    if [[ ${words[i]} == --hub-token ]]; then shown[i + 1]=TOKEN; fi
  done
  show "$(quoted "${shown[@]}")"
  [[ -n $dry ]] || "${words[@]}" || failed $? "${shown[@]}"
}

register_wecs() {
  local name joining command
  settle kubectl --context "$its" get --raw /readyz
  for name in "${wec[@]}"; do
    if [[ $env == kind ]]; then
      if is_cluster "$clusters" "$name"; then
        run kind export kubeconfig --name "$name"
      else
        run kind create cluster --name "$name"
      fi
      # A second name. It may exist from an earlier cluster.
      run kubectl config set-context "$name" --cluster "kind-$name" --user "kind-$name"
    fi
  done
  joining=$(ask "clusteradm join --hub-token TOKEN --hub-apiserver URL --cluster-name <cluster_name>" clusteradm --context "$its" get token)
  joining=$(grep '^clusteradm join .*<cluster_name>' <<<"$joining") || fail "clusteradm get token printed no line \"clusteradm join ... <cluster_name>\""
  read -r -a command <<<"$joining"
  for name in "${wec[@]}"; do join "$name" "${command[@]}"; done
  run clusteradm --context "$its" accept --clusters "$wecs" --wait
  for name in "${wec[@]}"; do
    run kubectl --context "$its" label managedclusters "$name" "name=$name" location-group=edge --overwrite
  done
  settle kubectl --context "$its" wait --timeout "${timeout}s" --for condition=ManagedClusterConditionAvailable managedclusters "${wec[@]}"
}

main() {
  parse "$@"
  if [[ -n $dry ]]; then exec 3>&1; else check_tools; fi
  if [[ $mode == --local ]]; then
    [[ -n $dry ]] || check_source
    release=0.0.0-local.$(date -u +%Y%m%d%H%M%S)
  fi
  if [[ -n $dry ]]; then
    work=${TMPDIR:-/tmp}/setup-kubestellar.XXXXXX
  else
    work=$(mktemp -d "${TMPDIR:-/tmp}/setup-kubestellar.XXXXXX")
    trap 'rm -rf "$work"' EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM
  fi
  cd "$root" # ghhelper uses the clone of the working directory

  check_kflex
  if [[ -z $context ]]; then context=$(ask CURRENT-CONTEXT kubectl config current-context); fi
  if [[ $mode == --local ]]; then
    [[ $context == kind-* || -n $dry ]] || fail "saw the context $context, want kind-NAME: kind loads the images that --local builds"
    stamped controller-manager-chart
    build_images
  else
    stamped kubestellar-hook
  fi
  clusters=""
  if [[ $env == kind ]]; then clusters=$(ask "" kind get clusters); fi
  set_up_hosting
  set_up_its
  if [[ $mode == --local ]]; then
    load_images
    set_up_local_wds
  else
    set_up_released_wds
  fi
  settled "$wds" --for condition=available deployment/kubestellar-controller-manager deployment/transport-controller
  run "$root/scripts/import-cp-contexts.sh" --context "$context" "$its" "$wds"
  if ((${#wec[@]})); then register_wecs; fi
  if [[ $env == kind ]]; then run kubectl config use-context "$context"; fi
}

main "$@"
