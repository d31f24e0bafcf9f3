{{/* helm and clusteradm write their caches to HOME, because the rest of the file system is read-only. */}}
{{- define "core-chart.itsContainer" -}}
env:
- name: HOME
  value: /tmp
- name: KUBECONFIG
  value: {{ . | quote }}
{{ include "core-chart.jobContainer" . }}
volumeMounts:
- name: kubeconfig
  mountPath: /etc/kube
  readOnly: true
- name: scratch
  mountPath: /tmp
{{- end -}}

{{/* Accesses the hosting cluster as the pod's service account. */}}
{{- define "core-chart.hostContainer" -}}
env:
- name: HOME
  value: /tmp
{{ include "core-chart.jobContainer" . }}
volumeMounts:
- name: scratch
  mountPath: /tmp
{{- end -}}

{{- define "core-chart.jobContainer" -}}
resources:
  {{- include "core-chart.jobResources" . | nindent 2 }}
securityContext:
  {{- include "core-chart.containerSecurity" . | nindent 2 }}
{{- end -}}

{{/* --set-literal does not split text at commas, and does not turn 1 into a number. */}}
{{- define "core-chart.statusAddonArgs" -}}
{{- $agent := .Values.status_agent | default dict -}}
{{- $level := .Values.verbosity -}}
- --set
- controller.verbosity={{ include "core-chart.verbosity" (list (.Values.status_controller).v $level.status_controller $level.default) }}
- --set
- agent.v={{ include "core-chart.verbosity" (list $agent.v $level.status_agent $level.default) }}
{{- range list "hub_burst" "hub_qps" "local_burst" "local_qps" }}
- --set
- agent.{{ . }}={{ get $agent . }}
{{- end }}
{{- range list "log_flush_frequency" "logging_format" "metrics_bind_addr" "pprof_bind_addr" "vmodule" }}
- --set-literal
- {{ printf "agent.%s=%v" . (get $agent .) | quote }}
{{- end }}
{{- end -}}

{{- define "core-chart.preDelete" -}}
helm.sh/hook: pre-delete
helm.sh/hook-weight: {{ . | quote }}
helm.sh/hook-delete-policy: before-hook-creation,hook-succeeded
{{- end }}

{{- define "core-chart.deleteContainer" -}}
- name: {{ .step.name }}
  image: quay.io/kubestellar/kubectl:{{ .root.Values.KUBECTL_VERSION }}
  imagePullPolicy: IfNotPresent
  command: [kubectl]
  args:
  - delete
  - controlplanes.tenancy.kflex.kubestellar.org
  - --ignore-not-found
  - --wait
  {{- range .step.planes }}
  - {{ . | quote }}
  {{- end }}
  {{- include "core-chart.hostContainer" .root | nindent 2 }}
{{- end }}

{{- define "core-chart.uninstallContainer" -}}
- name: {{ .step.name }}
  image: quay.io/kubestellar/helm:{{ .root.Values.HELM_VERSION }}
  imagePullPolicy: IfNotPresent
  args:
  - uninstall
  - status-addon
  - --namespace
  - open-cluster-management
  - --ignore-not-found
  - --wait
  {{- include "core-chart.hostContainer" .root | nindent 2 }}
{{- end }}
