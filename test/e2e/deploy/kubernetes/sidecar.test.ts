// The overlay `sidecar`: a server on localhost, ftp-alg beside it, clients through the Service.

import { rm } from 'node:fs/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { clientTree } from '../../../support/clients/client.ts'
import { curl } from '../../../support/clients/curl.ts'
import { lftp } from '../../../support/clients/lftp.ts'
import { debianRootMissing, debianTree } from '../../../support/debian.ts'
import {
  type KubernetesObject,
  networkPolicyOf,
  renderOverlay,
  servicesOf,
  workloadOf,
} from '../../../support/kubernetes.ts'
import { createNetwork, type Network } from '../../../support/netns.ts'
import { startProgram } from '../../../support/programs.ts'
import { createSamples, type Samples } from '../../../support/samples.ts'
import { account, type FtpServer, serverPackages } from '../../../support/servers/server.ts'
import { startVsftpd } from '../../../support/servers/vsftpd.ts'
import { attemptTransfers, sharedFolder, shareSamples } from '../../../support/transfers.ts'
import { nodeRules, podRules } from './cluster-rules.ts'
import { type Pod, startPod } from './pod.ts'

const missing = debianRootMissing('the Kubernetes overlay sidecar')
const passivePorts = { first: 40_000, last: 49_999 }
const modes = ['PASV', 'EPSV', 'PORT', 'EPRT'] as const

describe.skipIf(missing !== null)('sidecar: a server on localhost, clients through the Service', () => {
  let samples: Samples
  let objects: readonly KubernetesObject[]
  let network: Network
  let server: FtpServer
  let pod: Pod

  beforeAll(async () => {
    await Promise.all([clientTree(), debianTree(serverPackages)])
    samples = await createSamples()
    objects = await renderOverlay('sidecar')
    network = await createNetwork({ inside: ['client'], outside: ['pod'] })
    await network.gateway.forward(true)
    const [service] = servicesOf(objects)
    const policy = networkPolicyOf(objects)
    if (service === undefined || policy === null) throw new Error('the overlay lacks a Service or a policy')
    const workload = workloadOf(objects)
    const published = [{ service, address: '10.77.1.1', pod: '10.77.2.10' }]
    await network.gateway.firewall(nodeRules(published, { workload, outward: 'side1' }))
    await network.host('pod').firewall(podRules(policy, workload))
    server = await startVsftpd({ place: network.host('pod'), address: '127.0.0.1', port: 21, passivePorts })
    await shareSamples(server, samples)
    const names = { 'ftp-alg': '10.77.1.1', 'ftp.example.net': '10.77.1.1' }
    pod = await startPod({ objects, place: network.host('pod'), names })
  })
  afterAll(async () => {
    await pod?.proxy.kill()
    await server?.stop()
    await network?.close()
    if (samples !== undefined) await rm(samples.folder, { recursive: true })
  })

  it.each(modes)('transfers with %s through the ports of the Service', async (mode) => {
    for (const client of [curl, lftp]) {
      if (client.cannotUse({ mode, family: 'ipv4' }) !== null) continue
      const failed = await attemptTransfers({
        client,
        server,
        samples,
        family: 'ipv4',
        mode,
        place: network.host('client'),
        target: { address: '10.77.1.1', port: 21 },
        large: false,
      })
      expect(failed, pod.proxy.output()).toEqual([])
    }
  })

  it('keeps the server to itself', async () => {
    const tried = await network
      .host('client')
      .run(['curl', '-sS', '--noproxy', '*', '-m', '3', 'ftp://10.77.2.10:21/'], { timeoutMs: 10_000 })
    expect(tried.exitCode).not.toBe(0)
  })

  it('lets the server wait for running transfers when the pod ends, and no longer', async () => {
    const url = `ftp://10.77.1.1:21/${sharedFolder}/50MiB.bin`
    const slowly = ['--user', `${account.user}:${account.password}`, '--limit-rate', '20M', '-o', '/dev/null']
    const transfer = startProgram(['curl', '-sS', '--noproxy', '*', ...slowly, url], {
      place: network.host('client'),
    })
    await untilTransferring(pod)
    const [main] = workloadOf(objects).spec.template.spec.containers
    const command = main?.lifecycle?.preStop?.exec?.command ?? []
    const order: string[] = []
    const preStop = network
      .host('pod')
      .run(command, { timeoutMs: 60_000 })
      .then(({ exitCode }) => order.push(`preStop ${exitCode}`))
    await transfer.exited.then((exitCode) => order.push(`transfer ${exitCode}`))
    await preStop
    expect(order).toEqual(['transfer 0', 'preStop 0'])
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
