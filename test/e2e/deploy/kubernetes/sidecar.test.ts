// The overlay `sidecar`: a server on localhost, ftp-alg beside it, clients through the Service.

import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { dataModes } from '../../../support/clients/client.ts'
import { curl } from '../../../support/clients/curl.ts'
import { lftp } from '../../../support/clients/lftp.ts'
import { endpointOf227, openControlConnection } from '../../../support/control-connection.ts'
import { debianRootMissing } from '../../../support/debian.ts'
import {
  type KubernetesObject,
  networkPolicyOf,
  renderOverlay,
  servicesOf,
  workloadOf,
} from '../../../support/kubernetes.ts'
import type { LogRecord } from '../../../support/proxy.ts'
import { sharedFolder } from '../../../support/transfers.ts'
import { curlCommand, type Ground, openGround } from '../ground.ts'
import { nodeRules, podRules } from './cluster-rules.ts'
import { type Pod, startPod } from './pod.ts'

const missing = debianRootMissing('the Kubernetes overlay sidecar')

describe.skipIf(missing !== null)('sidecar: a server on localhost, clients through the Service', () => {
  let objects: readonly KubernetesObject[]
  let ground: Ground
  let pod: Pod

  beforeAll(async () => {
    objects = await renderOverlay('sidecar')
    ground = await openGround({
      inside: ['client'],
      outside: ['pod'],
      server: { on: 'pod', address: '127.0.0.1' },
    })
    const { network, cleanup } = ground
    const [service] = servicesOf(objects)
    const policy = networkPolicyOf(objects)
    if (service === undefined || policy === null) throw new Error('the overlay lacks a Service or a policy')
    const workload = workloadOf(objects)
    const published = [{ service, address: '10.77.1.1', pod: '10.77.2.10' }]
    await network.gateway.firewall(nodeRules(published, { workload, outward: 'side1' }))
    await network.host('pod').firewall(podRules(policy, workload, '10.77.2.1'))
    const names = { 'ftp-alg': '10.77.1.1', 'ftp.example.net': '10.77.1.1' }
    pod = await startPod({ objects, place: network.host('pod'), names })
    cleanup.add(pod.proxy.kill)
  })
  afterAll(() => ground?.cleanup.run())

  it.each(dataModes)('transfers with %s through the ports of the Service', async (mode) => {
    for (const client of [curl, lftp]) {
      if (client.cannotUse({ mode, family: 'ipv4' }) !== null) continue
      const target = { address: '10.77.1.1', port: 21 }
      const failed = await ground.transfers({ client, mode, from: 'client', target })
      expect(failed, pod.proxy.output()).toEqual([])
    }
  })

  it('tells other pods its own address, of either family', async () => {
    const client = ground.network.host('client')
    const session = await openControlConnection({ address: '10.77.2.10', port: 2121 }, client)
    await session.login()
    expect(endpointOf227(await session.ask('PASV')).address).toBe('10.77.2.10')
    await session.close()
    const [address] = ground.network.host('pod').addresses.ipv6
    const listing = await client.run([...curlCommand, `ftp://[${address}]:2121/`])
    expect(listing.exitCode, listing.stderr).toBe(0)
  })

  it('keeps the server to itself', async () => {
    const tried = await ground.network
      .host('client')
      .run([...curlCommand, '-m', '3', 'ftp://10.77.2.10:21/'], { timeoutMs: 10_000 })
    expect(tried.exitCode).not.toBe(0)
  })

  it('lets the server wait for running transfers when the pod ends, and no longer', async () => {
    const url = `ftp://10.77.1.1:21/${sharedFolder}/50MiB.bin`
    const transfer = ground.network
      .host('client')
      .start([...curlCommand, '--limit-rate', '20M', '-o', '/dev/null', url])
    await untilTransferring(pod)
    const [main] = workloadOf(objects).spec.template.spec.containers
    const { path, port } = main?.lifecycle?.preStop?.httpGet ?? {}
    // As the kubelet does it: from the node, by the address of the pod.
    const hook = ['curl', '-sS', '-w', '%{http_code}', `http://10.77.2.10:${port}${path}`]
    const preStop = await ground.network.gateway.run(hook, { timeoutMs: 60_000 })
    const answeredMs = Date.now()
    expect(preStop.stdout).toBe('no session is left\n200')
    expect(await transfer.exited).toBe(0)
    const whole = ({ event, bytes }: LogRecord) => event === 'transfer' && bytes === 50 * 1024 * 1024
    const { time } = await pod.proxy.waitForRecord(whole, 'the transfer')
    expect(Date.parse(String(time))).toBeLessThanOrEqual(answeredMs)
  })

  it('ends with exit code 0 when it is told to', async () => {
    await pod.stop()
  })
})

async function untilTransferring({ proxy }: Pod): Promise<void> {
  const deadline = Date.now() + 10_000
  while (!/^ftp_alg_data_connections_active\{[^}]*\} [1-9]/m.test(await proxy.metrics())) {
    if (Date.now() > deadline) throw new Error(`no transfer has begun\n${proxy.output()}`)
  }
}
