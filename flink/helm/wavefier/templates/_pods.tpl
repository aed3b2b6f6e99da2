{{/* What all pods have in common: how they are run and where. */}}
{{- define "wavefier.pod" -}}
automountServiceAccountToken: false
enableServiceLinks: false
securityContext:
  runAsNonRoot: true
  runAsUser: {{ .Values.pods.user }}
  runAsGroup: {{ .Values.pods.group }}
  fsGroup: {{ .Values.pods.group }}
  # A volume of many files is not walked through at each start.
  fsGroupChangePolicy: OnRootMismatch
  seccompProfile: {type: RuntimeDefault}
{{- with .Values.images.pullSecrets }}
imagePullSecrets:
{{- range . }}
  - name: {{ . }}
{{- end }}
{{- end }}
{{- with .Values.pods.nodeSelector }}
nodeSelector: {{ toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.pods.priorityClass }}
priorityClassName: {{ . }}
{{- end }}
tolerations:
{{- range list "not-ready" "unreachable" }}
  - {key: node.kubernetes.io/{{ . }}, operator: Exists, effect: NoExecute, tolerationSeconds: {{ $.Values.pods.lostNodeSeconds }}}
{{- end }}
{{- with .Values.pods.tolerations }}
{{ toYaml . | indent 2 }}
{{- end }}
{{- end }}

{{/* Two of a kind rather on two nodes. Takes a list: the chart's context and the name of a part. */}}
{{- define "wavefier.spread" -}}
topologySpreadConstraints:
  - maxSkew: 1
    topologyKey: kubernetes.io/hostname
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels: {{ include "wavefier.selector" . | nindent 8 }}
{{- end }}

{{- define "wavefier.container" -}}
imagePullPolicy: {{ .Values.images.pullPolicy }}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities: {drop: [ALL]}
{{- end }}

{{/* Where Python and its libraries may write. */}}
{{- define "wavefier.pythonEnv" -}}
- {name: HOME, value: /tmp}
- {name: MPLCONFIGDIR, value: /tmp}
- {name: NUMBA_CACHE_DIR, value: /tmp/numba}
- {name: WAVEFIER_LOG, value: {{ .Values.logs.format }}}
# One thread for each process: Beam parallelises over blocks, not inside numpy.
- {name: OMP_NUM_THREADS, value: "1"}
- {name: OPENBLAS_NUM_THREADS, value: "1"}
{{- end }}

{{/* The science, and what secures Kafka: read by whoever runs our code. */}}
{{- define "wavefier.pythonMounts" -}}
- {name: tmp, mountPath: /tmp}
- {name: science, mountPath: /etc/wavefier/science, readOnly: true}
{{- if and .Values.kafka.secret .Values.live.enabled }}
- {name: kafka, mountPath: /etc/wavefier/kafka, readOnly: true}
{{- end }}
{{- if include "wavefier.results" . }}
- {name: results, mountPath: /results}
{{- end }}
{{- end }}

{{- define "wavefier.pythonVolumes" -}}
- name: tmp
  emptyDir: {sizeLimit: {{ .Values.pods.tmpSize }}}
- name: science
  configMap: {name: {{ include "wavefier.name" . }}-science}
{{- if and .Values.kafka.secret .Values.live.enabled }}
- name: kafka
  secret: {secretName: {{ .Values.kafka.secret }}, defaultMode: 0440}
{{- end }}
{{- if include "wavefier.results" . }}
- name: results
  persistentVolumeClaim: {claimName: {{ include "wavefier.claim" (list . "results") }}}
{{- end }}
{{- end }}

{{/* Mounts of a Flink process. */}}
{{- define "wavefier.flinkMounts" -}}
- {name: flink-tmp, mountPath: /tmp}
{{- if include "wavefier.internal" . }}
- {name: keystore, mountPath: /opt/flink/keystore, readOnly: true}
{{- end }}
- {name: flink, mountPath: /opt/flink/conf, readOnly: true}
# Only this container may speak to Kubernetes.
- {name: token, mountPath: /var/run/secrets/kubernetes.io/serviceaccount, readOnly: true}
{{- if eq .Values.storage.state.kind "volume" }}
- {name: state, mountPath: /state}
{{- end }}
{{- end }}

{{- define "wavefier.flinkVolumes" -}}
- name: flink-tmp
  emptyDir: {sizeLimit: {{ .Values.pods.tmpSize }}}
{{- if include "wavefier.internal" . }}
- name: internal
  secret: {secretName: {{ include "wavefier.internalSecret" . }}, defaultMode: 0440}
- name: keystore
  emptyDir: {medium: Memory, sizeLimit: 1Mi}
{{- end }}
- name: flink
  configMap: {name: {{ include "wavefier.name" . }}-flink}
- name: token
  projected:
    sources:
      - serviceAccountToken: {path: token, expirationSeconds: 3607}
      - configMap: {name: kube-root-ca.crt, items: [{key: ca.crt, path: ca.crt}]}
      - downwardAPI: {items: [{path: namespace, fieldRef: {fieldPath: metadata.namespace}}]}
{{- if eq .Values.storage.state.kind "volume" }}
- name: state
  persistentVolumeClaim: {claimName: {{ include "wavefier.claim" (list . "state") }}}
{{- end }}
{{- end }}

{{/* An init container: Java reads no PEM. The store and its password stay in this pod's memory. */}}
{{- define "wavefier.keystore" -}}
{{- if include "wavefier.internal" . }}
- name: keystore
  image: {{ include "wavefier.image" (list . "flink") }}
  {{- include "wavefier.container" . | nindent 2 }}
  command: [openssl, pkcs12, -export]
  args:
    - -in=/etc/wavefier/internal/tls.crt
    - -inkey=/etc/wavefier/internal/tls.key
    - -name=internal
    - -passout=pass:internal
    - -out=/opt/flink/keystore/internal.p12
  volumeMounts:
    - {name: internal, mountPath: /etc/wavefier/internal, readOnly: true}
    - {name: keystore, mountPath: /opt/flink/keystore}
  resources:
    requests: {cpu: 50m, memory: 32Mi}
    limits: {memory: 64Mi}
{{- end }}
{{- end }}

{{- define "wavefier.flinkEnv" -}}
- {name: POD_IP, valueFrom: {fieldRef: {fieldPath: status.podIP}}}
- {name: POD_NAME, valueFrom: {fieldRef: {fieldPath: metadata.name}}}
- {name: FLINK_CONF_DIR, value: /opt/flink/conf}
- {name: FLINK_LOG_DIR, value: /tmp}
- {name: FLINK_PID_DIR, value: /tmp}
- {name: HOME, value: /tmp}
{{- with .Values.storage.state.s3.secret }}
{{- if eq $.Values.storage.state.kind "s3" }}
- {name: AWS_ACCESS_KEY_ID, valueFrom: {secretKeyRef: {name: {{ . }}, key: access-key}}}
- {name: AWS_SECRET_ACCESS_KEY, valueFrom: {secretKeyRef: {name: {{ . }}, key: secret-key}}}
{{- end }}
{{- end }}
{{- end }}

{{/* A container's memory is that of its one process. */}}
{{- define "wavefier.flinkResources" -}}
requests: {cpu: {{ .cpu | quote }}, memory: {{ .memoryMb }}Mi}
limits: {memory: {{ .memoryMb }}Mi}
{{- end }}

{{/* A rule of a NetworkPolicy: where pods may go. */}}
{{- define "wavefier.towards" -}}
- ports:
  {{- range .ports }}
    - {port: {{ . }}, protocol: TCP}
  {{- end }}
  {{- with .peers }}
  to: {{ toYaml . | nindent 4 }}
  {{- end }}
{{- end }}

{{/* The pods of a part, as a NetworkPolicy names them. Takes a list: the chart's context and the part. */}}
{{- define "wavefier.peer" -}}
- podSelector:
    matchLabels: {{ include "wavefier.selector" . | nindent 6 }}
{{- end }}
