{{- define "core-chart.labels" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | replace "+" "_" | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
app.kubernetes.io/part-of: kubestellar
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{- end -}}

{{/* Starts the names of cluster-scoped objects, so that two releases do not fight over them. */}}
{{- define "core-chart.clusterName" -}}
{{ .Release.Namespace }}-{{ .Release.Name }}
{{- end -}}

{{/* The first level of the list that is set. sprig's `default` will not do: it takes 0 for unset. */}}
{{- define "core-chart.verbosity" -}}
{{- $level := 2 -}}
{{- range reverse . -}}
{{- if not (kindIs "invalid" .) -}}{{- $level = . -}}{{- end -}}
{{- end -}}
{{ int $level }}
{{- end -}}

{{/* What of this release is an ITS; dict "names" is a list of strings. */}}
{{- define "core-chart.itsNames" -}}
{{- $names := list -}}
{{- range .Values.ITSes -}}{{- $names = append $names (.).name -}}{{- end -}}
{{ dict "names" $names | toJson }}
{{- end -}}

{{/* The ITS of a WDS: the one it names, else the only one of this release, else none, and the hosting cluster is searched. */}}
{{- define "core-chart.itsOf" -}}
{{- $names := (include "core-chart.itsNames" .root | fromJson).names -}}
{{- $only := eq (len $names) 1 | ternary (first $names) "" -}}
{{ .wds.ITSName | default $only }}
{{- end -}}

{{/* Nothing names a user: the images bring one, and OpenShift gives each namespace its own range. */}}
{{- define "core-chart.podSecurity" -}}
runAsNonRoot: true
seccompProfile:
  type: RuntimeDefault
{{- end -}}

{{/* The images are built for these platforms. */}}
{{- define "core-chart.affinity" -}}
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
{{- end -}}

{{- define "core-chart.containerSecurity" -}}
allowPrivilegeEscalation: false
capabilities:
  drop:
  - ALL
readOnlyRootFilesystem: true
{{- end -}}

{{- define "core-chart.jobResources" -}}
requests:
  cpu: 10m
  memory: 64Mi
limits:
  cpu: "1"
  memory: 512Mi
{{- end -}}
