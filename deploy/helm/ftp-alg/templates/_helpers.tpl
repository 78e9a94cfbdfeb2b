{{- define "ftp-alg.name" -}}
{{- .Values.nameOverride | default .Chart.Name | trunc 63 | trimSuffix "-" }}
{{- end }}

{{/* At most 50 characters: names of Services and pods are longer. */}}
{{- define "ftp-alg.fullname" -}}
{{- $name := include "ftp-alg.name" . -}}
{{- $default := contains $name .Release.Name | ternary .Release.Name (printf "%s-%s" .Release.Name $name) -}}
{{- .Values.fullnameOverride | default $default | trunc 50 | trimSuffix "-" }}
{{- end }}

{{- define "ftp-alg.selector" -}}
app.kubernetes.io/name: {{ include "ftp-alg.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "ftp-alg.labels" -}}
{{ include "ftp-alg.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/component: proxy
app.kubernetes.io/part-of: ftp-alg
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end }}

{{- define "ftp-alg.serviceAccount" -}}
{{- .Values.serviceAccount.create | ternary (.Values.serviceAccount.name | default (include "ftp-alg.fullname" .)) (.Values.serviceAccount.name | default "default") }}
{{- end }}

{{- define "ftp-alg.image" -}}
{{- $suffix := eq .Values.mode "edge" | ternary "-nftables" "" -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default (printf "%s%s" .Chart.AppVersion $suffix) }}
{{- end }}

{{- define "ftp-alg.dataPorts" -}}
{{- .Values.dataPorts | default (eq .Values.mode "edge" | ternary "30000-30999" "30000-30049") }}
{{- end }}

{{/* What no schema can say in one clear line. */}}
{{- define "ftp-alg.check" -}}
{{- $v := .Values -}}
{{- if and (has $v.mode (list "relay" "gateway" "client-sidecar")) (not $v.upstream) }}
{{- fail (printf "upstream: is required in mode %s (given nothing, allowed HOST[:PORT])" $v.mode) }}
{{- end }}
{{- if and (eq $v.mode "sidecar") (not $v.server.image) }}
{{- fail "server.image: is required in mode sidecar (given nothing, allowed IMAGE:TAG)" }}
{{- end }}
{{- if and (eq $v.mode "client-sidecar") (not $v.application.image) }}
{{- fail "application.image: is required in mode client-sidecar (given nothing, allowed IMAGE:TAG)" }}
{{- end }}
{{- if and $v.autoscaling.enabled (ne $v.mode "client-sidecar") }}
{{- fail (printf "autoscaling.enabled: is for mode client-sidecar only, in the others data connections belong to one pod (given true in mode %s)" $v.mode) }}
{{- end }}
{{- if and (ne (int $v.replicas) 1) (ne $v.mode "client-sidecar") }}
{{- fail (printf "replicas: must be 1 in mode %s (given %d); several replicas are mode gateway, with gateway.replicas" $v.mode (int $v.replicas)) }}
{{- end }}
{{- if and (ne $v.tls.mode "off") (not $v.tls.secretName) }}
{{- fail (printf "tls.secretName: is required with tls.mode %s (given nothing, allowed the name of a Secret)" $v.tls.mode) }}
{{- end }}
{{- $range := splitList "-" (include "ftp-alg.dataPorts" .) }}
{{- if gt (atoi (first $range)) (atoi (last $range)) }}
{{- fail (printf "dataPorts: ends before it begins (given %s)" $v.dataPorts) }}
{{- end }}
{{- end }}

{{/* The configuration as a file: what the mode needs, then what `listener` and `config` say. */}}
{{- define "ftp-alg.config" -}}
{{- $v := .Values -}}
{{- $listener := dict "name" "ftp" "listen" (printf "%s:2121" $v.listenAddress) -}}
{{- $file := dict "dataPorts" (include "ftp-alg.dataPorts" .) -}}
{{- if eq $v.mode "edge" -}}
  {{- $_ := set $listener "name" "edge" -}}
  {{- $_ := set $listener "intercept" "redirect" -}}
  {{- $_ := set $file "pinholes" (dict "backend" "nftables") -}}
{{- else -}}
  {{- $_ := set $file "admin" (dict "listen" (printf "%s:9121" $v.listenAddress)) -}}
  {{- /* A changed ConfigMap reaches the running pods. */ -}}
  {{- $_ := set $file "reloadOnChange" true -}}
  {{- $_ := set $listener "upstream" $v.upstream -}}
{{- end -}}
{{- if eq $v.mode "client-sidecar" -}}
  {{- $_ := set $listener "name" "out" -}}
  {{- $_ := set $listener "listen" "127.0.0.1:21" -}}
  {{- $_ := set $listener "upstreamMode" "passive" -}}
{{- end -}}
{{- if eq $v.mode "sidecar" -}}
  {{- $_ := set $listener "upstream" "server" -}}
  {{- if $v.server.waitForTransfers -}}
    {{- $_ := set $file "admin" (merge (dict "drainFrom" $v.server.drainFrom) $file.admin) -}}
  {{- end -}}
  {{- $health := dict "interval" "5s" "rise" 1 "fall" 1 -}}
  {{- $_ := set $file "upstreams" (list (dict "name" "server" "servers" (list (dict "address" "127.0.0.1:21")) "health" $health)) -}}
{{- end -}}
{{- with $v.advertise }}{{ $_ := set $listener "advertise" (dict "clients" .) }}{{ end -}}
{{- if ne $v.tls.mode "off" -}}
  {{- $certificate := dict "certificate" "/etc/ftp-alg-tls/tls.crt" "key" "/etc/ftp-alg-tls/tls.key" -}}
  {{- $_ := set $listener "tls" (dict "mode" $v.tls.mode "certificates" (list $certificate)) -}}
{{- end -}}
{{- $_ := set $file "listeners" (list (mergeOverwrite $listener (deepCopy $v.listener))) -}}
{{- toYaml (mergeOverwrite $file (deepCopy $v.config)) }}
{{- end }}

{{/* `ports:` of a Service, from a dict of first, last and the port of control connections. */}}
{{- define "ftp-alg.servicePorts" -}}
- { name: ftp, port: {{ .port }}, targetPort: 2121, protocol: TCP }
{{- range untilStep (int .first) (add1 .last | int) 1 }}
- { name: data-{{ . }}, port: {{ . }}, targetPort: {{ . }}, protocol: TCP }
{{- end }}
{{- end }}

{{/* What all Services for clients have in common. */}}
{{- define "ftp-alg.serviceSpec" -}}
{{- with .Values.service -}}
type: {{ .type }}
{{- if ne .type "ClusterIP" }}
# Keeps the client's address: control and data connections are matched by it.
externalTrafficPolicy: {{ .externalTrafficPolicy }}
{{- end }}
ipFamilyPolicy: {{ .ipFamilyPolicy }}
{{- with .ipFamilies }}
ipFamilies: {{ toJson . }}
{{- end }}
{{- if eq .type "LoadBalancer" }}
{{- if not (kindIs "invalid" .allocateLoadBalancerNodePorts) }}
allocateLoadBalancerNodePorts: {{ .allocateLoadBalancerNodePorts }}
{{- end }}
{{- with .loadBalancerClass }}
loadBalancerClass: {{ . }}
{{- end }}
{{- with .loadBalancerSourceRanges }}
loadBalancerSourceRanges: {{ toJson . }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}
