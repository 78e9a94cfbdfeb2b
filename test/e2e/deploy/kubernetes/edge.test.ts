// The overlay `edge`: connections redirected on the node, data moved by the kernel.

import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { clientTree } from '../../../support/clients/client.ts'
import { curl } from '../../../support/clients/curl.ts'
import { debianRootMissing, debianTree } from '../../../support/debian.ts'
import { type KubernetesObject, proxyContainer, renderOverlay } from '../../../support/kubernetes.ts'
import { createNetwork, type Network } from '../../../support/netns.ts'
import { runOrThrow } from '../../../support/programs.ts'
import { createSamples, type Samples } from '../../../support/samples.ts'
import { account, type FtpServer, serverPackages } from '../../../support/servers/server.ts'
import { startVsftpd } from '../../../support/servers/vsftpd.ts'
import { attemptTransfers, sharedFolder, shareSamples } from '../../../support/transfers.ts'
import { type Pod, startPod } from './pod.ts'

const missing = debianRootMissing('the Kubernetes overlay edge')
const passivePorts = { first: 40_000, last: 49_999 }
const modes = ['PASV', 'EPSV', 'PORT', 'EPRT'] as const

describe.skipIf(missing !== null)('edge: connections redirected on the node, data in the kernel', () => {
  let samples: Samples
  let objects: readonly KubernetesObject[]
  let network: Network
  let server: FtpServer
  let pod: Pod

  beforeAll(async () => {
    await Promise.all([clientTree(), debianTree(serverPackages)])
    samples = await createSamples()
    objects = await renderOverlay('edge')
    network = await createNetwork({ inside: ['client'], outside: ['server'] })
    await network.gateway.forward(true)
    server = await startVsftpd({ place: network.host('server'), address: '::', port: 21, passivePorts })
    await shareSamples(server, samples)
    pod = await startPod({
      objects,
      place: network.gateway,
      names: {},
      fields: { 'status.hostIP': '10.77.1.1' },
      admin: { address: '10.77.1.1', port: 9121 },
    })
    const main = new URL('../../../../dist/main.js', import.meta.url).pathname
    const [command = ''] = proxyContainer(objects).lifecycle?.postStart?.exec?.command.slice(-1) ?? []
    const [, flags = ''] = /exec node \/app\/dist\/main\.js (firewall .*)$/.exec(command) ?? []
    const args = flags.split(' ').map((word) => (word === '/etc/ftp-alg/config.yaml' ? pod.config : word))
    await runOrThrow([process.execPath, main, ...args], { place: pod.place })
  })
  afterAll(async () => {
    await pod?.proxy.kill()
    await server?.stop()
    await network?.close()
    if (samples !== undefined) await rm(samples.folder, { recursive: true })
  })

  it.each(modes)('transfers with %s, and the client notices nothing', async (mode) => {
    const failed = await attemptTransfers({
      client: curl,
      server,
      samples,
      family: 'ipv4',
      mode,
      place: network.host('client'),
      target: { address: '10.77.2.10', port: 21 },
      large: true,
    })
    expect(failed, pod.proxy.output()).toEqual([])
    expect(await pod.proxy.metrics()).toMatch(/^ftp_alg_sessions_total\{listener="edge"\} [1-9]/m)
  })

  it('moves the data in the kernel', async () => {
    expect(await pod.proxy.metrics()).toMatch(/^ftp_alg_data_bytes_total\{[^}]*path="kernel"\} [1-9]/m)
  })

  it('lets clients pass by it when it ends', async () => {
    const command = proxyContainer(objects).lifecycle?.preStop?.exec?.command ?? []
    await runOrThrow(command, { place: pod.place })
    await pod.stop()
    const folder = samples.folder
    const url = `ftp://10.77.2.10/${sharedFolder}/1B.bin`
    const options = ['--user', `${account.user}:${account.password}`, '-o', join(folder, 'direct.bin')]
    const got = await network.host('client').run(['curl', '-sS', '--noproxy', '*', ...options, url])
    expect(got.exitCode, got.stderr).toBe(0)
  })
})
