{{- define "selector" -}}
app.kubernetes.io/name: chat-operator
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "labels" -}}
{{ include "selector" . }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
app.kubernetes.io/version: {{ .Values.image.tag | default .Chart.AppVersion | quote }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end }}

{{- define "metadata" -}}
{{ include "metadataOf" (dict "root" . "name" .Release.Name "namespace" .Release.Namespace) }}
{{- end }}

{{- /* Of another name or in another namespace. Without one: of the cluster. */}}
{{- define "metadataOf" -}}
name: {{ .name }}
{{- with .namespace }}
namespace: {{ . }}
{{- end }}
labels:
  {{- with .labels }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
  {{- include "labels" .root | nindent 2 }}
{{- end }}

{{- /* What of a pod is the same for the operator and its test. */}}
{{- define "pod" -}}
enableServiceLinks: false
securityContext:
  runAsNonRoot: true
  runAsUser: 65532
  runAsGroup: 65532
  seccompProfile: {type: RuntimeDefault}
{{- with .Values.image.pullSecrets }}
imagePullSecrets: {{ toJson . }}
{{- end }}
{{- with .Values.podTemplate.nodeSelector }}
nodeSelector: {{ toJson . }}
{{- end }}
{{- with .Values.podTemplate.tolerations }}
tolerations: {{ toJson . }}
{{- end }}
{{- with .Values.podTemplate.affinity }}
affinity: {{ toJson . }}
{{- end }}
{{- with .Values.podTemplate.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- end }}

{{- define "container" -}}
image: {{ .Values.image.registry }}/chat-operator:{{ .Values.image.tag | default .Chart.AppVersion }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
resources: {{ toJson .Values.resources }}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities: {drop: [ALL]}
{{- end }}
