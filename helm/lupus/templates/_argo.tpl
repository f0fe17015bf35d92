{{- /* The pod file of docs/argo.md: yours, with the files that each kind of pod needs. */ -}}
{{- define "lupus.podFile" -}}
{{- if include "lupus.onArgo" . -}}
{{- range $kind := list "plan" "detect" "publish" -}}
{{- $given := deepCopy (index $.Values.argo.pods $kind | default dict) -}}
{{- $of := dict "root" $ "kind" $kind -}}
{{- with include "lupus.fileEnv" $of | trim -}}
{{- $_ := set $given "env" (concat (fromYamlArray .) ($given.env | default list)) -}}
{{- end -}}
{{- with include "lupus.fileVolume" $of -}}
{{- $_ := set $given "volumes" (concat (fromYamlArray .) ($given.volumes | default list)) -}}
{{- end -}}
{{- with include "lupus.fileMount" $of -}}
{{- $_ := set $given "volumeMounts" (concat (fromYamlArray .) ($given.volumeMounts | default list)) -}}
{{- end -}}
{{- if and $.Values.image.pullSecrets (not $given.imagePullSecrets) -}}
{{- $names := list -}}
{{- range $.Values.image.pullSecrets -}}
{{- $names = append $names (dict "name" .) -}}
{{- end -}}
{{- $_ := set $given "imagePullSecrets" $names -}}
{{- end }}
{{ $kind }}:
  {{- toYaml $given | nindent 2 }}
{{- end -}}
{{- end -}}
{{- end -}}
