// The overlay `scale-out`: what HAProxy, the Services and the replicas must agree about.

import { describe, expect, it, vi } from 'vitest'
import { parse } from 'yaml'
import {
  configurationOf,
  type KubernetesObject,
  networkPolicyOf,
  proxyContainer,
  renderOverlay,
  servicesOf,
  workloadsOf,
} from '../../support/kubernetes.ts'
import { complaintAbout, nameOf, unknownKeysIn } from '../../support/kubernetes-schema.ts'

// kubectl is fetched by whoever comes first.
vi.setConfig({ testTimeout: 240_000 })

describe('the overlay scale-out', () => {
  it('has objects that the API would accept', async () => {
    const objects = await renderOverlay('scale-out')
    for (const object of objects) expect(complaintAbout(object), nameOf(object)).toBe('')
    expect(await unknownKeysIn(objects)).toBe('')
  })

  it('sends each port, through HAProxy, to the Service that has it', async () => {
    const objects = await renderOverlay('scale-out')
    const outside = portsOf(objects, 'ftp-alg-balancer')
    const routes = dataRoutesOf(objects)
    expect(routes.map(({ to }) => to)).toEqual(['ftp-alg-0', 'ftp-alg-1'])
    const routed = routes.flatMap(({ first, last, to }) => {
      const ports = Array.from({ length: last - first + 1 }, (_, index) => first + index)
      expect(portsOf(objects, to)).toEqual([21, ...ports])
      return ports
    })
    expect(outside).toEqual([21, ...routed])
  })

  it('gives clients one address, and believes PROXY headers of HAProxy alone', async () => {
    const objects = await renderOverlay('scale-out')
    expect(proxyContainer(objects).env?.map(({ name }) => name)).not.toContain('FTP_ALG_ADVERTISE')
    const { listeners } = parse(configurationOf(objects))
    expect(listeners[0].advertise.clients).toHaveLength(1)
    expect(listeners[0].proxyProtocol.from).not.toEqual([])
    const ofClients = networkPolicyOf(objects)?.spec.ingress[0]
    const balancer = workloadsOf(objects).find(({ metadata }) => metadata.name === 'ftp-alg-balancer')
    expect(ofClients?.from).toEqual([{ podSelector: { matchLabels: balancer?.spec.selector.matchLabels } }])
    const types = servicesOf(objects).map(({ metadata, spec }) => [metadata.name, spec.type])
    expect(types).toEqual([
      ['ftp-alg', 'ClusterIP'],
      ['ftp-alg-0', 'ClusterIP'],
      ['ftp-alg-1', 'ClusterIP'],
      ['ftp-alg-balancer', 'LoadBalancer'],
    ])
  })

  it('keeps its parts together under another name', async () => {
    const objects = await renderOverlay('scale-out', [], { nameSuffix: '-b' })
    const names = servicesOf(objects).map(({ metadata }) => metadata.name)
    for (const { to } of dataRoutesOf(objects)) expect(names).toContain(to)
  })
})

function portsOf(objects: readonly KubernetesObject[], name: string): readonly number[] {
  const service = servicesOf(objects).find(({ metadata }) => metadata.name === name)
  return service?.spec.ports.map(({ port }) => port).sort((one, other) => one - other) ?? []
}

/** `bind :::30000-30024 v4v6` and the server below it, whose name is in the environment. */
function dataRoutesOf(objects: readonly KubernetesObject[]) {
  const file = objects.find(({ metadata }) => metadata.name.startsWith('ftp-alg-balancer'))?.data?.[
    'haproxy.cfg'
  ]
  const containers = workloadsOf(objects).flatMap(({ spec }) => spec.template.spec.containers)
  const env = containers.find(({ name }) => name === 'haproxy')?.env ?? []
  const lines = /bind :::(\d+)-(\d+) v4v6\n {2}server \S+ "\$\{(\w+)\}" send-proxy-v2$/gm
  return [...(file ?? '').matchAll(lines)].map(([, first, last, variable]) => ({
    first: Number(first),
    last: Number(last),
    to: env.find(({ name }) => name === variable)?.value ?? '',
  }))
}
