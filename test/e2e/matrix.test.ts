// Real servers × real clients × data commands × upstream modes × families. Writes docs/compatibility.md.

import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ftpClients } from '../support/clients/all.ts'
import { clientTree, dataCommands, type Way } from '../support/clients/client.ts'
import { debianRootMissing, debianTree } from '../support/debian.ts'
import { createNetwork, type Family, type Network } from '../support/netns.ts'
import { type RunningProxy, startProxy } from '../support/proxy.ts'
import { createSamples, type Samples, sha256Of } from '../support/samples.ts'
import { serverKinds, startServer } from '../support/servers/all.ts'
import { type FtpServer, type ServerKind, serverPackages } from '../support/servers/server.ts'
import { attemptTransfers, shareSamples } from '../support/transfers.ts'
import {
  allWays,
  type Combination,
  families,
  keyOf,
  largeCombinations,
  upstreamModes,
  waysOf,
} from './matrix/combinations.ts'
import { compatibilityReport, type Outcome } from './matrix/report.ts'

const missing = debianRootMissing('the compatibility matrix')
const namedClients = ftpClients.map((client) => [client.name, client] as const)
const outcomes = new Map<string, Outcome>()
let network: Network
let samples: Samples
const servers = new Map<ServerKind, FtpServer>()

describe.skipIf(missing !== null)('compatibility', () => {
  beforeAll(async () => {
    await Promise.all([clientTree(), debianTree(serverPackages)])
    samples = await createSamples()
    network = await createNetwork({
      inside: ['client'],
      outside: serverKinds,
      // One address per upstream mode, each behind its own firewall rules.
      addresses: Object.fromEntries(serverKinds.map((kind) => [kind, upstreamModes.length])),
    })
    for (const kind of serverKinds) {
      const host = network.host(kind)
      await host.firewall(serverFirewall(kind))
      const server = await startServer(kind, {
        place: host,
        address: '::',
        port: 21,
        passivePorts: { first: 40_000, last: 49_999 },
      })
      servers.set(kind, server)
      await shareSamples(server, samples)
    }
  })

  afterAll(async () => {
    for (const server of servers.values()) await server.stop()
    await network?.close()
    if (samples !== undefined) await rm(samples.folder, { recursive: true, force: true })
  })

  describe('directly', () => {
    beforeAll(() => network.gateway.forward(true))
    afterAll(() => network.gateway.forward(false))

    describe.concurrent.each(serverKinds)('with %s', (server) => {
      it.each(namedClients)('%s transfers in every way it has', async (_name, client) => {
        expect(await failuresOf({ server, client, route: 'direct' })).toEqual([])
      })
    })

    it.concurrent.each(namedClients)('%s fails in the ways it is said not to have', async (_name, client) => {
      for (const { family, mode } of allWays.filter((way) => client.cannotUse(way) !== null)) {
        const folder = await mkdtemp(join(samples.folder, 'refused-'))
        const run = await client.run({
          place: network.host('client'),
          folder,
          server: { address: serverAddress('vsftpd', family, 'client'), port: 21 },
          mode,
          steps: [{ kind: 'download', remote: 'files/1B.bin', local: '1B.bin' }],
        })
        const worked =
          dataCommands(run).includes(mode) && (await sha256Of(join(folder, '1B.bin'))) !== 'missing'
        expect(worked, `${family} ${mode}\n${run.dialogue}`).toBe(false)
      }
    })
  })

  describe('through ftp-alg', () => {
    let proxy: RunningProxy

    beforeAll(async () => {
      proxy = await startProxy({ place: network.gateway, config: proxyConfiguration() })
    })

    afterAll(async () => {
      await proxy?.stop()
    })

    it('is the only way: without it, nothing reaches a server', async () => {
      for (const family of families) {
        const target = serverAddress('vsftpd', family, 'client')
        const tried = await network
          .host('client')
          .run(['bash', '-c', 'exec 3<>"/dev/tcp/$0/21"', target], { timeoutMs: 5000 })
        expect(tried.exitCode, tried.stderr).not.toBe(0)
      }
    })

    for (const route of upstreamModes) {
      describe.concurrent.each(serverKinds)(`upstreamMode ${route}, with %s`, (server) => {
        it.each(namedClients)('%s transfers in every way it has', async (_name, client) => {
          expect(await failuresOf({ server, client, route })).toEqual([])
        })
      })
    }
  })

  it('has moved 50 MiB in every way and every upstream mode', () => {
    const large = [...largeCombinations].map((key) => key.split(' '))
    for (const { family, mode } of allWays.filter((way) =>
      ftpClients.some((client) => waysOf(client).includes(way)),
    )) {
      expect(
        large.some((words) => words[2] === family && words[3] === mode),
        `${family} ${mode}`,
      ).toBe(true)
    }
    for (const route of upstreamModes)
      expect(
        large.some((words) => words[4] === route),
        route,
      ).toBe(true)
    for (const key of largeCombinations) expect(outcomes.get(key), key).toBe('works')
  })

  it('writes docs/compatibility.md', async () => {
    const versions = { ...(await debianTree(serverPackages)).versions }
    const report = compatibilityReport({
      servers: serverKinds.map((kind) => ({ kind, version: versions[packageOf[kind]] ?? 'unknown' })),
      clients: await Promise.all(
        ftpClients.map(async (client) => ({ client, version: await client.version() })),
      ),
      outcomes,
    })
    await writeFile(new URL('../../docs/compatibility.md', import.meta.url), report)
  })
})

const packageOf: Readonly<Record<ServerKind, string>> = {
  vsftpd: 'vsftpd',
  proftpd: 'proftpd-core',
  'pure-ftpd': 'pure-ftpd',
  pyftpdlib: 'python3-pyftpdlib',
}

/** Runs one client with one server over one route in all its ways; gives what failed, with the dialogues. */
async function failuresOf({ server: kind, client, route }: Pick<Combination, 'server' | 'client' | 'route'>) {
  const server = servers.get(kind)
  if (server === undefined) throw new Error(`${kind} is not running`)
  const attempt = async (way: Way) => {
    const key = keyOf({ server: kind, client, ...way, route })
    const target =
      route === 'direct'
        ? { address: serverAddress(kind, way.family, 'client'), port: 21 }
        : { address: network.gateway.inside[way.family], port: listenerPort(kind, route) }
    const failed = await attemptTransfers({
      client,
      server,
      samples,
      ...way,
      place: network.host('client'),
      target,
      large: largeCombinations.has(key),
    })
    outcomes.set(key, failed.length === 0 ? 'works' : 'fails')
    return failed
  }
  // Both families at once, the ways of one after another.
  const perFamily = families.map(async (family) => {
    const failures: string[] = []
    for (const way of waysOf(client)) if (way.family === family) failures.push(...(await attempt(way)))
    return failures
  })
  return (await Promise.all(perFamily)).flat()
}

type UpstreamMode = (typeof upstreamModes)[number]

/** Every server has an address for each upstream mode. */
function serverAddress(kind: ServerKind, family: Family, mode: UpstreamMode): string {
  const address = network.host(kind).addresses[family][upstreamModes.indexOf(mode)]
  if (address === undefined) throw new Error(`${kind} has no address for ${mode}`)
  return address
}

/** Refuses at once, so that a wrong choice shows quickly. */
function serverFirewall(kind: ServerKind): string {
  const syn = 'tcp flags & (syn | ack) == syn'
  const passive = { v4: serverAddress(kind, 'ipv4', 'passive'), v6: serverAddress(kind, 'ipv6', 'passive') }
  const active = { v4: serverAddress(kind, 'ipv4', 'active'), v6: serverAddress(kind, 'ipv6', 'active') }
  return `table inet firewall {
    chain input {
      type filter hook input priority filter
      ip daddr ${active.v4} ${syn} tcp dport != 21 reject with tcp reset
      ip6 daddr ${active.v6} ${syn} tcp dport != 21 reject with tcp reset
    }
    chain output {
      type filter hook output priority filter
      ip saddr ${passive.v4} ${syn} reject with tcp reset
      ip6 saddr ${passive.v6} ${syn} reject with tcp reset
    }
  }`
}

function listenerPort(kind: ServerKind, mode: UpstreamMode): number {
  return 2100 + 10 * serverKinds.indexOf(kind) + upstreamModes.indexOf(mode)
}

function proxyConfiguration(): string {
  const listeners = serverKinds.flatMap((kind) =>
    upstreamModes.flatMap((mode) =>
      families.map((family) => {
        const own = network.gateway.inside[family]
        const host = (address: string) => (family === 'ipv6' ? `[${address}]` : address)
        return `
  - name: ${kind}-${mode}-${family}
    listen: "${host(own)}:${listenerPort(kind, mode)}"
    upstream: "${host(serverAddress(kind, family, mode))}:21"
    upstreamMode: ${mode}`
      }),
    ),
  )
  return `listeners:${listeners.join('')}
dataPorts: 30000-31999
limits: { sessionsPerClient: 1000 }
`
}
