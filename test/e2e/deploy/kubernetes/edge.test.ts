// The overlay `edge`: connections redirected on the node, data moved by the kernel.

import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { dataModes } from '../../../support/clients/client.ts'
import { debianRootMissing } from '../../../support/debian.ts'
import { type KubernetesObject, proxyContainer, renderOverlay } from '../../../support/kubernetes.ts'
import { runOrThrow } from '../../../support/programs.ts'
import { sharedFolder } from '../../../support/transfers.ts'
import { curlCommand, type Ground, openGround } from '../ground.ts'
import { type Pod, startPod } from './pod.ts'

const missing = debianRootMissing('the Kubernetes overlay edge')

describe.skipIf(missing !== null)('edge: connections redirected on the node, data in the kernel', () => {
  let objects: readonly KubernetesObject[]
  let ground: Ground
  let pod: Pod

  beforeAll(async () => {
    objects = await renderOverlay('edge')
    ground = await openGround({
      inside: ['client'],
      outside: ['server'],
      server: { on: 'server', address: '::' },
    })
    pod = await startPod({
      objects,
      place: ground.network.gateway,
      names: {},
      fields: { 'status.hostIP': '10.77.1.1' },
      admin: { address: '10.77.1.1', port: 9121 },
    })
    ground.cleanup.add(pod.proxy.kill)
    const main = new URL('../../../../dist/main.js', import.meta.url).pathname
    const [command = ''] = proxyContainer(objects).lifecycle?.postStart?.exec?.command.slice(-1) ?? []
    const [, flags = ''] = /exec node \/app\/dist\/main\.js (firewall .*)$/.exec(command) ?? []
    const args = flags.split(' ').map((word) => (word === '/etc/ftp-alg/config.yaml' ? pod.config : word))
    await runOrThrow([process.execPath, main, ...args], { place: pod.place })
  })
  afterAll(() => ground?.cleanup.run())

  it.each(dataModes)('transfers with %s, and the client notices nothing', async (mode) => {
    const target = { address: '10.77.2.10', port: 21 }
    const failed = await ground.transfers({ mode, from: 'client', target, large: true })
    expect(failed, pod.proxy.output()).toEqual([])
    expect(await pod.proxy.metrics()).toMatch(/^ftp_alg_sessions_total\{listener="edge"\} [1-9]/m)
  })

  it('redirects IPv6 as well', async () => {
    const [server] = ground.network.host('server').addresses.ipv6
    const client = ground.network.host('client')
    const url = `ftp://[${server}]/${sharedFolder}/1B.bin`
    const got = await client.run([...curlCommand, '-o', join(ground.samples.folder, 'ipv6.bin'), url])
    expect(got.exitCode, got.stderr).toBe(0)
    const [address] = client.addresses.ipv6
    await pod.proxy.waitForRecord(
      ({ event, client_ip }) => event === 'session.open' && client_ip === address,
      'a session over IPv6',
    )
  })

  it('moves the data in the kernel', async () => {
    expect(await pod.proxy.metrics()).toMatch(/^ftp_alg_data_bytes_total\{[^}]*path="kernel"\} [1-9]/m)
  })

  it('lets clients pass by it when it ends', async () => {
    const command = proxyContainer(objects).lifecycle?.preStop?.exec?.command ?? []
    await runOrThrow(command, { place: pod.place })
    await pod.stop()
    const url = `ftp://10.77.2.10/${sharedFolder}/1B.bin`
    const file = join(ground.samples.folder, 'direct.bin')
    const got = await ground.network.host('client').run([...curlCommand, '-o', file, url])
    expect(got.exitCode, got.stderr).toBe(0)
  })
})
