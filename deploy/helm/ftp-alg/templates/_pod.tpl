{{/* The container that runs ftp-alg. */}}
{{- define "ftp-alg.container" -}}
{{- $v := .Values -}}
name: ftp-alg
image: {{ include "ftp-alg.image" . | quote }}
imagePullPolicy: {{ $v.image.pullPolicy }}
args: [run, --config, /etc/ftp-alg/config.yaml]
{{- if has $v.mode (list "sidecar" "client-sidecar") }}
# A native sidecar: it runs before the main container starts, and until it has ended.
restartPolicy: Always
{{- end }}
{{- with include "ftp-alg.env" . }}
env:
  {{- . | nindent 2 }}
{{- end }}
ports:
  # The data ports need no entry here.
  - { name: ftp, containerPort: 2121, protocol: TCP }
  - { name: admin, containerPort: 9121, protocol: TCP }
startupProbe:
  # A sidecar starts before the server that its readiness waits for.
  httpGet: { path: {{ eq $v.mode "sidecar" | ternary "/livez" "/readyz" }}, port: admin }
  periodSeconds: 1
  failureThreshold: 30
readinessProbe:
  # 503 while draining.
  httpGet: { path: /readyz, port: admin }
  periodSeconds: 5
livenessProbe:
  # Answers while the event loop turns, draining or not.
  httpGet: { path: /livez, port: admin }
  periodSeconds: 10
  timeoutSeconds: 3
  failureThreshold: 6
lifecycle:
{{- if eq $v.mode "edge" }}
  # The rules that bring connections here are made once the proxy can take them, and go before it does.
  postStart:
    exec:
      command:
        - sh
        - -c
        - >-
          until node -e 'fetch(`http://${process.env.FTP_ALG_ADMIN}/readyz`).then((answer) => process.exit(answer.ok ? 0 : 1), () => process.exit(1))';
          do sleep 1; done;
          exec node /app/dist/main.js firewall --config /etc/ftp-alg/config.yaml --apply
  preStop:
    exec:
      command: [nft, delete, table, inet, ftp_alg_intercept]
{{- else }}
  preStop:
    # New connections still arrive until every node has heard that this pod ends.
    sleep: { seconds: 5 }
{{- end }}
resources:
  {{- toYaml $v.resources | nindent 2 }}
securityContext:
{{- if eq $v.mode "edge" }}
  # Uid 0 without any capability but NET_ADMIN: a capability added for another user is not effective in a container.
  runAsUser: 0
  readOnlyRootFilesystem: true
  allowPrivilegeEscalation: false
  capabilities: { drop: [ALL], add: [NET_ADMIN] }
{{- else }}
  runAsNonRoot: true
  runAsUser: 65532
  runAsGroup: 65532
  readOnlyRootFilesystem: true
  allowPrivilegeEscalation: false
  capabilities: { drop: [ALL] }
{{- end }}
volumeMounts:
  - { name: config, mountPath: /etc/ftp-alg, readOnly: true }
{{- if ne $v.tls.mode "off" }}
  - { name: tls, mountPath: /etc/ftp-alg-tls, readOnly: true }
{{- end }}
{{- with $v.extraVolumeMounts }}
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{- define "ftp-alg.env" -}}
{{- $v := .Values -}}
{{- if eq $v.mode "gateway" -}}
# The ordinal: which slice of dataPorts is this pod's.
- name: FTP_ALG_SLICE_INDEX
  valueFrom:
    fieldRef: { fieldPath: "metadata.labels['apps.kubernetes.io/pod-index']" }
{{- with $v.gateway.advertise }}
- { name: FTP_ALG_ADVERTISE, value: {{ . | replace "{index}" "$(FTP_ALG_SLICE_INDEX)" | quote }} }
{{- end }}
- { name: FTP_ALG_SLICE_OF, value: {{ $v.gateway.replicas | toString | quote }} }
{{- end }}
{{- if eq $v.mode "edge" -}}
# Metrics on the node's own address, not on every interface of a router.
- name: HOST_IP
  valueFrom:
    fieldRef: { fieldPath: status.hostIP }
- { name: FTP_ALG_ADMIN, value: {{ $v.edge.ipv6Node | ternary "[$(HOST_IP)]:9121" "$(HOST_IP):9121" | quote }} }
{{- end }}
{{- with $v.extraEnv }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/* The container beside it: from a dict of name and values. */}}
{{- define "ftp-alg.companion" -}}
name: {{ .name }}
image: {{ .image | quote }}
{{- with .command }}
command: {{ toJson . }}
{{- end }}
{{- with .args }}
args: {{ toJson . }}
{{- end }}
{{- with .env }}
env:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .securityContext }}
securityContext:
  {{- toYaml . | nindent 2 }}
{{- end }}
resources:
  {{- toYaml .resources | nindent 2 }}
{{- end }}

{{/* The pod template of every workload. */}}
{{- define "ftp-alg.pod" -}}
{{- $v := .Values -}}
{{- $edge := eq $v.mode "edge" -}}
metadata:
  labels:
    {{- include "ftp-alg.labels" . | nindent 4 }}
    {{- with $v.podLabels }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  {{- /* The rules are made when a pod starts, so a changed configuration rolls the pods. */}}
  {{- with merge (dict) ($edge | ternary (dict "checksum/config" (include "ftp-alg.config" . | sha256sum)) (dict)) $v.podAnnotations }}
  annotations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
spec:
  serviceAccountName: {{ include "ftp-alg.serviceAccount" . }}
  automountServiceAccountToken: false
  # Kubernetes would set FTP_ALG_PORT and its like for the Service of that name.
  enableServiceLinks: false
  # preStop (5 s) and shutdown.drainTimeout (5 minutes) fit in.
  terminationGracePeriodSeconds: {{ $v.terminationGracePeriodSeconds }}
  {{- with $v.imagePullSecrets }}
  imagePullSecrets: {{ toJson . }}
  {{- end }}
  securityContext:
    seccompProfile: { type: RuntimeDefault }
    {{- if has $v.mode (list "sidecar" "client-sidecar") }}
    # Lets port 21 be listened on without a privilege.
    sysctls:
      - { name: net.ipv4.ip_unprivileged_port_start, value: "21" }
    {{- end }}
    {{- if eq $v.mode "sidecar" }}
    fsGroup: {{ $v.server.fsGroup }}
    {{- end }}
  {{- if $edge }}
  hostNetwork: true
  dnsPolicy: ClusterFirstWithHostNet
  {{- end }}
  {{- with $edge | ternary $v.edge.priorityClassName $v.priorityClassName }}
  priorityClassName: {{ . }}
  {{- end }}
  {{- with $edge | ternary $v.edge.nodeSelector $v.nodeSelector }}
  nodeSelector: {{ toJson . }}
  {{- end }}
  {{- with $edge | ternary $v.edge.tolerations $v.tolerations }}
  tolerations: {{ toJson . }}
  {{- end }}
  {{- with $v.affinity }}
  affinity: {{ toJson . }}
  {{- end }}
  {{- if eq $v.mode "gateway" }}
  # Two pods should not fall with one node.
  topologySpreadConstraints:
    - maxSkew: 1
      topologyKey: kubernetes.io/hostname
      whenUnsatisfiable: ScheduleAnyway
      labelSelector:
        matchLabels:
          {{- include "ftp-alg.selector" . | nindent 10 }}
  {{- end }}
  {{- if has $v.mode (list "sidecar" "client-sidecar") }}
  initContainers:
    -
      {{- include "ftp-alg.container" . | nindent 6 }}
  containers:
    {{- if eq $v.mode "sidecar" }}
    -
      {{- include "ftp-alg.companion" (merge (dict "name" "ftp-server") $v.server) | nindent 6 }}
      {{- if $v.server.waitForTransfers }}
      # The proxy ends after the server, so the server must not end before the transfers: ftp-alg answers once no session is left.
      lifecycle:
        preStop:
          httpGet: { path: "/drain?wait=300s", port: 9121 }
      {{- end }}
      {{- if $v.server.persistence.enabled }}
      volumeMounts:
        - { name: files, mountPath: {{ $v.server.persistence.mountPath }} }
      {{- end }}
    {{- else }}
    -
      {{- include "ftp-alg.companion" (merge (dict "name" "application") $v.application) | nindent 6 }}
    {{- end }}
  {{- else }}
  containers:
    -
      {{- include "ftp-alg.container" . | nindent 6 }}
  {{- end }}
  volumes:
    - name: config
      configMap: { name: {{ include "ftp-alg.fullname" . }}-config }
    {{- if ne $v.tls.mode "off" }}
    - name: tls
      secret: { secretName: {{ $v.tls.secretName }} }
    {{- end }}
    {{- if and (eq $v.mode "sidecar") $v.server.persistence.enabled }}
    - name: files
      persistentVolumeClaim: { claimName: {{ $v.server.persistence.existingClaim | default (printf "%s-files" (include "ftp-alg.fullname" .)) }} }
    {{- end }}
    {{- with $v.extraVolumes }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
{{- end }}
