// What a cluster's administrator looks at first, and what shows only once a user has made an overlay of their own.

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it, vi } from 'vitest'
import { parse } from 'yaml'
import {
  configurationOf,
  type KubernetesObject,
  networkPolicyOf,
  type Overlay,
  overlays,
  renderOverlay,
  servicesOf,
  workloadOf,
} from '../../support/kubernetes.ts'

const project = new URL('../../../', import.meta.url).pathname

// kustomize takes a second or two, more on a busy machine.
vi.setConfig({ testTimeout: 120_000 })

/** A second one in the same namespace, as docs/kubernetes.md says. */
const second = (overlay: Overlay) =>
  renderOverlay(overlay, ['podmonitor', 'prometheus-rules'], {
    namespace: 'ftp',
    nameSuffix: '-b',
    labels: [{ pairs: { 'app.kubernetes.io/instance': 'ftp-alg-b' }, includeSelectors: true }],
  })

/** Of everything that selects pods. */
function selectorsOf(objects: readonly KubernetesObject[]): Readonly<Record<string, string>>[] {
  const policy = networkPolicyOf(objects)
  const others = objects.filter(({ kind }) => kind === 'PodMonitor' || kind === 'PodDisruptionBudget')
  return [
    workloadOf(objects).spec.selector.matchLabels,
    ...servicesOf(objects).map(({ spec }) => spec.selector),
    ...(policy === null ? [] : [policy.spec.podSelector.matchLabels]),
    ...others.map((object) => JSON.parse(JSON.stringify(object)).spec.selector.matchLabels),
  ]
}

describe.each(overlays)('the overlay %s', (overlay) => {
  it('names ports of the pod by number, for a native sidecar’s names are unknown before Kubernetes 1.33', async () => {
    const objects = await renderOverlay(overlay)
    const targets = servicesOf(objects).flatMap(({ spec }) => spec.ports.map(({ targetPort }) => targetPort))
    const admitted = networkPolicyOf(objects)?.spec.ingress.flatMap(({ ports }) => ports) ?? []
    for (const port of [...targets, ...admitted.map(({ port }) => port)]) expect(port).toBeTypeOf('number')
  })

  it('selects no pods of a second one in the namespace, and the second none of its', async () => {
    const first = await renderOverlay(overlay)
    const other = await second(overlay)
    for (const [objects, instance] of [
      [first, 'ftp-alg'],
      [other, 'ftp-alg-b'],
    ] as const) {
      const { labels } = workloadOf(objects).spec.template.metadata
      expect(labels['app.kubernetes.io/instance']).toBe(instance)
      for (const selector of selectorsOf(objects)) {
        expect(selector['app.kubernetes.io/instance']).toBe(instance)
      }
    }
    const names = first.map(({ kind, metadata }) => `${kind} ${metadata.name}`)
    for (const { kind, metadata } of other) expect(names).not.toContain(`${kind} ${metadata.name}`)
  })

  it('announces no name that a suffix changes', async () => {
    const names = servicesOf(await renderOverlay(overlay)).map(({ metadata }) => metadata.name)
    const { listeners } = parse(configurationOf(await second(overlay)))
    for (const { address } of listeners[0].advertise?.clients ?? []) expect(names).not.toContain(address)
  })

  it('listens on both families, and gets addresses of both where the cluster has them', async () => {
    const objects = await renderOverlay(overlay)
    const { listeners } = parse(configurationOf(objects))
    // The application beside it knows 127.0.0.1 only.
    const address = overlay === 'client-sidecar' ? /^127\.0\.0\.1:/ : /^\[::\]:/
    expect(listeners[0].listen).toMatch(address)
    for (const { spec } of servicesOf(objects)) expect(spec.ipFamilyPolicy).toBe('PreferDualStack')
  })

  it('carries the version of the package, on the images too', async () => {
    const { version } = JSON.parse(readFileSync(join(project, 'package.json'), 'utf8'))
    const workload = workloadOf(await renderOverlay(overlay))
    expect(workload.metadata.labels?.['app.kubernetes.io/version']).toBe(version)
    const { containers, initContainers = [] } = workload.spec.template.spec
    const { image } = [...initContainers, ...containers].find(({ name }) => name === 'ftp-alg') ?? {}
    expect(image?.replace(/-nftables$/, '').endsWith(`:${version}`)).toBe(true)
  })
})

describe('the components for the Prometheus operator', () => {
  it('have the label that kube-prometheus-stack selects by', async () => {
    const kinds = (await second('gateway')).filter(({ apiVersion }) => apiVersion.startsWith('monitoring.'))
    expect(kinds.map(({ metadata }) => metadata.labels?.release)).toEqual([
      'kube-prometheus-stack',
      'kube-prometheus-stack',
    ])
  })
})

describe('the FTP server beside the sidecar', () => {
  it('runs as the Pod Security Standard "restricted" wants it, and keeps its files', async () => {
    const pod = workloadOf(await renderOverlay('sidecar')).spec.template.spec
    const [server] = pod.containers
    expect(server?.securityContext).toMatchObject({
      runAsNonRoot: true,
      allowPrivilegeEscalation: false,
      capabilities: { drop: ['ALL'] },
    })
    expect(pod.securityContext.sysctls).toEqual([
      { name: 'net.ipv4.ip_unprivileged_port_start', value: '21' },
    ])
    const volumes = pod.volumes?.map(({ name }) => name)
    for (const { name } of server?.volumeMounts ?? []) expect(volumes).toContain(name)
    expect(server?.volumeMounts).toHaveLength(1)
  })

  it('waits for the sessions, within the time of the pod, where the kubelet may ask for it', async () => {
    const objects = await renderOverlay('sidecar')
    const { containers, terminationGracePeriodSeconds } = workloadOf(objects).spec.template.spec
    const { path = '', port } = containers[0]?.lifecycle?.preStop?.httpGet ?? {}
    const [, seconds] = /^\/drain\?wait=(\d+)s$/.exec(path) ?? []
    expect(Number(seconds)).toBeLessThan(terminationGracePeriodSeconds)
    const { admin } = parse(configurationOf(objects))
    expect(admin.listen.endsWith(`:${port}`)).toBe(true)
    expect(admin.drainFrom).toContain('10.0.0.0/8')
  })

  it('is checked by ftp-alg, whose readiness it decides', async () => {
    const { upstreams, listeners } = parse(configurationOf(await renderOverlay('sidecar')))
    expect(listeners[0].upstream).toBe(upstreams[0].name)
    expect(upstreams[0]).toMatchObject({ servers: [{ address: '127.0.0.1:21' }], health: { fall: 1 } })
  })
})

describe('the overlay edge', () => {
  it('stays on nodes that are tainted for it, and is not the one that makes room', async () => {
    const pod = workloadOf(await renderOverlay('edge')).spec.template.spec
    expect(pod.tolerations).toEqual([{ key: 'ftp-alg/edge', operator: 'Exists' }])
    expect(pod.priorityClassName).toBe('system-node-critical')
  })
})
