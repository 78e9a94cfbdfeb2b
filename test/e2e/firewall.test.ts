// The firewalls that the product is for: client and server can each open connections in one direction only, and
// the wrong ones for each other. Directly nothing works; a conversion between passive and active makes it work.

import { rm } from 'node:fs/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createCleanup } from '../support/cleanup.ts'
import { clientTree, dataCommands, type FtpClient, type Way } from '../support/clients/client.ts'
import { curl } from '../support/clients/curl.ts'
import { lftp } from '../support/clients/lftp.ts'
import { ftplib } from '../support/clients/scripted.ts'
import { tnftp } from '../support/clients/tnftp.ts'
import { debianRootMissing, debianTree } from '../support/debian.ts'
import { createNetwork, type Network } from '../support/netns.ts'
import { type RunningProxy, startProxy } from '../support/proxy.ts'
import { createSamples, type Samples } from '../support/samples.ts'
import { startServer } from '../support/servers/all.ts'
import { type FtpServer, type ServerKind, serverPackages } from '../support/servers/server.ts'
import { attemptTransfers, sharedFolder, shareSamples } from '../support/transfers.ts'

const missing = debianRootMissing('the firewall suite')

const families = ['ipv4', 'ipv6'] as const
const kinds: readonly ServerKind[] = ['vsftpd', 'proftpd']
const clients: readonly FtpClient[] = [curl, tnftp, lftp, ftplib]

const syn = 'tcp flags & (syn | ack) == syn'

/** Nobody may connect to this host, except to its FTP port where it has one. */
const dropsIncoming = `table inet firewall {
  chain input { type filter hook input priority filter; ${syn} tcp dport != 21 counter drop; }
}`
/** This host may connect to nobody, except to FTP ports: its own control connections. */
const dropsOutgoing = `table inet firewall {
  chain output { type filter hook output priority filter; ${syn} tcp dport != { 21, 2121, 2122 } counter drop; }
}`

describe.skipIf(missing !== null)('firewalls', () => {
  const cleanup = createCleanup()
  let network: Network
  let samples: Samples
  const servers = new Map<ServerKind, FtpServer>()

  beforeAll(async () => {
    await Promise.all([clientTree(), debianTree(serverPackages)])
    samples = await createSamples()
    cleanup.add(() => rm(samples.folder, { recursive: true, force: true }))
    network = await createNetwork({ inside: ['client'], outside: kinds })
    cleanup.add(network.close)
    for (const kind of kinds) {
      const passivePorts = { first: 40_000, last: 49_999 }
      const server = await startServer(kind, {
        place: network.host(kind),
        address: '::',
        port: 21,
        passivePorts,
      })
      cleanup.add(server.stop)
      servers.set(kind, server)
      await shareSamples(server, samples)
    }
  })

  afterAll(() => cleanup.run())

  describe.each(kinds)(
    '%s behind a firewall that admits only incoming connections, clients that must be called',
    (kind) => {
      beforeAll(async () => {
        await network.host(kind).firewall(dropsOutgoing)
        await network.host('client').firewall(dropsOutgoing)
      })
      cases(kind, 'passive', ['PORT', 'EPRT'])
    },
  )

  describe.each(kinds)('%s that only calls its clients, clients that nobody can call', (kind) => {
    beforeAll(async () => {
      await network.host(kind).firewall(dropsIncoming)
      await network.host('client').firewall(dropsIncoming)
    })
    cases(kind, 'active', ['PASV', 'EPSV'])
  })

  /** `modes` is what the client can do behind its own firewall; the server cannot. */
  function cases(kind: ServerKind, upstreamMode: 'passive' | 'active', modes: readonly Way['mode'][]) {
    it.concurrent.each(families)('directly, no data connection ever comes about (%s)', async (family) => {
      await network.gateway.forward(true)
      const address = network.host(kind).addresses[family][0] ?? ''
      const tried = (['PASV', 'EPSV', 'PORT', 'EPRT'] as const)
        .filter((mode) => curl.cannotUse({ family, mode }) === null)
        .map(async (mode) => {
          const run = await curl.run({
            place: network.host('client'),
            folder: samples.folder,
            server: { address, port: 21 },
            mode,
            steps: [
              {
                kind: 'download',
                remote: `${sharedFolder}/1B.bin`,
                local: `direct-${kind}-${family}-${mode}`,
              },
            ],
            timeoutMs: 4000,
          })
          expect(run.exitCode, run.dialogue).not.toBe(0)
          expect(dataCommands(run), run.dialogue).toContain(mode)
        })
      await Promise.all(tried)
    })

    describe(`through ftp-alg with upstreamMode ${upstreamMode}`, () => {
      let proxy: RunningProxy

      beforeAll(async () => {
        await network.gateway.forward(false)
        proxy = await startProxy({ place: network.gateway, config: proxyConfiguration(kind, upstreamMode) })
      })

      afterAll(async () => {
        await proxy?.stop()
      })

      const ways = families.flatMap((family) => modes.map((mode) => ({ family, mode })))
      const named = clients.flatMap((client) =>
        ways
          .filter((way) => client.cannotUse(way) === null)
          .map((way) => [client.name, way.family, way.mode, client] as const),
      )
      it.concurrent.each(named)('%s transfers over %s with %s', async (_name, family, mode, client) => {
        const server = servers.get(kind)
        if (server === undefined) throw new Error(`${kind} is not running`)
        const failures = await attemptTransfers({
          client,
          server,
          samples,
          family,
          mode,
          place: network.host('client'),
          target: { address: network.gateway.inside[family], port: family === 'ipv4' ? 2121 : 2122 },
          large: false,
        })
        expect(failures).toEqual([])
      })
    })
  }

  function proxyConfiguration(kind: ServerKind, upstreamMode: 'passive' | 'active'): string {
    const [ipv4, ipv6] = families.map((family) => network.host(kind).addresses[family][0])
    return `listeners:
  - { name: inside4, listen: "${network.gateway.inside.ipv4}:2121", upstream: "${ipv4}:21", upstreamMode: ${upstreamMode} }
  - { name: inside6, listen: "[${network.gateway.inside.ipv6}]:2122", upstream: "[${ipv6}]:21", upstreamMode: ${upstreamMode} }
dataPorts: 30000-30999
`
  }
})
