{{- define "core-chart.labels" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | replace "+" "_" | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
app.kubernetes.io/part-of: kubestellar
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{- end -}}

{{/* The prefix of cluster-scoped objects, which keeps those of several releases apart. */}}
{{- define "core-chart.clusterName" -}}
{{ .Release.Namespace }}-{{ .Release.Name }}
{{- end -}}

{{/* The first level in the list that is set. sprig's `default` would treat 0 as unset. */}}
{{- define "core-chart.verbosity" -}}
{{- $level := 2 -}}
{{- range reverse . -}}
{{- if not (kindIs "invalid" .) -}}{{- $level = . -}}{{- end -}}
{{- end -}}
{{ int $level }}
{{- end -}}

{{/* The names of this release's ITSes, as the JSON of a dict whose key "names" is a list. */}}
{{- define "core-chart.itsNames" -}}
{{- $names := list -}}
{{- range .Values.ITSes -}}{{- $names = append $names (.).name -}}{{- end -}}
{{ dict "names" $names | toJson }}
{{- end -}}

{{/* The name of a WDS's ITS: its ITSName, else the only ITS of this release, else empty for the only one in the cluster. */}}
{{- define "core-chart.itsOf" -}}
{{- $names := (include "core-chart.itsNames" .root | fromJson).names -}}
{{- $only := eq (len $names) 1 | ternary (first $names) "" -}}
{{ .wds.ITSName | default $only }}
{{- end -}}

{{/* runAsUser is not set: the images define a user, and OpenShift assigns one from the namespace's range. */}}
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
