{{/*
Refuses to render the chart's source in git, which has no version and therefore no tag for its image.
It compares only the end of the placeholder, because stamping would replace the whole placeholder here too.
*/}}
{{- define "controller-manager-chart.requireStamped" -}}
{{- if or (hasSuffix "-unstamped" .Chart.Version) (hasSuffix "-unstamped" .Chart.AppVersion) -}}
{{- fail (printf "%s: saw version %q and appVersion %q, want a release's version in both: this is unstamped source; `ghhelper stamp VERSION --out DIR` writes an installable copy" .Chart.Name .Chart.Version .Chart.AppVersion) -}}
{{- end -}}
{{- end -}}

{{/* The prefix of cluster-scoped objects, of which each WDS has its own set. */}}
{{- define "controller-manager-chart.clusterName" -}}
{{ required "ControlPlaneName: saw nothing, want the name of the WDS's control plane" .Values.ControlPlaneName }}-kubestellar
{{- end -}}

{{- define "controller-manager-chart.labels" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | replace "+" "_" | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
app.kubernetes.io/part-of: kubestellar
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{- end -}}

{{- define "controller-manager-chart.containerSecurity" -}}
allowPrivilegeEscalation: false
capabilities:
  drop:
  - ALL
readOnlyRootFilesystem: true
{{- end -}}

{{/* The subject of every binding in this chart. */}}
{{- define "controller-manager-chart.subjects" -}}
subjects:
- kind: ServiceAccount
  name: kubestellar-controller-manager
  namespace: {{ .Release.Namespace }}
{{- end -}}
