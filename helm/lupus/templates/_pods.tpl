{{- define "lupus.podSecurity" -}}
runAsNonRoot: true
runAsUser: 10001
runAsGroup: 10001
fsGroup: 10001
fsGroupChangePolicy: OnRootMismatch
seccompProfile:
  type: RuntimeDefault
{{- end -}}

{{- define "lupus.security" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end -}}

{{- /* A number of YAML may arrive as 1e+06. */ -}}
{{- define "lupus.text" -}}
{{- if kindIs "slice" . -}}
{{ join "," . }}
{{- else if and (kindIs "float64" .) (eq (floor .) .) -}}
{{ int64 . }}
{{- else -}}
{{ toString . }}
{{- end -}}
{{- end -}}

{{- define "lupus.settings" -}}
{{- range $name, $value := .Values.settings }}
{{- if not (kindIs "invalid" $value) }}
- name: LUPUS_{{ upper $name }}
  value: {{ include "lupus.text" $value | quote }}
{{- end }}
{{- end }}
{{- end -}}

{{- define "lupus.env" -}}
- name: LUPUS_DATA
  value: /var/lib/lupus
{{- include "lupus.settings" . }}
{{- include "lupus.fileEnv" (dict "root" . "kind" "service") }}
{{- if include "lupus.onArgo" . }}
- name: LUPUS_IMAGE
  value: {{ include "lupus.image" . | quote }}
- name: LUPUS_ARGO_NAMESPACE
  value: {{ include "lupus.argoNamespace" . }}
- name: LUPUS_ARGO_SERVICE_ACCOUNT
  value: {{ .Values.argo.serviceAccount.name }}
- name: LUPUS_ARGO_POD_FILE
  value: /etc/lupus/pods.yaml
{{- end }}
{{- end -}}

{{- /* A new pod where what it read at its start has changed; secrets are yours, and read again. */ -}}
{{- define "lupus.checksum" -}}
{{- printf "%s %s" (include "lupus.env" .) (include "lupus.podFile" .) | sha256sum -}}
{{- end -}}

{{- define "lupus.placement" -}}
{{- with .own.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .own.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .own.affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .own.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- if .root.Values.topologySpread.enabled }}
topologySpreadConstraints:
  - maxSkew: 1
    topologyKey: {{ .root.Values.topologySpread.topologyKey }}
    whenUnsatisfiable: {{ .root.Values.topologySpread.whenUnsatisfiable }}
    labelSelector:
      matchLabels:
        {{- include "lupus.selector" .root | nindent 8 }}
        app.kubernetes.io/component: {{ .component }}
{{- end }}
{{- end -}}

{{- define "lupus.podMetadata" -}}
labels:
  {{- with .own.podLabels }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
  {{- include "lupus.labels" .root | nindent 2 }}
  app.kubernetes.io/component: {{ .component }}
annotations:
  checksum/settings: {{ include "lupus.checksum" .root }}
  {{- with .own.podAnnotations }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end -}}

{{- /* Everything of a pod's spec but its container and its data. */ -}}
{{- define "lupus.podSpec" -}}
serviceAccountName: {{ include "lupus.serviceAccount" .root }}
automountServiceAccountToken: {{ if include "lupus.onArgo" .root }}true{{ else }}false{{ end }}
# A Service named lupus would set LUPUS_PORT in its neighbours.
enableServiceLinks: false
terminationGracePeriodSeconds: {{ .own.terminationGracePeriodSeconds }}
securityContext:
  {{- include "lupus.podSecurity" .root | nindent 2 }}
{{- with .root.Values.image.pullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
{{- include "lupus.placement" . }}
{{- end -}}

{{- define "lupus.volumes" -}}
- name: tmp
  emptyDir: {}
{{- with include "lupus.fileVolume" (dict "root" .root "kind" "service") }}
{{ . }}
{{- end }}
{{- with .own.extraVolumes }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "lupus.mounts" -}}
- name: tmp
  mountPath: /tmp
- name: data
  mountPath: /var/lib/lupus
{{- with include "lupus.fileMount" (dict "root" .root "kind" "service") }}
{{ . }}
{{- end }}
{{- with .own.extraVolumeMounts }}
{{ toYaml . }}
{{- end }}
{{- end -}}
