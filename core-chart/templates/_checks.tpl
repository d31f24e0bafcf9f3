{{/*
Refuses to render the source as it stands in git, where the chart has no version to hand to controller-manager-chart.
Only the end of the placeholder is looked for: the whole of it, written here, would itself be stamped.
*/}}
{{- define "core-chart.requireStamped" -}}
{{- if or (hasSuffix "-unstamped" .Chart.Version) (hasSuffix "-unstamped" .Chart.AppVersion) -}}
{{- fail (printf "%s: saw version %q and appVersion %q, want a release's version in both: this is unstamped source; `ghhelper stamp VERSION --out DIR` writes an installable copy" .Chart.Name .Chart.Version .Chart.AppVersion) -}}
{{- end -}}
{{- end -}}

{{/* These stand beside the schema, which cannot compare two entries, and which a user may skip. */}}
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
{{- fail (printf "%s.name: saw none, want the name of the control plane" .key) -}}
{{- end -}}
{{- if has $entry.name (list "kube" "kubeflex") -}}
{{- fail (printf "%s.name: saw %q, want another: the namespace %s-system is not the control plane's own" .key $entry.name $entry.name) -}}
{{- end -}}
{{- if hasKey .seen $entry.name -}}
{{- fail (printf "%s.name: saw %q, which %s has already; every control plane needs a name of its own" .key $entry.name (get .seen $entry.name)) -}}
{{- end -}}
{{- $_ := set .seen $entry.name .key -}}
{{- if not (has ($entry.type | default (first .types)) .types) -}}
{{- fail (printf "%s.type: saw %q, want one of: %s" .key $entry.type (join ", " .types)) -}}
{{- end -}}
{{- end -}}

{{/* Where this release makes no ITS, the one that a WDS names is elsewhere, out of sight. */}}
{{- define "core-chart.checkITSNames" -}}
{{- $names := (include "core-chart.itsNames" . | fromJson).names -}}
{{- range $i, $wds := .Values.WDSes -}}
{{- if and (gt (len $names) 1) (not $wds.ITSName) -}}
{{- fail (printf "WDSes[%d].ITSName: saw none, want one of: %s; with several ITSes each WDS must name its own" $i (join ", " $names)) -}}
{{- end -}}
{{- if and $names $wds.ITSName (not (has $wds.ITSName $names)) -}}
{{- fail (printf "WDSes[%d].ITSName: saw %q, want one of: %s; that is all that ITSes holds" $i $wds.ITSName (join ", " $names)) -}}
{{- end -}}
{{- end -}}
{{- end -}}
