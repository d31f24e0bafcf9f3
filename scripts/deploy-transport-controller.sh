#!/usr/bin/env bash
# Deploys the transport controller of one WDS in the KubeFlex hosting cluster.
set -euo pipefail

usage() {
  cat <<'END'
usage: deploy-transport-controller.sh [--context NAME] [--dry-run] WDS ITS [IMAGE]

Creates the Deployment transport-controller in the namespace WDS-system of the
KubeFlex hosting cluster. It transports workloads from the control plane WDS to
the control plane ITS. It runs as the service account of
controller-manager-chart, which must be installed there.

  --context NAME  the context of the hosting cluster (default: the current one)
  --dry-run       print the command, and the object to stderr; change nothing
  IMAGE           (default: the published image of the pinned release)
END
}

misused() {
  printf 'deploy-transport-controller.sh: %s (see --help)\n' "$*" >&2
  exit 2
}

context="" dry="" words=()
while (($#)); do
  case $1 in
    --context)
      [[ -n ${2:-} ]] || misused "--context has no value, want the name of a context"
      context=$2
      shift
      ;;
    --dry-run) dry=true ;;
    --help | -h) usage && exit ;;
    -*) misused "saw the option $1, want --context, --dry-run or --help" ;;
    *) words+=("$1") ;;
  esac
  shift
done
((${#words[@]} == 2 || ${#words[@]} == 3)) || misused "saw ${#words[@]} arguments, want WDS ITS [IMAGE]"
set -- "${words[@]}"

wds=$1
its=$2
image=${3:-ghcr.io/kubestellar/ocm-transport-plugin/transport-controller:0.1.11}
for name in "$wds" "$its"; do
  [[ $name =~ ^[a-z0-9]([-a-z0-9]*[a-z0-9])?$ ]] || misused "saw \"$name\", want the name of a control plane"
done
[[ $image =~ ^[a-zA-Z0-9][a-zA-Z0-9._:/@-]*$ ]] || misused "saw \"$image\", want an image"

# The init container copies the kubeconfigs for use inside the hosting cluster. Each
# control plane's status names the secret that contains its kubeconfig.
manifest() {
  cat <<END
apiVersion: apps/v1
kind: Deployment
metadata:
  name: transport-controller
  namespace: $wds-system
spec:
  replicas: 1
  selector:
    matchLabels:
      name: transport-controller
  template:
    metadata:
      annotations:
        kubectl.kubernetes.io/default-container: transport-controller
      labels:
        name: transport-controller
    spec:
      serviceAccountName: kubestellar-controller-manager
      affinity:
        nodeAffinity:
          requiredDuringSchedulingIgnoredDuringExecution:
            nodeSelectorTerms:
            - matchExpressions:
              - key: kubernetes.io/os
                operator: In
                values: [linux]
              - key: kubernetes.io/arch
                operator: In
                values: [amd64, arm64]
      securityContext:
        runAsNonRoot: true
        seccompProfile:
          type: RuntimeDefault
      initContainers:
      - name: kubeconfigs
        image: quay.io/kubestellar/kubectl:1.27.8
        imagePullPolicy: IfNotPresent
        command: [sh, -euc]
        args:
        - |
          for plane in "\$@"; do
            at=\$(kubectl get controlplanes.tenancy.kflex.kubestellar.org "\$plane" --output 'jsonpath={.status.secretRef.namespace} {.status.secretRef.name} {.status.secretRef.inClusterKey}')
            set -- \$at
            kubectl --namespace "\$1" get secret "\$2" --output "go-template={{index .data \"\$3\" | base64decode}}" >"/kubeconfigs/\$plane"
          done
        - kubeconfigs
        - $wds
        - $its
        env:
        - name: HOME
          value: /tmp
        resources:
          requests:
            cpu: 10m
            memory: 64Mi
          limits:
            cpu: 500m
            memory: 256Mi
        securityContext: &restricted
          allowPrivilegeEscalation: false
          capabilities:
            drop:
            - ALL
          readOnlyRootFilesystem: true
        volumeMounts:
        - name: kubeconfigs
          mountPath: /kubeconfigs
        - name: scratch
          mountPath: /tmp
      containers:
      - name: transport-controller
        image: $image
        imagePullPolicy: IfNotPresent
        args:
        - --wds-kubeconfig=/kubeconfigs/$wds
        - --transport-kubeconfig=/kubeconfigs/$its
        - --wds-name=$wds
        - -v=4
        resources:
          requests:
            cpu: 10m
            memory: 64Mi
          limits:
            cpu: 500m
            memory: 1Gi
        securityContext: *restricted
        volumeMounts:
        - name: kubeconfigs
          mountPath: /kubeconfigs
          readOnly: true
        - name: scratch
          mountPath: /tmp
      volumes:
      - name: kubeconfigs
        emptyDir: {}
      - name: scratch
        emptyDir: {}
END
}

apply=(kubectl ${context:+--context "$context"} apply --filename -)
if [[ -n $dry ]]; then
  printf '%q ' "${apply[@]}"
  printf '\n'
  manifest >&2
  exit
fi
if ! command -v kubectl >/dev/null; then
  echo "deploy-transport-controller.sh: no command kubectl found on PATH: see https://kubernetes.io/docs/tasks/tools" >&2
  exit 1
fi
manifest | "${apply[@]}"
