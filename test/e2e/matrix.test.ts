// Real servers × real clients × data commands × upstream modes × families. Writes docs/compatibility.md, all but its section on FTPS.

import { mkdtemp, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { createCleanup } from '../support/cleanup.ts'
import { ftpClients } from '../support/clients/all.ts'
import { clientTree, dataCommands, type Way } from '../support/clients/client.ts'
import { debianRootMissing, debianTree } from '../support/debian.ts'
import { createNetwork, type Network } from '../support/netns.ts'
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
import { writePart } from './matrix/page.ts'
import { compatibilityReport, type Outcome } from './matrix/report.ts'
import {
  doorFor,
  doors,
  listenerPort,
  proxyConfiguration,
  serverAddress,
  serverFirewall,
} from './matrix/setting.ts'

const missing = debianRootMissing('the compatibility matrix')
const namedClients = ftpClients.map((client) => [client.name, client] as const)
const cleanup = createCleanup()
const outcomes = new Map<string, Outcome>()
let network: Network
let samples: Samples
const servers = new Map<ServerKind, FtpServer>()

describe.skipIf(missing !== null)('compatibility', () => {
  beforeAll(async () => {
    await Promise.all([clientTree(), debianTree(serverPackages)])
    samples = await createSamples()
    cleanup.add(() => rm(samples.folder, { recursive: true, force: true }))
    network = await createNetwork({
      inside: ['client'],
      outside: serverKinds,
      addresses: Object.fromEntries(serverKinds.map((kind) => [kind, doors.length])),
    })
    cleanup.add(network.close)
    for (const kind of serverKinds) {
      const host = network.host(kind)
      await host.firewall(serverFirewall(network, kind))
      const server = await startServer(kind, {
        place: host,
        address: '::',
        port: 21,
        passivePorts: { first: 40_000, last: 49_999 },
      })
      cleanup.add(server.stop)
      servers.set(kind, server)
      await shareSamples(server, samples)
    }
  })

  afterAll(() => cleanup.run())

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
          server: { address: serverAddress(network, { kind: 'vsftpd', family, door: 'open' }), port: 21 },
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
      proxy = await startProxy({ place: network.gateway, config: proxyConfiguration(network) })
    })

    afterAll(async () => {
      await proxy?.stop()
    })

    it('is the only way: without it, nothing reaches a server', async () => {
      const tried = families.map(async (family) => {
        const address = serverAddress(network, { kind: 'vsftpd', family, door: 'open' })
        const connect = ['bash', '-c', 'exec 3<>"/dev/tcp/$0/21"', address]
        return (await network.host('client').run(connect, { timeoutMs: 3000 })).exitCode
      })
      expect(await Promise.all(tried)).not.toContain(0)
    })

    for (const route of upstreamModes) {
      describe.concurrent.each(serverKinds)(`upstreamMode ${route}, with %s`, (server) => {
        it.each(namedClients)('%s transfers in every way it has', async (_name, client) => {
          expect(await failuresOf({ server, client, route })).toEqual([])
        })
      })
    }

    it('keeps nothing when all clients are gone, and was never surprised', async () => {
      await vi.waitFor(async () => {
        expect(JSON.parse((await proxy.get('/api/v1/sessions')).body)).toMatchObject({ total: 0 })
      }, 10_000)
      expect(JSON.parse((await proxy.get('/api/v1/pinholes')).body)).toMatchObject({ total: 0 })
      const status = JSON.parse((await proxy.get('/api/v1/status')).body)
      expect(status.listeners).toHaveLength(serverKinds.length * families.length * 4)
      for (const listener of status.listeners) {
        expect(listener).toMatchObject({ upstream_failures_total: 0, data_connections_failed_total: 0 })
      }
      expect(status).toMatchObject({ intruders_total: 0, log_lines_lost: 0 })
      expect(proxy.records().filter((record) => record.level === 'error')).toEqual([])
    })
  })

  it('has moved 50 MiB in every way and every upstream mode', () => {
    const large = [...largeCombinations].map((key) => key.split(' '))
    const waysInUse = allWays.filter((way) => ftpClients.some((client) => client.cannotUse(way) === null))
    for (const { family, mode } of waysInUse) {
      expect(large, `${family} ${mode}`).toContainEqual(expect.arrayContaining([family, mode]))
    }
    for (const route of upstreamModes) expect(large, route).toContainEqual(expect.arrayContaining([route]))
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
    await writePart('plain', report)
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
    const { family } = way
    const target =
      route === 'direct'
        ? { address: serverAddress(network, { kind, family, door: 'open' }), port: 21 }
        : {
            address: network.gateway.inside[family],
            port: listenerPort(kind, { upstreamMode: route, door: doorFor(route, way) }),
          }
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
