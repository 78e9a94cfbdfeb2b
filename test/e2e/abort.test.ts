// ABOR as real clients send it: with Telnet Synch and urgent data, in the middle of 50 MiB. The session goes on.

import { mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { createCleanup } from '../support/cleanup.ts'
import { aborters } from '../support/clients/aborting.ts'
import { clientTree, type Way } from '../support/clients/client.ts'
import { debianRootMissing, debianTree } from '../support/debian.ts'
import { createNetwork, type Network } from '../support/netns.ts'
import { type RunningProxy, startProxy } from '../support/proxy.ts'
import { createSamples, type Samples, sha256Of } from '../support/samples.ts'
import { serverKinds, startServer } from '../support/servers/all.ts'
import { type ServerKind, serverPackages } from '../support/servers/server.ts'
import { sharedFolder, shareSamples } from '../support/transfers.ts'

const missing = debianRootMissing('the abort suite')

const clients = ['tnftp', 'lftp', 'ftplib'] as const
/** Without and with conversion, both ways. */
const ways: readonly (Way & { readonly upstreamMode: 'client' | 'passive' | 'active' })[] = [
  { upstreamMode: 'client', family: 'ipv4', mode: 'PASV' },
  { upstreamMode: 'client', family: 'ipv4', mode: 'PORT' },
  { upstreamMode: 'active', family: 'ipv4', mode: 'PASV' },
  { upstreamMode: 'passive', family: 'ipv4', mode: 'PORT' },
  { upstreamMode: 'client', family: 'ipv6', mode: 'EPSV' },
]
const families = ['ipv4', 'ipv6'] as const
const upstreamModes = ['client', 'passive', 'active'] as const

describe.skipIf(missing !== null)('ABOR', () => {
  let network: Network
  let samples: Samples
  let proxy: RunningProxy
  const cleanup = createCleanup()
  let aborted = 0
  /** A transcript of every session, which says what went wrong in one that hangs. */
  let recordings: string

  beforeAll(async () => {
    await Promise.all([clientTree(), debianTree(serverPackages)])
    samples = await createSamples()
    cleanup.add(() => rm(samples.folder, { recursive: true, force: true }))
    network = await createNetwork({ inside: ['client'], outside: serverKinds })
    cleanup.add(network.close)
    for (const kind of serverKinds) {
      const place = network.host(kind)
      // 50 MiB take five seconds, so that there is something to abort.
      const slow = 'tc qdisc add dev eth0 root tbf rate 80mbit burst 64kb latency 50ms'
      expect(await place.run(slow.split(' '))).toMatchObject({ exitCode: 0 })
      const passivePorts = { first: 40_000, last: 49_999 }
      const server = await startServer(kind, { place, address: '::', port: 21, passivePorts })
      cleanup.add(server.stop)
      await shareSamples(server, samples)
    }
    recordings = await mkdtemp(join(samples.folder, 'recordings-'))
    const flags = ['--record', recordings]
    proxy = await startProxy({ place: network.gateway, config: proxyConfiguration(), flags })
    cleanup.add(proxy.stop)
  })

  afterAll(() => cleanup.run())

  describe.concurrent.each(ways)(
    '$family, $mode, upstreamMode $upstreamMode',
    ({ family, mode, upstreamMode }) => {
      describe.each(serverKinds)('from %s', (kind) => {
        it.for(clients)(
          'by %s ends the transfer, and the next one succeeds',
          async (client, { onTestFailed }) => {
            onTestFailed(async () => console.log(await unfinishedSessions()))
            const folder = await mkdtemp(join(samples.folder, 'abort-'))
            const dialogue = await aborters[client]({
              place: network.host('client'),
              folder,
              server: { address: network.gateway.inside[family], port: listenerPort(kind, upstreamMode) },
              mode,
              large: { remote: `${sharedFolder}/${samples.large.name}`, local: 'large.bin' },
              small: { remote: `${sharedFolder}/${samples.middle.name}`, local: 'small.bin' },
            })
            aborted += 1
            expect((await stat(join(folder, 'large.bin'))).size, dialogue).toBeLessThan(samples.large.bytes)
            expect(await sha256Of(join(folder, 'small.bin')), dialogue).toBe(samples.middle.sha256)
            const logins = dialogue.match(/PASS /g) ?? []
            // See aborting.ts for why lftp may log in again.
            if (client !== 'lftp') expect(logins, dialogue).toHaveLength(1)
          },
        )
      })
    },
  )

  it('reached the servers once each, and left nothing open', async () => {
    await vi.waitFor(async () => {
      expect(JSON.parse((await proxy.get('/api/v1/sessions')).body)).toMatchObject({ total: 0 })
    }, 10_000)
    expect(JSON.parse((await proxy.get('/api/v1/pinholes')).body)).toMatchObject({ total: 0 })
    const counted = (await proxy.metrics()).matchAll(
      /^ftp_alg_commands_total\{[^}]*command="ABOR"\} (\d+)$/gm,
    )
    expect([...counted].reduce((sum, match) => sum + Number(match[1]), 0)).toBe(aborted)
    expect(proxy.records().filter((record) => record.level === 'error')).toEqual([])
  })

  async function unfinishedSessions(): Promise<string> {
    const names = await readdir(recordings)
    const texts = await Promise.all(names.map((name) => readFile(join(recordings, name), 'utf8')))
    return texts.filter((text) => !text.includes('close quit')).join('\n')
  }

  function listenerPort(kind: ServerKind, mode: (typeof upstreamModes)[number]): number {
    return 2100 + 10 * serverKinds.indexOf(kind) + upstreamModes.indexOf(mode)
  }

  function proxyConfiguration(): string {
    const host = (address = '') => (address.includes(':') ? `[${address}]` : address)
    const listeners = serverKinds.flatMap((kind) =>
      upstreamModes.flatMap((mode) =>
        families.map(
          (family) => `  - name: ${kind}-${mode}-${family}
    listen: "${host(network.gateway.inside[family])}:${listenerPort(kind, mode)}"
    upstream: "${host(network.host(kind).addresses[family][0])}:21"
    upstreamMode: ${mode}`,
        ),
      ),
    )
    return `listeners:\n${listeners.join('\n')}\ndataPorts: 30000-30999\n`
  }
})
