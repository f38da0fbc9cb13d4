{{- define "labels" -}}
app.kubernetes.io/name: {{ .root.Chart.Name }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .server }}
{{- end }}

{{- define "metadata" -}}
name: {{ .name | default (printf "%s-%s" .root.Release.Name .server) }}
namespace: {{ .root.Release.Namespace }}
labels:
  {{- include "labels" . | nindent 2 }}
  app.kubernetes.io/managed-by: {{ .root.Release.Service }}
  helm.sh/chart: {{ .root.Chart.Name }}-{{ .root.Chart.Version }}
{{- end }}

{{- /* Where a server is found from any namespace. */}}
{{- define "host" -}}
{{ .root.Release.Name }}-{{ .server }}.{{ .root.Release.Namespace }}.svc
{{- end }}

{{- define "secretName" -}}
{{ .root.Values.secretPrefix }}-{{ .server }}
{{- end }}

{{- /* A password: the one that is there, or a new one. Takes root, server and the key in the server's Secret. */}}
{{- define "password" -}}
{{- $there := lookup "v1" "Secret" .root.Release.Namespace (include "secretName" .) -}}
{{- dig "data" .key "" $there | b64dec | default (randAlphaNum 24) -}}
{{- end }}

{{- /*
A server: its Service and its StatefulSet of one pod. Takes root, server, user (of the official image), ports ([name,
number]; the first says that it is ready), data (the directory that stays), arguments, env, and files (key of the server's
Secret: path).
*/}}
{{- define "server" -}}
{{- $values := index .root.Values .server -}}
apiVersion: v1
kind: Service
metadata:
  {{- include "metadata" . | nindent 2 }}
spec:
  selector:
    {{- include "labels" . | nindent 4 }}
  ports:
    {{- range .ports }}
    - {name: {{ first . }}, port: {{ last . }}, targetPort: {{ first . }}, protocol: TCP}
    {{- end }}
---
apiVersion: apps/v1
kind: StatefulSet
metadata:
  {{- include "metadata" . | nindent 2 }}
spec:
  serviceName: {{ .root.Release.Name }}-{{ .server }}
  replicas: 1
  selector:
    matchLabels:
      {{- include "labels" . | nindent 6 }}
  template:
    metadata:
      labels:
        {{- include "labels" . | nindent 8 }}
    spec:
      automountServiceAccountToken: false
      enableServiceLinks: false
      securityContext:
        runAsNonRoot: true
        runAsUser: {{ .user }}
        runAsGroup: {{ .user }}
        fsGroup: {{ .user }}
        # Once: Erlang's cookie must be nobody else's to read.
        fsGroupChangePolicy: OnRootMismatch
        seccompProfile: {type: RuntimeDefault}
      terminationGracePeriodSeconds: 60
      {{- with .root.Values.nodeSelector }}
      nodeSelector: {{ toJson . }}
      {{- end }}
      containers:
        - name: {{ .server }}
          image: {{ $values.image }}
          imagePullPolicy: IfNotPresent
          {{- with .arguments }}
          args: {{ toJson . }}
          {{- end }}
          {{- with .env }}
          env: {{ toJson . }}
          {{- end }}
          ports:
            {{- range .ports }}
            - {name: {{ first . }}, containerPort: {{ last . }}, protocol: TCP}
            {{- end }}
          startupProbe: {tcpSocket: {port: {{ first (first .ports) }}}, periodSeconds: 2, failureThreshold: 150}
          readinessProbe: {tcpSocket: {port: {{ first (first .ports) }}}, periodSeconds: 5}
          resources: {{ toJson $values.resources }}
          securityContext: {allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}}
          volumeMounts:
            - {name: data, mountPath: {{ .data }}, subPath: data}
            {{- range $key, $path := .files }}
            - {name: secret, mountPath: {{ $path }}, subPath: {{ $key }}, readOnly: true}
            {{- end }}
      volumes:
        - name: secret
          secret: {secretName: {{ include "secretName" . }}, defaultMode: 0440}
        {{- if not .root.Values.persistence.enabled }}
        - {name: data, emptyDir: {}}
        {{- end }}
  {{- if .root.Values.persistence.enabled }}
  volumeClaimTemplates:
    - metadata: {name: data}
      spec:
        accessModes: [ReadWriteOnce]
        {{- with .root.Values.persistence.storageClassName }}
        storageClassName: {{ . }}
        {{- end }}
        resources: {requests: {storage: {{ $values.storage }}}}
  {{- end }}
{{- end }}

{{- /* Its Secret, which stays as long as its data do. Takes data besides. */}}
{{- define "secret" -}}
apiVersion: v1
kind: Secret
metadata:
  {{- include "metadata" (merge (dict "name" (include "secretName" .)) .) | nindent 2 }}
  annotations: {helm.sh/resource-policy: keep}
stringData:
  {{- toYaml .values | nindent 2 }}
{{- end }}
