{{- /*
One projected volume holds every file that a pod is given; a rotated secret changes it in place.
Arguments: dict "root" $ "kind" one of service, database (the migration), plan, detect, publish.
*/ -}}
{{- define "lupus.secretsOf" -}}
{{- $prefixes := dict "database" (list "database_") "detect" (list "s3_") "plan" (list "s3_" "elasticsearch_" "hive_" "archive_") "publish" (list "s3_" "elasticsearch_" "hive_" "archive_") -}}
{{- $found := dict -}}
{{- range $name, $from := .root.Values.secrets -}}
{{- if $from -}}
{{- if eq $.kind "service" -}}
{{- $_ := set $found $name $from -}}
{{- else -}}
{{- range $prefix := index $prefixes $.kind -}}
{{- if hasPrefix $prefix $name -}}
{{- $_ := set $found $name $from -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- toYaml $found -}}
{{- end -}}

{{- define "lupus.source" -}}
- {{ if .from.secret }}secret{{ else }}configMap{{ end }}:
    name: {{ .from.secret | default .from.configMap }}
    items:
      - key: {{ .from.key }}
        path: {{ .path }}
{{- end -}}

{{- define "lupus.sources" -}}
{{- $kind := .kind -}}
{{- range $name, $from := include "lupus.secretsOf" . | fromYaml }}
{{ include "lupus.source" (dict "from" $from "path" (printf "secrets/%s" $name)) }}
{{- end }}
{{- with .root.Values.caBundle }}
{{ include "lupus.source" (dict "from" . "path" "ca.pem") }}
{{- end }}
{{- if not (has $kind (list "detect" "database")) }}
{{- with .root.Values.connections }}
{{ include "lupus.source" (dict "from" . "path" "connections.toml") }}
{{- end }}
{{- range $name, $from := .root.Values.files }}
{{- if $from }}
{{ include "lupus.source" (dict "from" $from "path" (printf "files/%s" $name)) }}
{{- end }}
{{- end }}
{{- end }}
{{- if and (eq $kind "service") (include "lupus.onArgo" .root) }}
{{ include "lupus.source" (dict "from" (dict "configMap" (printf "%s-pods" (include "lupus.fullname" .root)) "key" "pods.yaml") "path" "pods.yaml") }}
{{- end }}
{{- end -}}

{{- define "lupus.fileVolume" -}}
{{- with include "lupus.sources" . | trim -}}
- name: files
  projected:
    defaultMode: 0440
    sources:
      {{- . | nindent 6 }}
{{- end -}}
{{- end -}}

{{- define "lupus.fileMount" -}}
{{- if include "lupus.sources" . | trim -}}
- name: files
  mountPath: /etc/lupus
  readOnly: true
{{- end -}}
{{- end -}}

{{- define "lupus.fileEnv" -}}
{{- range $name, $from := include "lupus.secretsOf" . | fromYaml }}
- name: LUPUS_{{ upper $name }}_FILE
  value: /etc/lupus/secrets/{{ $name }}
{{- end }}
{{- with .root.Values.caBundle }}
- name: LUPUS_CA_BUNDLE
  value: /etc/lupus/ca.pem
{{- end }}
{{- if not (has .kind (list "detect" "database")) }}
{{- with .root.Values.connections }}
- name: LUPUS_CONNECTIONS_FILE
  value: /etc/lupus/connections.toml
{{- end }}
{{- end }}
{{- end -}}
