{{- define "podwright.namespace" -}}
{{- default .Release.Namespace .Values.namespaceOverride -}}
{{- end -}}

{{- /* The one user whom the admission policies trust. */ -}}
{{- define "podwright.user" -}}
system:serviceaccount:{{ include "podwright.namespace" . }}:podwright-operator
{{- end -}}

{{- define "podwright.selector" -}}
app.kubernetes.io/name: podwright
app.kubernetes.io/component: operator
{{- end -}}

{{- define "podwright.commonLabels" -}}
app.kubernetes.io/name: podwright
app.kubernetes.io/part-of: podwright
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
{{- end -}}

{{- define "podwright.labels" -}}
{{ include "podwright.commonLabels" . }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end -}}

{{- define "podwright.image" -}}
{{- if .Values.image.digest -}}
{{ .Values.image.repository }}@{{ .Values.image.digest }}
{{- else -}}
{{ .Values.image.repository }}:{{ default .Chart.AppVersion .Values.image.tag }}
{{- end -}}
{{- end -}}
