{{- define "lupus.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{- define "lupus.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 50 | trimSuffix "-" -}}
{{- else if contains (include "lupus.name" .) .Release.Name -}}
{{- .Release.Name | trunc 50 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name (include "lupus.name" .) | trunc 50 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- /* What a selector may hold: nothing that an upgrade changes. */ -}}
{{- define "lupus.selector" -}}
app.kubernetes.io/name: {{ include "lupus.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "lupus.labels" -}}
{{ include "lupus.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 }}
{{- end -}}

{{- define "lupus.image" -}}
{{- if .Values.image.digest -}}
{{ .Values.image.repository }}@{{ .Values.image.digest }}
{{- else -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end -}}
{{- end -}}

{{- define "lupus.serviceAccount" -}}
{{- if .Values.serviceAccount.create -}}
{{ .Values.serviceAccount.name | default (include "lupus.fullname" .) }}
{{- else -}}
{{ .Values.serviceAccount.name | default "default" }}
{{- end -}}
{{- end -}}

{{- define "lupus.argoNamespace" -}}
{{ .Values.argo.namespace | default .Release.Namespace }}
{{- end -}}

{{- /* Questions that templates ask: a word, or nothing for no. */ -}}
{{- define "lupus.onArgo" -}}
{{- if ne (.Values.settings.executor | default "local") "local" }}yes{{ end -}}
{{- end -}}

{{- define "lupus.external" -}}
{{- if hasPrefix "postgresql" (.Values.settings.database | default "") }}yes{{ end -}}
{{- end -}}

{{- define "lupus.several" -}}
{{- if or .Values.autoscaling.enabled (gt (int .Values.service.replicas) 1) }}yes{{ end -}}
{{- end -}}
