{{/*
Refuses to render the chart's source in git, which has no version to pass to controller-manager-chart.
It compares only the end of the placeholder, because stamping would replace the whole placeholder here too.
*/}}
{{- define "core-chart.requireStamped" -}}
{{- if or (hasSuffix "-unstamped" .Chart.Version) (hasSuffix "-unstamped" .Chart.AppVersion) -}}
{{- fail (printf "%s: saw version %q and appVersion %q, want a release's version in both: this is unstamped source; `ghhelper stamp VERSION --out DIR` writes an installable copy" .Chart.Name .Chart.Version .Chart.AppVersion) -}}
{{- end -}}
{{- end -}}

{{/* Repeats checks of the schema, which cannot compare entries and which users can skip. */}}
{{- define "core-chart.checkControlPlanes" -}}
{{- $seen := dict -}}
{{- range $i, $its := .Values.ITSes -}}
{{- include "core-chart.checkControlPlane" (dict "key" (printf "ITSes[%d]" $i) "entry" $its "seen" $seen "types" (list "vcluster" "host")) -}}
{{- end -}}
{{- range $i, $wds := .Values.WDSes -}}
{{- include "core-chart.checkControlPlane" (dict "key" (printf "WDSes[%d]" $i) "entry" $wds "seen" $seen "types" (list "k8s" "host")) -}}
{{- end -}}
{{- end -}}

{{- define "core-chart.checkControlPlane" -}}
{{- $entry := .entry | default dict -}}
{{- if not $entry.name -}}
{{- fail (printf "%s.name: saw nothing, want the name of the control plane" .key) -}}
{{- end -}}
{{- if has $entry.name (list "kube" "kubeflex") -}}
{{- fail (printf "%s.name: saw %q, want another name: the namespace %s-system has another purpose" .key $entry.name $entry.name) -}}
{{- end -}}
{{- if hasKey .seen $entry.name -}}
{{- fail (printf "%s.name: saw %q, which is also the name of %s; want a unique name for each control plane" .key $entry.name (get .seen $entry.name)) -}}
{{- end -}}
{{- $_ := set .seen $entry.name .key -}}
{{- if not (has ($entry.type | default (first .types)) .types) -}}
{{- fail (printf "%s.type: saw %q, want one of: %s" .key $entry.type (join ", " .types)) -}}
{{- end -}}
{{- end -}}

{{/* Not checked if this release has no ITS: then a WDS names one that exists elsewhere. */}}
{{- define "core-chart.checkITSNames" -}}
{{- $names := (include "core-chart.itsNames" . | fromJson).names -}}
{{- range $i, $wds := .Values.WDSes -}}
{{- if and (gt (len $names) 1) (not $wds.ITSName) -}}
{{- fail (printf "WDSes[%d].ITSName: saw nothing, want one of: %s; with several ITSes, each WDS must name one" $i (join ", " $names)) -}}
{{- end -}}
{{- if and $names $wds.ITSName (not (has $wds.ITSName $names)) -}}
{{- fail (printf "WDSes[%d].ITSName: saw %q, want one of the names in ITSes: %s" $i $wds.ITSName (join ", " $names)) -}}
{{- end -}}
{{- end -}}
{{- end -}}
