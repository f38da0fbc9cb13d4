{{- /*
A pod of one component. Takes root, release, component, program, arguments, resources, env, files, and of those with a
Deployment: `running`, with ports and probes.
*/}}
{{- define "pod" -}}
{{- $values := .root.Values }}
metadata:
  labels:
    {{- with $values.podTemplate.labels }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
    {{- include "labels" . | nindent 4 }}
  annotations:
    chatsystem.io/checksum: {{ include "settings" .root | sha256sum | trunc 8 | quote }}
    {{- with $values.podTemplate.annotations }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
spec:
  serviceAccountName: {{ .release }}-{{ eq .component "api" | ternary "api" "worker" }}
  automountServiceAccountToken: false
  enableServiceLinks: false
  # Workers finish what was delivered to them.
  terminationGracePeriodSeconds: 60
  securityContext:
    runAsNonRoot: true
    runAsUser: 65532
    runAsGroup: 65532
    fsGroup: 65532
    seccompProfile: {type: RuntimeDefault}
  {{- if not .running }}
  restartPolicy: Never
  {{- end }}
  {{- with $values.image.pullSecrets }}
  imagePullSecrets: {{ toJson . }}
  {{- end }}
  {{- with $values.podTemplate.nodeSelector }}
  nodeSelector: {{ toJson . }}
  {{- end }}
  {{- with $values.podTemplate.tolerations }}
  tolerations: {{ toJson . }}
  {{- end }}
  {{- if $values.podTemplate.affinity }}
  affinity: {{ toJson $values.podTemplate.affinity }}
  {{- else if .running }}
  # Whatever takes a node takes as few of them as it can. Pods of the template before are going and do not count.
  affinity:
    podAntiAffinity:
      preferredDuringSchedulingIgnoredDuringExecution:
        - weight: 100
          podAffinityTerm:
            topologyKey: kubernetes.io/hostname
            labelSelector: {matchLabels: {{ include "selector" . | fromYaml | toJson }}}
            matchLabelKeys: [pod-template-hash]
  {{- end }}
  {{- with $values.podTemplate.priorityClassName }}
  priorityClassName: {{ . }}
  {{- end }}
  {{- if eq .component "worker-messages" }}
  # Nobody else is ready until the tables are there. Two at once are safe.
  initContainers:
    - name: migrate
      args: [migrate]
      {{- include "container" (merge (dict "component" "migrate") .) | nindent 6 }}
  {{- end }}
  containers:
    - name: {{ .component }}
      {{- with .arguments }}
      args: {{ toJson . }}
      {{- end }}
      {{- include "container" . | nindent 6 }}
      {{- if .running }}
      ports:
        {{- if eq .component "api" }}
        - {name: http, containerPort: 8080, protocol: TCP}
        {{- end }}
        - {name: admin, containerPort: 8081, protocol: TCP}
      # Whoever waits for a server is alive.
      livenessProbe:
        httpGet: {path: /livez, port: admin}
        periodSeconds: 10
        timeoutSeconds: 5
        failureThreshold: 6
      readinessProbe:
        httpGet: {path: /readyz, port: admin}
        periodSeconds: 5
        timeoutSeconds: 5
        failureThreshold: 2
      {{- end }}
      {{- if eq .component "api" }}
      # While endpoints learn that it is going, it goes on answering.
      lifecycle: {preStop: {sleep: {seconds: 5}}}
      {{- end }}
  volumes:
    - name: secrets
      projected:
        defaultMode: 0440
        sources:
          {{- $sources := include "secrets" . | fromYamlArray }}
          {{- if eq .component "worker-messages" }}
          {{- $sources = concat $sources (include "secrets" (merge (dict "component" "migrate") .) | fromYamlArray) | uniq }}
          {{- end }}
          {{- range $sources }}
          - secret: {name: {{ .name }}, items: [{key: {{ .key }}, path: {{ .path }}}]}
          {{- end }}
{{- end }}

{{- /* What the containers of a pod have in common. */}}
{{- define "container" -}}
{{- $image := .root.Values.image -}}
image: {{ $image.registry }}/{{ .program }}:{{ $image.tag | default .root.Chart.AppVersion }}
imagePullPolicy: {{ $image.pullPolicy }}
envFrom:
  - configMapRef: {name: {{ .release }}-config}
env:
  {{- range include "secrets" . | fromYamlArray }}
  - {name: {{ .variable }}, value: /etc/chatsystem/secrets/{{ .path }}}
  {{- end }}
  {{- with .env }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
resources: {{ toJson .resources }}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities: {drop: [ALL]}
terminationMessagePolicy: FallbackToLogsOnError
volumeMounts:
  - {name: secrets, mountPath: /etc/chatsystem/secrets, readOnly: true}
{{- end }}

{{- /* The secrets that a component needs, as files, and no more: variable, path, and the Secret's name and key. */}}
{{- define "secrets" -}}
{{- $values := .root.Values }}
{{- $all := list }}
{{- $mysql := dict "variable" "CHAT_MYSQL_URL_FILE" "path" "mysql-url" "ref" $values.mysql.urlSecretRef }}
{{- if and (eq .component "migrate") $values.mysql.migrationURLSecretRef.name }}
{{- $mysql = dict "variable" "CHAT_MYSQL_URL_FILE" "path" "mysql-migration-url" "ref" $values.mysql.migrationURLSecretRef }}
{{- end }}
{{- $all = append $all $mysql }}
{{- $all = append $all (dict "variable" "CHAT_REDIS_URL_FILE" "path" "redis-url" "ref" $values.redis.urlSecretRef) }}
{{- $all = append $all (dict "variable" "CHAT_RABBITMQ_URL_FILE" "path" "rabbitmq-url" "ref" $values.rabbitmq.urlSecretRef) }}
{{- $all = append $all (dict "variable" "CHAT_ELASTICSEARCH_URL_FILE" "path" "elasticsearch-url" "ref" $values.elasticsearch.urlSecretRef) }}
{{- if and (eq .component "api") $values.api.auth.adminKeySecretRef.name }}
{{- $all = append $all (dict "variable" "CHAT_ADMIN_KEY_FILE" "path" "admin-key" "ref" $values.api.auth.adminKeySecretRef) }}
{{- end }}
{{- if eq .component "reconcile" }}
{{- $all = append $all (dict "variable" "CHAT_RABBITMQ_MANAGEMENT_URL_FILE" "path" "rabbitmq-management-url" "ref" $values.rabbitmq.managementURLSecretRef) }}
{{- end }}
{{- range $server := list "mysql" "redis" "rabbitmq" "elasticsearch" }}
{{- $ref := (index $values $server).tls.caSecretRef }}
{{- if $ref.name }}
{{- $all = append $all (dict "variable" (printf "CHAT_%s_CA_FILE" (upper $server)) "path" (printf "%s-ca.pem" $server) "ref" $ref) }}
{{- end }}
{{- end }}
{{- range $all }}
- {variable: {{ .variable }}, path: {{ .path }}, name: {{ .ref.name }}, key: {{ .ref.key }}}
{{- end }}
{{- end }}
