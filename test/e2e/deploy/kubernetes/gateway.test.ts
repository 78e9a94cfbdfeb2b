// The overlay `gateway`: two replicas, each with its own Service, slice of the ports and name.

import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { dataModes } from '../../../support/clients/client.ts'
import { endpointOf227, openControlConnection } from '../../../support/control-connection.ts'
import { debianRootMissing } from '../../../support/debian.ts'
import { networkPolicyOf, renderOverlay, servicesOf, workloadOf } from '../../../support/kubernetes.ts'
import { curlCommand, type Ground, openGround } from '../ground.ts'
import { nodeRules, podRules } from './cluster-rules.ts'
import { type Pod, startPod } from './pod.ts'

const missing = debianRootMissing('the Kubernetes overlay gateway')

describe.skipIf(missing !== null)('gateway: two replicas, each with its Service and its slice', () => {
  const addresses = ['10.77.1.1', '10.77.1.2'] as const
  let ground: Ground
  const pods: Pod[] = []

  beforeAll(async () => {
    const objects = await renderOverlay('gateway')
    const workload = workloadOf(objects)
    ground = await openGround({
      inside: ['client'],
      outside: ['pod0', 'pod1', 'server'],
      server: { on: 'server', address: '10.77.2.30' },
    })
    const { network, cleanup } = ground
    await network.gateway.run(['ip', 'addr', 'add', '10.77.1.2/24', 'dev', 'side1'])
    const published = servicesOf(objects)
      .filter(({ spec }) => spec.type === 'LoadBalancer')
      .map((service) => {
        const ordinal = Number(service.spec.selector['apps.kubernetes.io/pod-index'])
        return { service, address: addresses[ordinal] ?? '', pod: `10.77.2.${10 * (ordinal + 1)}` }
      })
    await network.gateway.firewall(nodeRules(published, { workload, outward: 'side1' }))
    const policy = networkPolicyOf(objects)
    for (const ordinal of [0, 1]) {
      const place = network.host(`pod${ordinal}`)
      if (policy !== null) await place.firewall(podRules(policy, workload))
      const pod = await startPod({
        objects,
        place,
        names: {
          'ftp.internal.example': '10.77.2.30',
          [`ftp-alg-${ordinal}.ftp.example.net`]: addresses[ordinal] ?? '',
        },
        fields: {
          'metadata.name': `ftp-alg-${ordinal}`,
          "metadata.labels['apps.kubernetes.io/pod-index']": String(ordinal),
        },
      })
      cleanup.add(pod.proxy.kill)
      pods.push(pod)
    }
  })
  afterAll(() => ground?.cleanup.run())

  it.each([0, 1])('pod %i announces its own address and a port of its own slice', async (ordinal) => {
    const address = addresses[ordinal] ?? ''
    const session = await openControlConnection({ address, port: 21 }, ground.network.host('client'))
    await session.login()
    const announced = endpointOf227(await session.ask('PASV'))
    await session.close()
    expect(announced.address).toBe(address)
    expect(Math.floor((announced.port - 30_000) / 25)).toBe(ordinal)
  })

  it.each([0, 1])('every data connection of pod %i comes to it', async (ordinal) => {
    const pod = pods[ordinal]
    const before = await connectionsOf(pods)
    for (const mode of dataModes) {
      const target = { address: addresses[ordinal] ?? '', port: 21 }
      const failed = await ground.transfers({ mode, from: 'client', target })
      expect(failed, pod?.proxy.output()).toEqual([])
    }
    const after = await connectionsOf(pods)
    expect(after[ordinal]).toBeGreaterThan((before[ordinal] ?? 0) + dataModes.length)
    expect(after[1 - ordinal]).toBe(before[1 - ordinal])
    for (const { proxy } of pods) {
      expect(await proxy.metrics()).not.toMatch(/^ftp_alg_pinhole_rejected_connections_total\{[^}]*\} [1-9]/m)
    }
  })

  it('does not lead a port of one slice to the other pod', async () => {
    const script = 'exec 3<>"/dev/tcp/$0/$1"'
    const client = ground.network.host('client')
    // Port 30000 is of the slice of pod 0: its Service has it, the other has not.
    const tried = await client.run(['bash', '-c', script, '10.77.1.2', '30000'], { timeoutMs: 5000 })
    expect(tried.exitCode).not.toBe(0)
  })

  it('goes on with one pod while the other ends', async () => {
    await pods[0]?.stop()
    const listing = await ground.network.host('client').run([...curlCommand, 'ftp://10.77.1.2/'])
    expect(listing.exitCode, listing.stderr).toBe(0)
    await pods[1]?.stop()
  })
})

/** Data channels that each pod has joined so far. */
async function connectionsOf(pods: readonly Pod[]): Promise<readonly number[]> {
  return Promise.all(
    pods.map(async ({ proxy }) => {
      const lines = (await proxy.metrics()).matchAll(
        /^ftp_alg_data_connections_total\{.*result="ok"\} (\d+)$/gm,
      )
      return [...lines].reduce((sum, [, count]) => sum + Number(count), 0)
    }),
  )
}
