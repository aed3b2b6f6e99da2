{{- define "wavefier.name" -}}
{{- $full := printf "%s-wavefier" .Release.Name -}}
{{- if contains "wavefier" .Release.Name }}{{ $full = .Release.Name }}{{ end -}}
{{- .Values.fullnameOverride | default $full | trunc 30 | trimSuffix "-" -}}
{{- end }}

{{/* Takes a list: the chart's context and the name of a part. */}}
{{- define "wavefier.selector" -}}
app.kubernetes.io/name: wavefier
app.kubernetes.io/instance: {{ (index . 0).Release.Name }}
app.kubernetes.io/component: {{ index . 1 }}
{{- end }}

{{- define "wavefier.labels" -}}
{{ include "wavefier.selector" . }}
app.kubernetes.io/version: {{ (index . 0).Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ (index . 0).Release.Service }}
helm.sh/chart: {{ (index . 0).Chart.Name }}-{{ (index . 0).Chart.Version }}
{{- end }}

{{/* A pod's: without versions, whose change would be a restart. */}}
{{- define "wavefier.podLabels" -}}
{{ include "wavefier.selector" . }}
{{- with (index . 0).Values.pods.labels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/* Takes a list: the chart's context and the name of an image. */}}
{{- define "wavefier.image" -}}
{{- $root := index . 0 -}}
{{- $image := index $root.Values.images (index . 1) -}}
{{- with $root.Values.images.registry }}{{ trimSuffix "/" . }}/{{ end -}}
{{- $image.repository -}}
{{- if $image.digest }}@{{ $image.digest }}
{{- else }}:{{ $image.tag | default $root.Values.images.tag | default $root.Chart.AppVersion }}{{ end -}}
{{- end }}

{{- define "wavefier.brokers" -}}
{{- if .Values.kafka.trial.enabled -}}
{{ include "wavefier.name" . }}-kafka:9092
{{- else -}}
{{ .Values.kafka.brokers }}
{{- end -}}
{{- end }}

{{/* What decides which job this is: another value, another job, without the old one's state. */}}
{{- define "wavefier.jobId" -}}
{{- $live := omit .Values.live "patienceSeconds" "makeTopics" -}}
{{- $what := dict "live" $live "science" .Values.science "brokers" (include "wavefier.brokers" .) -}}
{{- $_ := set $what "worker" (include "wavefier.image" (list . "worker")) -}}
{{- $_ = set $what "flink" (include "wavefier.image" (list . "flink")) -}}
{{- /* Where its state lies: on another volume there is none. */ -}}
{{- $state := .Values.storage.state -}}
{{- $_ = set $what "state" (ternary (list $state.s3.endpoint $state.s3.path) (list $state.volume.claim) (eq $state.kind "s3")) -}}
{{- toJson $what | sha256sum | trunc 10 -}}
{{- end }}

{{- define "wavefier.clusterId" -}}
{{ include "wavefier.name" . }}-{{ include "wavefier.jobId" . }}
{{- end }}

{{- define "wavefier.jobName" -}}
wavefier-live-{{ .Values.live.group }}
{{- end }}

{{/* The folder of results. The job puts the id of its science for {config}: what is built in counts too, and may change with an image. */}}
{{- define "wavefier.liveFolder" -}}
/results/live-{config}
{{- end }}

{{/* Releases of one name in several namespaces may share a volume or a bucket. */}}
{{- define "wavefier.state" -}}
{{- $own := printf "%s/%s" .Release.Namespace (include "wavefier.clusterId" .) -}}
{{- if eq .Values.storage.state.kind "s3" -}}
{{ trimSuffix "/" .Values.storage.state.s3.path }}/{{ $own }}
{{- else -}}
file:///state/{{ $own }}
{{- end -}}
{{- end }}

{{/* Whether Flink's own connections are secured, and the Secret that holds their key. */}}
{{- define "wavefier.internal" -}}
{{- if and .Values.live.enabled .Values.security.internal.enabled }}true{{ end -}}
{{- end }}

{{- define "wavefier.internalSecret" -}}
{{ .Values.security.internal.secret | default (printf "%s-internal" (include "wavefier.name" .)) }}
{{- end }}

{{- define "wavefier.account" -}}
{{- $root := index . 0 -}}
{{- if eq (index . 1) "jobmanager" -}}
{{ $root.Values.rbac.jobManagerAccount | default (printf "%s-jobmanager" (include "wavefier.name" $root)) }}
{{- else -}}
{{ $root.Values.rbac.taskManagerAccount | default (printf "%s-taskmanager" (include "wavefier.name" $root)) }}
{{- end -}}
{{- end }}

{{- define "wavefier.claim" -}}
{{- $root := index . 0 -}}
{{- (index $root.Values.storage (index . 1)).volume.claim | default (printf "%s-%s" (include "wavefier.name" $root) (index . 1)) -}}
{{- end }}

{{/* Whether files of results are written at all. */}}
{{- define "wavefier.results" -}}
{{- if or .Values.archive.enabled (and .Values.live.enabled .Values.live.files) }}true{{ end -}}
{{- end }}

{{/* Rules that concern several values; each says what to do. */}}
{{- define "wavefier.check" -}}
{{- $v := .Values -}}
{{- if and (not $v.live.enabled) (not $v.archive.enabled) -}}
{{- fail "nothing to run: set live.enabled or archive.enabled to true" -}}
{{- end -}}
{{- if and $v.live.enabled (not $v.kafka.brokers) (not $v.kafka.trial.enabled) -}}
{{- fail "kafka.brokers: set HOST:PORT of your Kafka, or kafka.trial.enabled=true for a trial" -}}
{{- end -}}
{{- if and $v.kafka.brokers $v.kafka.trial.enabled -}}
{{- fail "kafka.brokers and kafka.trial.enabled: set only one of them" -}}
{{- end -}}
{{- if and $v.kafka.secret $v.kafka.trial.enabled -}}
{{- fail "kafka.secret: the Kafka of kafka.trial has no security; set kafka.brokers to another, or leave the secret out" -}}
{{- end -}}
{{- if and $v.live.enabled (gt (int $v.live.parallelism) (mul (int $v.taskManager.replicas) (int $v.taskManager.slots))) -}}
{{- fail (printf "live.parallelism %d needs as many slots: taskManager.replicas x taskManager.slots is %d" (int $v.live.parallelism) (mul (int $v.taskManager.replicas) (int $v.taskManager.slots))) -}}
{{- end -}}
{{- if and (eq $v.storage.state.kind "s3") (not $v.storage.state.s3.path) -}}
{{- fail "storage.state.s3.path: set s3://BUCKET/PREFIX for the checkpoints" -}}
{{- end -}}
{{- if and (eq $v.storage.state.kind "s3") (ne (int $v.pods.user) 10001) -}}
{{- fail "pods.user: for storage.state.kind s3 leave 10001, the user that has a name in the image of Flink; its S3 asks for one" -}}
{{- end -}}
{{- if and $v.security.internal.secret (not $v.security.internal.enabled) -}}
{{- fail "security.internal.secret is of no use while security.internal.enabled is false: set only one of them" -}}
{{- end -}}
{{- if and $v.archive.enabled (not $v.archive.files) -}}
{{- fail "archive.files: name the files to analyse" -}}
{{- end -}}
{{- if and $v.archive.enabled (not $v.archive.input.claim) -}}
{{- fail "archive.input.claim: name the PersistentVolumeClaim that holds the files" -}}
{{- end -}}
{{- if and (not $v.rbac.create) $v.live.enabled (not (and $v.rbac.jobManagerAccount $v.rbac.taskManagerAccount)) -}}
{{- fail "rbac.create is false: name the accounts that are there in rbac.jobManagerAccount and rbac.taskManagerAccount" -}}
{{- end -}}
{{- end }}
