// The overlay `scale-out`: real HAProxy, with the file of its ConfigMap, before two replicas.

import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { debianRootMissing, debianTree } from '../../../support/debian.ts'
import {
  type KubernetesObject,
  renderOverlay,
  type Service,
  servicesOf,
  workloadOf,
} from '../../../support/kubernetes.ts'
import { startProgram } from '../../../support/programs.ts'
import { curlCommand, type Ground, openGround } from '../ground.ts'
import { nodeRules } from './cluster-rules.ts'
import { type Pod, startPod } from './pod.ts'

const missing = debianRootMissing('the Kubernetes overlay scale-out')

describe.skipIf(missing !== null)('scale-out: one address, HAProxy, two replicas', () => {
  let ground: Ground
  const pods: Pod[] = []

  beforeAll(async () => {
    const objects = await renderOverlay('scale-out')
    ground = await openGround({
      inside: ['client'],
      outside: ['pod0', 'pod1', 'balancer', 'server'],
      server: { on: 'server', address: '10.77.2.40' },
    })
    const { network } = ground
    const workload = workloadOf(objects)
    const balancer = {
      service: serviceOf(objects, 'ftp-alg-balancer'),
      address: '10.77.1.1',
      pod: '10.77.2.30',
    }
    await network.gateway.firewall(nodeRules([balancer], { workload, outward: 'side1' }))
    for (const ordinal of [0, 1]) {
      const place = network.host(`pod${ordinal}`)
      const address = `10.77.2.${10 * (ordinal + 1)}`
      // The Service: its address is the pod's here, so only its ports are left to do.
      const own = { service: serviceOf(objects, `ftp-alg-${ordinal}`), address, pod: address }
      await place.firewall(nodeRules([own], { workload, outward: 'none' }))
      const pod = await startPod({
        objects,
        place,
        names: { 'ftp.internal.example': '10.77.2.40', 'ftp.example.net': '10.77.1.1' },
        fields: { "metadata.labels['apps.kubernetes.io/pod-index']": String(ordinal) },
      })
      ground.cleanup.add(pod.proxy.kill)
      pods.push(pod)
    }
    await startBalancer(objects, ground)
  })
  afterAll(() => ground?.cleanup.run())

  it.each(['PASV', 'EPSV', 'PORT', 'EPRT'] as const)('serves transfers with %s', async (mode) => {
    for (let round = 0; round < 3; round += 1) {
      const target = { address: '10.77.1.1', port: 21 }
      expect(await ground.transfers({ mode, from: 'client', target }), output()).toEqual([])
    }
  })

  it('spread over both pods, which know the client and see no connection of the other', async () => {
    const [client] = ground.network.host('client').addresses.ipv4
    for (const { proxy } of pods) {
      const opened = await proxy.waitForRecord(({ event }) => event === 'session.open', 'a session')
      expect(opened.client_ip).toBe(client)
      const metrics = await proxy.metrics()
      expect(metrics).toMatch(/^ftp_alg_data_connections_total\{[^}]*result="ok"[^}]*\} [1-9]/m)
      expect(metrics).not.toMatch(/^ftp_alg_pinhole_rejected_connections_total\{[^}]*\} [1-9]/m)
    }
  })

  it('loses no new session while one pod ends', async () => {
    await pods[0]?.stop()
    for (let round = 0; round < 3; round += 1) {
      const listing = await ground.network.host('client').run([...curlCommand, 'ftp://10.77.1.1/'])
      expect(listing.exitCode, listing.stderr).toBe(0)
    }
    await pods[1]?.stop()
  })

  function output(): string {
    return pods.map(({ proxy }) => proxy.output()).join('\n')
  }
})

function serviceOf(objects: readonly KubernetesObject[], name: string): Service {
  const found = servicesOf(objects).find(({ metadata }) => metadata.name === name)
  if (found === undefined) throw new Error(`the overlay lacks the Service ${name}`)
  return found
}

async function startBalancer(
  objects: readonly KubernetesObject[],
  { network, cleanup }: Ground,
): Promise<void> {
  const tree = await debianTree(['haproxy'])
  const map = objects.find(({ metadata }) => metadata.name.startsWith('ftp-alg-balancer-'))
  const folder = await mkdtemp(join(tmpdir(), 'ftp-alg-balancer-'))
  const file = join(folder, 'haproxy.cfg')
  await writeFile(file, map?.data?.['haproxy.cfg'] ?? '')
  const place = network.host('balancer')
  const haproxy = startProgram([tree.program('usr/sbin/haproxy'), '-W', '-db', '-f', file], {
    place,
    env: { ...tree.env, INSTANCE_0: '10.77.2.10', INSTANCE_1: '10.77.2.20' },
  })
  cleanup.add(async () => {
    await haproxy.kill()
    await rm(folder, { recursive: true })
  })
  const healthy = ['sh', '-c', 'until curl -sf -m 2 http://127.0.0.1:8404/healthz; do sleep 0.05; done']
  const { exitCode } = await place.run(healthy, { timeoutMs: 20_000 })
  if (exitCode !== 0) throw new Error(haproxy.output())
}
