{{- /* What the schema cannot say: values that contradict each other. */ -}}
{{- define "lupus.refusals" -}}
{{- $external := include "lupus.external" . -}}
{{- if not .Values.secrets.admin_token -}}
{{- fail "secrets.admin_token is missing, without which the service would not start: kubectl create secret generic lupus-admin --from-literal=token=lps_$(openssl rand -hex 32), and set secrets.admin_token to {secret: lupus-admin, key: token}" -}}
{{- end -}}
{{- if and (not $external) (or (include "lupus.several" .) .Values.worker.enabled) -}}
{{- fail "more than one pod needs PostgreSQL: set settings.database to postgresql+psycopg://user@host/name, or service.replicas to 1 and turn worker and autoscaling off" -}}
{{- end -}}
{{- if and $external (not .Values.secrets.secret_key) -}}
{{- fail "secrets.secret_key is missing: pods that share a database must share the key of its secrets; 32 characters or more" -}}
{{- end -}}
{{- if include "lupus.onArgo" . -}}
{{- range $name := list "archive" "index" "objects" -}}
{{- if not (index $.Values.settings $name) -}}
{{- fail (printf "settings.executor is %s, whose pods cannot see what is embedded: set settings.%s" $.Values.settings.executor $name) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- if and .Values.ingress.enabled (not .Values.ingress.hosts) -}}
{{- fail "ingress.hosts is empty: name the host" -}}
{{- end -}}
{{- if and .Values.serviceMonitor.enabled (not .Values.serviceMonitor.token) (not .Values.settings.metrics_public) -}}
{{- fail "serviceMonitor needs serviceMonitor.token, a token that may read all, or settings.metrics_public: true" -}}
{{- end -}}
{{- end -}}
