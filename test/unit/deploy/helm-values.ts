// Values that the chart is rendered with.

import type { Values } from '../../support/helm.ts'
import type { Overlay } from '../../support/kubernetes.ts'

export const monitoring = {
  podMonitor: { enabled: true },
  rules: { enabled: true },
  dashboards: { enabled: true },
}

/** The values that make of the chart what an overlay is. */
export const overlayValues: Readonly<Record<Overlay, Values>> = {
  sidecar: {
    mode: 'sidecar',
    server: { image: 'registry.example/ftp-server:1.0.0' },
    advertise: [
      { to: '10.0.0.0/8', address: 'own' },
      { to: 'fc00::/7', address: 'own' },
      { to: 'any', address: 'ftp.example.net' },
    ],
  },
  'client-sidecar': {
    mode: 'client-sidecar',
    upstream: 'ftp.partner.example:21',
    application: { image: 'registry.example/application:1.0.0' },
  },
  gateway: { mode: 'gateway', upstream: 'ftp.internal.example:21' },
  edge: { mode: 'edge' },
}

export const relay = { mode: 'relay', upstream: 'ftp.internal.example' }

/** What people set besides, each with what must come of it. */
export const valueSets: Readonly<Record<string, Values>> = {
  'the least': relay,
  'IPv4 alone': {
    ...relay,
    listenAddress: '0.0.0.0',
    service: { ipFamilyPolicy: 'SingleStack', ipFamilies: ['IPv4'] },
  },
  'IPv6 alone': { ...relay, service: { ipFamilyPolicy: 'SingleStack', ipFamilies: ['IPv6'] } },
  'both, IPv6 first': {
    ...relay,
    service: { ipFamilyPolicy: 'RequireDualStack', ipFamilies: ['IPv6', 'IPv4'] },
  },
  'a balancer without node ports': {
    ...relay,
    service: {
      allocateLoadBalancerNodePorts: false,
      loadBalancerClass: 'example.net/lb',
      loadBalancerSourceRanges: ['203.0.113.0/24'],
      annotations: { 'example.net/pool': 'ftp' },
    },
  },
  'node ports': { ...relay, service: { type: 'NodePort' }, dataPorts: '30000-30009' },
  'inside only': { ...relay, service: { type: 'ClusterIP' } },
  'a ServiceMonitor': { ...relay, monitoring: { serviceMonitor: { enabled: true }, labels: {} } },
  'three replicas': {
    ...overlayValues.gateway,
    gateway: { replicas: 3, advertise: 'ftp{index}.example.net', serviceAnnotations: {} },
    updateStrategy: { type: 'OnDelete' },
    podDisruptionBudget: { maxUnavailable: '50%' },
  },
  'a gateway behind a balancer': {
    ...overlayValues.gateway,
    gateway: { advertise: '', serviceAnnotations: {} },
    service: { type: 'ClusterIP' },
    listener: { proxyProtocol: { from: ['10.0.0.5'] } },
  },
  'an autoscaled application': { ...overlayValues['client-sidecar'], autoscaling: { enabled: true } },
  'a server as root with a volume that is there': {
    ...overlayValues.sidecar,
    server: {
      image: 'registry.example/vsftpd@sha256:'.padEnd(95, '0'),
      securityContext: { runAsNonRoot: false, runAsUser: 0, capabilities: { add: ['SETUID'] } },
      waitForTransfers: false,
      env: [{ name: 'A', value: 'b' }],
      persistence: { existingClaim: 'files', mountPath: '/home' },
    },
  },
  'edge nodes of IPv6': { mode: 'edge', edge: { ipv6Node: true, tolerations: [], nodeSelector: { a: 'b' } } },
  'everything else': {
    ...relay,
    image: { repository: 'registry.mine.example:5000/ftp', tag: '1.2.3', pullPolicy: 'Always' },
    imagePullSecrets: [{ name: 'pull' }],
    listener: { upstreamMode: 'passive' },
    config: { limits: { sessions: 1_000_000, idle: '5m' }, log: { level: 'debug' } },
    networkPolicy: {
      monitoringNamespace: 'prometheus',
      clients: [{ ipBlock: { cidr: '203.0.113.0/24' } }],
      extraEgress: [{ ports: [{ port: 990, protocol: 'TCP' }] }],
    },
    serviceAccount: { create: false, name: 'mine' },
    podLabels: { team: 'files' },
    podAnnotations: { a: 'b' },
    nodeSelector: { a: 'b' },
    tolerations: [{ operator: 'Exists' }],
    affinity: { nodeAffinity: {} },
    priorityClassName: 'high',
    extraEnv: [{ name: 'FTP_ALG_LOG_LEVEL', value: 'debug' }],
    extraVolumes: [{ name: 'more', emptyDir: {} }],
    extraVolumeMounts: [{ name: 'more', mountPath: '/more' }],
    extraObjects: [
      { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: '{{ .Release.Name }}-more' } },
      'apiVersion: v1\nkind: ServiceAccount\nmetadata: { name: "{{ .Release.Namespace }}-text" }\n',
    ],
  },
}
