// What no schema knows: that the manifests agree with one another and with the program.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { parse, stringify } from 'yaml'
import { k8sPorts } from '../../../src/cli/k8s-ports.ts'
import type { Config } from '../../../src/config/config.ts'
import { loadConfig } from '../../../src/config/load.ts'
import { configSetting, settings } from '../../../src/config/settings.ts'
import { prometheusFolder } from '../../support/alerts.ts'
import {
  configurationOf,
  environmentOf,
  type KubernetesObject,
  networkPolicyOf,
  type Overlay,
  overlays,
  proxyContainer,
  renderOverlay,
  servicesOf,
  workloadOf,
} from '../../support/kubernetes.ts'

const manifests = new URL('../../../deploy/kubernetes/', import.meta.url).pathname
const folder = mkdtempSync(join(tmpdir(), 'ftp-alg-kubernetes-'))
afterAll(() => rmSync(folder, { recursive: true }))

const node = { 'status.hostIP': '192.0.2.10', 'metadata.name': 'ftp-alg-0' }

/** As `ftp-alg check` reads it in a pod of this ordinal. */
function configOf(objects: readonly KubernetesObject[], ordinal = 0): Config {
  const file = join(folder, 'config.yaml')
  writeFileSync(file, configurationOf(objects))
  const fields = { ...node, "metadata.labels['apps.kubernetes.io/pod-index']": String(ordinal) }
  const environment = environmentOf(proxyContainer(objects), fields)
  return loadConfig({ flags: { config: file }, environment }).config
}

// kustomize takes a second or two, more on a busy machine.
vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 })

describe.each(overlays)('the overlay %s', (overlay) => {
  let objects: readonly KubernetesObject[]
  beforeAll(async () => {
    objects = await renderOverlay(overlay)
  })

  it('has a configuration that ftp-alg check accepts', () => {
    expect(configOf(objects).listeners).toHaveLength(1)
  })

  it('starts ftp-alg with the file that it mounts', () => {
    expect(proxyContainer(objects).args).toEqual(['run', '--config', '/etc/ftp-alg/config.yaml'])
  })

  it('sets no variable that ftp-alg does not read', () => {
    const known: readonly string[] = [configSetting.variable, ...settings.map(({ variable }) => variable)]
    const own = (proxyContainer(objects).env ?? []).map(({ name }) => name)
    expect(own.filter((name) => name.startsWith('FTP_ALG_') && !known.includes(name))).toEqual([])
  })

  it('names a port for each listener, and for probes and metrics', () => {
    const { listeners, admin } = configOf(objects)
    const ports = Object.fromEntries(
      (proxyContainer(objects).ports ?? []).map(({ name, containerPort }) => [name, containerPort]),
    )
    // The client sidecar listens on localhost, where nobody outside the pod could come.
    if (overlay !== 'client-sidecar') expect(ports.ftp).toBe(listeners[0]?.listen.port)
    expect(ports.admin).toBe(admin?.listen.port)
  })

  it('has its admin listener where the kubelet comes: on the address of the pod', () => {
    const { admin } = configOf(objects)
    const isOnHost = workloadOf(objects).spec.template.spec.hostNetwork === true
    expect(admin?.listen.address).toBe(isOnHost ? node['status.hostIP'] : '::')
  })

  it('has all three probes, on paths that exist', () => {
    const { startupProbe, readinessProbe, livenessProbe } = proxyContainer(objects)
    // A sidecar must have started before the server does that it waits for.
    const start = overlay === 'sidecar' ? '/livez' : '/readyz'
    expect(startupProbe?.httpGet).toEqual({ path: start, port: 'admin' })
    expect(readinessProbe?.httpGet).toEqual({ path: '/readyz', port: 'admin' })
    expect(livenessProbe?.httpGet).toEqual({ path: '/livez', port: 'admin' })
  })

  it('gives a drain the time that it may take', () => {
    const { terminationGracePeriodSeconds } = workloadOf(objects).spec.template.spec
    const before = proxyContainer(objects).lifecycle?.preStop?.sleep?.seconds ?? 0
    const drain = configOf(objects).shutdown.drainTimeoutMs / 1000
    expect(terminationGracePeriodSeconds).toBeGreaterThan(before + drain)
  })

  it('runs with as little as it can', () => {
    const pod = workloadOf(objects).spec.template.spec
    expect(pod.automountServiceAccountToken).toBe(false)
    expect(pod.enableServiceLinks).toBe(false)
    expect(pod.securityContext.seccompProfile?.type).toBe('RuntimeDefault')
    const own = proxyContainer(objects).securityContext
    expect(own).toMatchObject({ readOnlyRootFilesystem: true, allowPrivilegeEscalation: false })
    if (overlay === 'edge') {
      expect(own).toMatchObject({ runAsUser: 0, capabilities: { drop: ['ALL'], add: ['NET_ADMIN'] } })
    } else {
      expect(own).toMatchObject({ runAsNonRoot: true, runAsUser: 65532 })
      expect(own?.capabilities).toEqual({ drop: ['ALL'] })
    }
  })

  it('pins every image to a version', () => {
    const { initContainers = [], containers } = workloadOf(objects).spec.template.spec
    for (const { image } of [...initContainers, ...containers]) {
      expect(image).toMatch(/^[^:@]+:[^:]+$/)
      expect(image).not.toMatch(/:latest$/)
    }
    expect(proxyContainer(objects).image.endsWith('-nftables')).toBe(overlay === 'edge')
  })

  it('takes up a changed configuration: by a reload, or by rolling the pods where rules hang on it', () => {
    const map = objects.find(({ kind }) => kind === 'ConfigMap')
    expect(configOf(objects).reloadOnChange).toBe(overlay !== 'edge')
    expect(map?.metadata.name).toMatch(overlay === 'edge' ? /^ftp-alg-config-[a-z0-9]{10}$/ : /config$/)
    expect(JSON.stringify(workloadOf(objects))).toContain(`"configMap":{"name":"${map?.metadata.name}"}`)
  })

  it('admits through the NetworkPolicy the data ports of all pods, and nothing more', () => {
    const policy = networkPolicyOf(objects)
    if (overlay === 'edge') return expect(policy).toBeNull()
    const ranges = policy?.spec.ingress.flatMap(({ ports }) =>
      ports.filter(({ endPort }) => endPort !== undefined),
    )
    if (overlay === 'client-sidecar') return expect(ranges).toEqual([])
    const { first } = configOf(objects, 0).dataPorts.client
    const { last } = configOf(objects, (workloadOf(objects).spec.replicas ?? 1) - 1).dataPorts.client
    expect(ranges).toEqual([{ port: first, endPort: last, protocol: 'TCP' }])
  })

  it('lets only Prometheus come to the admin port', () => {
    const policy = networkPolicyOf(objects)
    if (policy === null) return expect(overlay).toBe('edge')
    const rules = policy.spec.ingress.filter(({ ports }) => ports.some(({ port }) => port === 9121))
    expect(rules).toHaveLength(1)
    expect(rules[0]?.from).toBeDefined()
    expect(rules[0]?.ports).toEqual([{ port: 9121, protocol: 'TCP' }])
  })

  it('leads every Service to exactly the pods that it is for, on the data ports that they listen on', () => {
    const { labels } = workloadOf(objects).spec.template.metadata
    for (const { metadata, spec } of servicesOf(objects)) {
      const { 'apps.kubernetes.io/pod-index': pod, ...others } = spec.selector
      for (const [label, value] of Object.entries(others)) expect(labels[label]).toBe(value)
      if (spec.type !== 'LoadBalancer') continue
      expect(spec.externalTrafficPolicy, metadata.name).toBe('Local')
      const ordinal = Number(pod ?? 0)
      const { first, last, announceOffset } = configOf(objects, ordinal).dataPorts.client
      const data = spec.ports.filter(({ name }) => name.startsWith('data-'))
      expect(data.map(({ targetPort }) => targetPort)).toEqual(
        Array.from({ length: last - first + 1 }, (_, index) => first + index),
      )
      for (const { port, targetPort } of data) expect(port).toBe(Number(targetPort) + announceOffset)
      expect(spec.ports.find(({ name }) => name === 'ftp')).toMatchObject({ port: 21, targetPort: 2121 })
    }
  })
})

describe('the overlay sidecar', () => {
  it('has one pod, for a second one behind the same Service would get the first one’s data connections', async () => {
    const { spec } = workloadOf(await renderOverlay('sidecar'))
    expect(spec.replicas).toBe(1)
    expect(spec).toMatchObject({ strategy: { type: 'Recreate' } })
  })
})

describe.each(['sidecar', 'client-sidecar'] as const)('the overlay %s', (overlay) => {
  it('makes ftp-alg a native sidecar: an init container that is always restarted', async () => {
    const pod = workloadOf(await renderOverlay(overlay)).spec.template.spec
    expect(pod.initContainers?.map(({ name, restartPolicy }) => [name, restartPolicy])).toEqual([
      ['ftp-alg', 'Always'],
    ])
    expect(pod.containers).toHaveLength(1)
  })
})

describe('the overlay client-sidecar', () => {
  it('may listen on its port without a privilege, and offers nobody a Service', async () => {
    const objects = await renderOverlay('client-sidecar')
    const [listener] = configOf(objects).listeners
    const { sysctls } = workloadOf(objects).spec.template.spec.securityContext
    expect(sysctls).toEqual([
      { name: 'net.ipv4.ip_unprivileged_port_start', value: String(listener?.listen.port) },
    ])
    expect(listener?.listen.address).toBe('127.0.0.1')
    expect(servicesOf(objects)).toEqual([])
  })
})

describe('the overlay gateway', () => {
  it('has a Service, a slice of the ports and a name for each replica', async () => {
    const objects = await renderOverlay('gateway')
    const { replicas = 0 } = workloadOf(objects).spec
    const pods = Array.from({ length: replicas }, (_, ordinal) => ordinal)
    const services = servicesOf(objects).filter(({ spec }) => spec.type === 'LoadBalancer')
    expect(services.map(({ spec }) => spec.selector['apps.kubernetes.io/pod-index']).sort()).toEqual(
      pods.map(String),
    )
    const taken = pods.flatMap((ordinal) => {
      const { first, last } = configOf(objects, ordinal).dataPorts.client
      return Array.from({ length: last - first + 1 }, (_, index) => first + index)
    })
    expect(new Set(taken).size).toBe(taken.length)
    expect(configOf(objects).listeners[0]?.advertise.clients).toEqual([
      { to: 'any', address: 'ftp-alg-0.ftp.example.net' },
    ])
  })

  it('keeps a headless Service for the names of the pods', async () => {
    const headless = servicesOf(await renderOverlay('gateway')).find(
      ({ metadata }) => metadata.name === 'ftp-alg',
    )
    expect(headless?.spec).toMatchObject({ type: 'ClusterIP', clusterIP: 'None' })
  })
})

describe('files that are made', () => {
  const ports = [
    { range: '30000-30049', service: 'ftp-alg', file: 'components/passive-ports/service-ports.yaml' },
    { range: '30000-30024', service: 'ftp-alg-0', file: 'overlays/gateway/ports-0.yaml' },
    { range: '30025-30049', service: 'ftp-alg-1', file: 'overlays/gateway/ports-1.yaml' },
  ]

  it.each(ports)('$file is what ftp-alg k8s-ports prints for $range', async ({ range, service, file }) => {
    let printed = ''
    await k8sPorts({
      range,
      service,
      nodePorts: false,
      sources: { flags: {}, environment: {} },
      stdout: { write: (text) => (printed += text) },
      stderr: { write: () => undefined },
    })
    expect(parse(readFileSync(join(manifests, file), 'utf8'))).toEqual(parse(printed))
  })

  it('components/prometheus-rules/prometheusrule.yaml has the rules of grafana/prometheus', async () => {
    const groups = ['recording.yml', 'alerts.yml'].flatMap(
      (file) => parse(readFileSync(join(prometheusFolder, file), 'utf8')).groups,
    )
    const rule = {
      apiVersion: 'monitoring.coreos.com/v1',
      kind: 'PrometheusRule',
      metadata: {
        name: 'ftp-alg',
        labels: {
          'app.kubernetes.io/name': 'ftp-alg',
          'app.kubernetes.io/part-of': 'ftp-alg',
          release: 'kube-prometheus-stack',
        },
      },
      spec: { groups },
    }
    const header =
      '# Made from grafana/prometheus/*.yml: npx vitest run -u test/unit/deploy/kubernetes.test.ts\n'
    await expect(header + stringify(rule, { lineWidth: 0 })).toMatchFileSnapshot(
      join(manifests, 'components/prometheus-rules/prometheusrule.yaml'),
    )
  })
})

describe('the components', () => {
  const all = (overlay: Overlay) =>
    renderOverlay(overlay, ['podmonitor', 'prometheus-rules', 'grafana-dashboard'])

  it('find the pods of every overlay, and their admin port', async () => {
    for (const overlay of overlays) {
      const objects = await all(overlay)
      const monitor = objects.find(({ kind }) => kind === 'PodMonitor')
      const { labels } = workloadOf(objects).spec.template.metadata
      expect(monitor).toMatchObject({
        spec: {
          selector: { matchLabels: { 'app.kubernetes.io/name': labels['app.kubernetes.io/name'] } },
          // The alerts say job="ftp-alg".
          jobLabel: 'app.kubernetes.io/part-of',
          podMetricsEndpoints: [{ port: 'admin', path: '/metrics' }],
        },
      })
      expect(labels['app.kubernetes.io/name']).toBe('ftp-alg')
    }
  })

  it('bring both dashboards, where the sidecar of Grafana looks for them', async () => {
    const map = (await all('gateway')).find(({ metadata }) => metadata.name === 'ftp-alg-dashboards')
    expect(map?.metadata.labels).toEqual({ grafana_dashboard: '1' })
    const data = map?.data ?? {}
    expect(Object.keys(data).sort()).toEqual(['ftp-alg-instance.json', 'ftp-alg-overview.json'])
    for (const text of Object.values(data)) expect(JSON.parse(text).title).toMatch(/^FTP ALG/)
    // Kubernetes takes no ConfigMap over 1 MiB, and kubectl apply none over 256 KiB.
    expect(JSON.stringify(data).length).toBeLessThan(262_144)
  })
})
