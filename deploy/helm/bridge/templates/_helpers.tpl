{{/* The name of everything: at most 40 characters, so that names of pods, which are slots, and labels made from them fit. */}}
{{- define "bridge.name" -}}
{{- if contains .Chart.Name .Release.Name }}{{ .Release.Name | trunc 40 | trimSuffix "-" }}
{{- else }}{{ printf "%s-%s" .Release.Name .Chart.Name | trunc 40 | trimSuffix "-" }}{{ end }}
{{- end }}

{{- define "bridge.selector" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "bridge.labels" -}}
{{ include "bridge.selector" . }}
app.kubernetes.io/version: {{ .Values.image.tag | default .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end }}

{{- define "bridge.image" -}}
{{- $i := .Values.image -}}
{{- if not $i.repository }}{{ fail "image.repository is empty; build the image with deploy/docker/Dockerfile, push it to your registry, and set its name" }}{{ end -}}
{{ $i.repository }}{{ if $i.digest }}@{{ $i.digest }}{{ else }}:{{ $i.tag | default .Chart.AppVersion }}{{ end }}
{{- end }}

{{/* The settings file: the text of the values, and the two ports that the chart opens. */}}
{{- define "bridge.settings" -}}
{{- $name := index . 0 }}{{ $text := index . 1 -}}
{{- if not (trim $text) }}{{ fail (printf "%s is empty; set it to the settings file with --set-file %s=bridge.yaml" $name $name) }}{{ end -}}
{{- $c := fromYaml $text -}}
{{- with $c.Error }}{{ fail (printf "%s is not a settings file: %s" $name .) }}{{ end -}}
{{- range $key := list "probes" "metrics" -}}
{{- if hasKey $c $key }}{{ fail (printf "%s has the key %s; remove it, because the chart sets its address" $name $key) }}{{ end -}}
{{- end -}}
{{- $whole := printf "%s\n# Added by the chart.\nprobes: {listen: \":8088\"}\nmetrics: {listen: \":9464\"}\n" (trimSuffix "\n" $text) -}}
{{- if ne (toString (dig "probes" "listen" "" (fromYaml $whole))) ":8088" }}{{ fail (printf "keys cannot be added to %s; write one document, with one key on a line and without braces around them" $name) }}{{ end -}}
{{ $whole }}
{{- end }}

{{/* Seconds of a duration of the settings that is written as 20s or 2m. */}}
{{- define "bridge.seconds" -}}
{{- if regexMatch "^[0-9]+s$" . }}{{ trimSuffix "s" . }}
{{- else if regexMatch "^[0-9]+m$" . }}{{ mul (trimSuffix "m" . | int) 60 }}
{{- else }}{{ fail (printf "delivery.grace and delivery.revoke_bound are %s; write whole seconds or minutes, such as 30s or 2m, from which the chart calculates terminationGracePeriodSeconds" .) }}{{ end }}
{{- end }}

{{/* What a stop may take: running calls, partitions that are given away, and the rest. The argument is the settings. */}}
{{- define "bridge.grace" -}}
{{- $d := (fromYaml .).delivery | default dict -}}
{{ add (include "bridge.seconds" ($d.grace | default "20s")) (include "bridge.seconds" ($d.revoke_bound | default "20s")) 20 }}
{{- end }}

{{/* Nine tenths of limits.memory. The arguments are the name of the resources in the values, and the resources. */}}
{{- define "bridge.memory" -}}
{{- $name := index . 0 }}{{ $m := dig "limits" "memory" "" (index . 1) | toString -}}
{{- if regexMatch "^[0-9]+Mi$" $m }}{{ div (mul (trimSuffix "Mi" $m | int) 9) 10 }}MiB
{{- else if regexMatch "^[0-9]+Gi$" $m }}{{ div (mul (trimSuffix "Gi" $m | int) 9216) 10 }}MiB
{{- else if $m }}{{ fail (printf "%s.limits.memory is %s; write it in Mi or Gi, such as 256Mi, from which the chart calculates GOMEMLIMIT" $name $m) }}{{ end }}
{{- end }}

{{- define "bridge.podSecurity" -}}
runAsNonRoot: true
runAsUser: 65534
runAsGroup: 65534
# Secrets have mode 0440, belong to root and to this group: the bridge refuses keys that others may read.
fsGroup: 65534
seccompProfile: {type: RuntimeDefault}
{{- end }}

{{- define "bridge.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end }}

{{/* The container's part that pods and Jobs share. The second argument is empty, or "receiver.", the prefix of the
     values that make the difference. */}}
{{- define "bridge.container" -}}
{{- $ := index . 0 }}{{ $prefix := index . 1 }}{{ $own := ternary $.Values.receiver $.Values (ne $prefix "") -}}
image: {{ include "bridge.image" $ | quote }}
imagePullPolicy: {{ $.Values.image.pullPolicy }}
securityContext: {{- include "bridge.containerSecurity" $ | nindent 2 }}
resources: {{- toYaml $own.resources | nindent 2 }}
env:
  - name: POD_NAME
    valueFrom: {fieldRef: {fieldPath: metadata.name}}
  - {name: STATE_DIRECTORY, value: /var/lib/bridge}
{{- with include "bridge.memory" (list (printf "%sresources" $prefix) $own.resources) }}
  - {name: GOMEMLIMIT, value: {{ . }}}
{{- end }}
{{- with $.Values.pod.env }}
{{ toYaml . | indent 2 }}
{{- end }}
volumeMounts:
  - {name: settings, mountPath: /etc/bridge, readOnly: true}
  - {name: state, mountPath: /var/lib/bridge}
{{- range $i, $m := $own.secretMounts }}
{{- if regexMatch "^/etc/bridge(/|$)" $m.path }}{{ fail (printf "%ssecretMounts[%d].path is %s; use a folder outside /etc/bridge, which is that of the settings" $prefix $i $m.path) }}{{ end }}
  - {name: secret-{{ $i }}, mountPath: {{ $m.path }}, readOnly: true}
{{- end }}
{{- with $.Values.pod.volumeMounts }}
{{ toYaml . | indent 2 }}
{{- end }}
{{- end }}

{{/* The pod's part that pods and Jobs share. The second argument is the ConfigMap with the settings, the third that of
     secretMounts. */}}
{{- define "bridge.pod" -}}
{{- $ := index . 0 -}}
automountServiceAccountToken: false
enableServiceLinks: false
securityContext: {{- include "bridge.podSecurity" $ | nindent 2 }}
{{- with $.Values.image.pullSecrets }}
imagePullSecrets: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $.Values.pod }}
{{- range $key := list "serviceAccountName" "priorityClassName" "nodeSelector" "affinity" "tolerations" }}
{{- with get $.Values.pod $key }}
{{ $key }}: {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}
{{- end }}
volumes:
  - name: settings
    configMap: {name: {{ index . 1 }}}
  # The copy of trade status. It may be lost: then it is read from its topic again.
  - name: state
    emptyDir: {}
{{- range $i, $m := index . 2 }}
  - name: secret-{{ $i }}
    secret: {secretName: {{ $m.secret }}, defaultMode: 0440}
{{- end }}
{{- with $.Values.pod.volumes }}
{{ toYaml . | indent 2 }}
{{- end }}
{{- end }}

{{/* Where pods may run: spread over zones and nodes where possible. The second argument is their component. */}}
{{- define "bridge.spread" -}}
{{- $ := index . 0 }}{{ $component := index . 1 -}}
topologySpreadConstraints:
  {{- with $.Values.pod.topologySpreadConstraints }}
  {{- toYaml . | nindent 2 }}
  {{- else }}
  {{- range $key := list "topology.kubernetes.io/zone" "kubernetes.io/hostname" }}
  - topologyKey: {{ $key }}
    maxSkew: 1
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels: {{- include "bridge.selector" $ | nindent 8 }}
        app.kubernetes.io/component: {{ $component }}
  {{- end }}
  {{- end }}
{{- end }}

{{/* The probes that all pods share. */}}
{{- define "bridge.probes" -}}
# Until the process serves: five minutes.
startupProbe:
  httpGet: {path: /livez, port: probes}
  periodSeconds: 2
  failureThreshold: 150
livenessProbe:
  httpGet: {path: /livez, port: probes}
  periodSeconds: 10
  timeoutSeconds: 5
  failureThreshold: 6
# It depends neither on Alipay nor on one account, so an outage takes no pod away.
readinessProbe:
  httpGet: {path: /readyz, port: probes}
  periodSeconds: 5
  timeoutSeconds: 3
  failureThreshold: 3
{{- end }}

{{/* The settings of the receiver. It opens the port of the Service, and mounts no secret with a private key (security N1). */}}
{{- define "bridge.receiverSettings" -}}
{{- $r := .Values.receiver }}{{ $name := ternary "receiver.config" "config" (not (empty $r.config)) }}{{ $text := $r.config | default .Values.config }}
{{- $settings := include "bridge.settings" (list $name $text) -}}
{{- $listen := dig "notify" "listen" "" (fromYaml $settings) | toString -}}
{{- if not (regexMatch "^(0\\.0\\.0\\.0|\\[::\\])?:8086$" $listen) }}{{ fail (printf "notify.listen in %s is %q; set it to \":8086\", the port of the receiver's Service" $name $listen) }}{{ end -}}
{{- $private := dict -}}
{{- range $app := dig "apps" dict (fromYaml .Values.config) }}{{ range $key := list "private_key_file" "next_private_key_file" }}
{{- range $m := $.Values.secretMounts }}
{{- if hasPrefix (printf "%s/" $m.path) (dig $key "" $app | toString) }}{{ $_ := set $private $m.secret true }}{{ end -}}
{{- end }}{{ end }}{{ end -}}
{{- range $i, $m := $r.secretMounts }}
{{- if hasKey $private $m.secret }}{{ fail (printf "receiver.secretMounts[%d].secret is %s, which has a private key; make a secret of the public keys alone" $i $m.secret) }}{{ end -}}
{{- end -}}
{{ $settings }}
{{- end }}
