{{- define "taffrail.name" -}}
{{- if contains .Chart.Name .Release.Name }}{{ .Release.Name }}{{ else }}{{ .Release.Name }}-{{ .Chart.Name }}{{ end -}}
{{- end }}

{{- define "taffrail.selector" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "taffrail.labels" -}}
{{ include "taffrail.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end }}

{{- /* What belongs to the way it runs here, with the user's config laid over it. No engine's socket is used, though it is
among the host's files: pods are known by the names of their logs. */}}
{{- define "taffrail.config" -}}
{{- $here := dict
  "listen" "127.0.0.1:9753"
  "data_dir" "/var/lib/taffrail"
  "hostname" "${NODE_NAME}"
  "host" (dict "procfs" "/host/proc" "sysfs" "/host/sys" "rootfs" "/host" "udev" "/host/run/udev/data")
  "containers" (dict "docker" "none")
  "logs" (list (dict
    "name" "varlog"
    "files" (dict "include" (list "/var/log/*.log" "/var/log/syslog" "/var/log/messages"))
    "labels" (dict "job" "varlog")))
-}}
{{- mustMergeOverwrite $here (deepCopy .Values.config) | toYaml -}}
{{- end }}
