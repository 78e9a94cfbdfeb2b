// Every combination of TLS on a gateway with the nftables backend: plain, explicit and implicit on either side, PROT C and P
// on either side, in front of servers over IPv4 and IPv6, and between clients and servers that know nothing of the gateway.
// Control is TLS as configured; data in clear on both sides stay in the kernel, all others are relayed.

import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { issueCertificate, writeCertificates } from '../support/certificates.ts'
import { createCleanup } from '../support/cleanup.ts'
import { debianRootMissing } from '../support/debian.ts'
import { createNetwork, type Family, type Network } from '../support/netns.ts'
import { type DataVerb, FtpsClient } from '../support/peers/ftps-client.ts'
import { startFtpsServer, type TlsMode } from '../support/peers/ftps-server.ts'
import { payloadSha256 } from '../support/peers/payload.ts'
import { runOrThrow } from '../support/programs.ts'
import { type RunningProxy, startProxy } from '../support/proxy.ts'
import { dropByDefault } from './transparent/lab/rules.ts'
import { socketsIn } from './transparent/lab/sockets.ts'

const missing = debianRootMissing('FTPS on a gateway')
const main = new URL('../../dist/main.js', import.meta.url).pathname

const modes = ['plain', 'explicit', 'implicit'] as const
const upstreamModes = ['client', 'passive', 'active'] as const
const families = ['ipv4', 'ipv6'] as const
const verbsOf = { ipv4: ['PASV', 'EPSV', 'PORT', 'EPRT'], ipv6: ['EPSV', 'EPRT'] } as const
const portOf: Readonly<Record<TlsMode, number>> = { plain: 21, explicit: 2121, implicit: 990 }
const byteCount = 50_021
const sha256 = payloadSha256(byteCount)

interface Way {
  readonly index: number
  /** How clients come here: to the gateway, whose server has that family; or to the server itself. */
  readonly arrival: Family | 'redirect' | 'tproxy'
  readonly front: TlsMode
  readonly back: TlsMode
  /** PROT towards the server. */
  readonly backData: 'C' | 'P'
  readonly upstreamMode: (typeof upstreamModes)[number]
}

const ways: readonly Way[] = (['ipv4', 'ipv6', 'redirect', 'tproxy'] as const)
  .flatMap((arrival) =>
    modes.flatMap((front) =>
      modes.flatMap((back) =>
        (back === 'plain' ? (['C'] as const) : (['C', 'P'] as const)).flatMap((backData) =>
          upstreamModes.map((upstreamMode) => ({ arrival, front, back, backData, upstreamMode })),
        ),
      ),
    ),
  )
  .map((way, index) => ({ ...way, index }))

const isIntercepted = ({ arrival }: Way) => arrival === 'redirect' || arrival === 'tproxy'
/** Ours, or of the server that clients mean, which leads to the right one of its ports. */
const arrivalPort = ({ index }: Way) => 3000 + index
const listenPort = ({ index }: Way) => 5000 + index
const nameOf = ({ index, arrival, front, back, backData, upstreamMode }: Way) =>
  `${index}-${arrival}-${front}-${back}-${backData}-${upstreamMode}`

/** What each way should have carried in the kernel and through the process. */
const expected = new Map<string, { kernel: number; relay: number }>()

describe.skipIf(missing !== null)('TLS on a gateway with the nftables backend', () => {
  const cleanup = createCleanup()
  let network: Network
  let proxy: RunningProxy
  let config = ''

  beforeAll(async () => {
    const folder = await mkdtemp(join(tmpdir(), 'ftp-alg-ftps-gateway-'))
    cleanup.add(() => rm(folder, { recursive: true, force: true }))
    network = await createNetwork({ inside: ['client'], outside: ['server'] })
    cleanup.add(network.close)
    await network.gateway.forward(true)
    await runOrThrow(['sh', '-c', unbridge], { place: network.gateway })
    await network.gateway.firewall(
      dropByDefault({ input: `tcp dport 3000-${3000 + ways.length - 1} accept` }),
    )
    const { addresses } = network.host('server')
    const ca = issueCertificate({ name: 'Test CA', isAuthority: true })
    const server = issueCertificate({
      name: 'server',
      addresses: [...addresses.ipv4, ...addresses.ipv6],
      issuer: ca,
    })
    const edge = issueCertificate({ name: 'edge', issuer: ca })
    await writeCertificates(folder, { authorities: { ca }, pairs: { edge } })
    for (const mode of modes) {
      for (const family of families) {
        const running = await startFtpsServer({
          address: addresses[family][0] ?? '',
          port: portOf[mode],
          mode,
          certificate: server,
          sockets: socketsIn(network.host('server')),
        })
        cleanup.add(async () => running.close())
      }
    }
    await network.host('server').firewall(serverPorts())
    config = configuration(folder, network)
    const file = join(folder, 'config.yaml')
    await writeFile(file, config)
    await runOrThrow([process.execPath, main, 'firewall', '--apply', '--config', file], {
      place: network.gateway,
    })
    proxy = await startProxy({ place: network.gateway, config })
    cleanup.add(proxy.stop)
  })

  afterAll(() => cleanup.run())

  it('warns where clients meet our certificate for a server that they meant', async () => {
    const intercepted = ways.filter((way) => isIntercepted(way) && way.front !== 'plain')
    const warned =
      proxy.output().split('answers with our certificate for servers that clients meant').length - 1
    expect(warned).toBeGreaterThanOrEqual(intercepted.length)
  })

  describe.concurrent.each(ways.map((way) => [nameOf(way), way] as const))('%s', (_name, way) => {
    const protections = way.front === 'plain' ? (['C'] as const) : (['C', 'P'] as const)

    it.each(protections)('carries files both ways with PROT %s', async (protection) => {
      for (const [family, verbs] of visitsOf(way, protection)) {
        const client = await FtpsClient.login({
          address: isIntercepted(way)
            ? (network.host('server').addresses[family][0] ?? '')
            : network.gateway.inside[family],
          port: arrivalPort(way),
          mode: way.front,
          version: way.backData === 'P' ? 'TLSv1.3' : 'TLSv1.2',
          isPrivate: protection === 'P',
          sockets: socketsIn(network.host('client')),
        })
        try {
          if (way.front !== 'plain') expect(client.certificateName).toBe('edge')
          for (const [nth, verb] of verbs.entries()) {
            const what = (way.index + nth) % 2 === 0 ? 'download' : 'upload'
            expect(await client[what](verb, byteCount), `${family} ${verb} ${what}`).toBe(sha256)
            const bytes = expected.get(nameOf(way)) ?? { kernel: 0, relay: 0 }
            bytes[isForKernel(way, { protection, family, verb }) ? 'kernel' : 'relay'] += byteCount
            expected.set(nameOf(way), bytes)
          }
          await client.quit()
        } finally {
          client.destroy()
        }
      }
    })
  })

  it('keeps data in the kernel where both sides are in clear, and nowhere else', async () => {
    const moved = async () => {
      const metrics = await proxy.metrics()
      const seen = new Map<string, { kernel: number; relay: number }>()
      const pattern =
        /^ftp_alg_data_bytes_total\{listener="([^"]+?)(?:-6)?",.*path="(kernel|relay)"\} (\d+)$/gm
      for (const [, listener = '', path = '', bytes] of metrics.matchAll(pattern)) {
        const sums = seen.get(listener) ?? { kernel: 0, relay: 0 }
        sums[path === 'kernel' ? 'kernel' : 'relay'] += Number(bytes)
        seen.set(listener, sums)
      }
      return Object.fromEntries(seen)
    }
    await expect.poll(moved).toEqual(Object.fromEntries(expected))
  })

  it('leaves nothing behind', async () => {
    await expect
      .poll(async () => (await network.gateway.run(['nft', 'list', 'ruleset'])).stdout)
      .not.toMatch(/elements = /)
    await expect
      .poll(async () => JSON.parse((await proxy.get('/api/v1/sessions')).body))
      .toMatchObject({ total: 0 })
    expect(proxy.records().filter(({ level }) => level === 'error')).toEqual([])
  })
})

/** Both families; a server of the other family than its client is visited with one verb. */
function visitsOf(way: Way, protection: 'C' | 'P'): [Family, readonly DataVerb[]][] {
  const turn = way.index + (protection === 'P' ? 1 : 0)
  const someOf = (family: Family, count: number): readonly DataVerb[] =>
    Array.from({ length: count }, (_, nth) => {
      const verbs: readonly DataVerb[] = verbsOf[family]
      return verbs[(turn + nth) % verbs.length] ?? 'EPSV'
    })
  if (isIntercepted(way)) {
    const family = families[turn % 2] ?? 'ipv4'
    return [[family, someOf(family, 2)]]
  }
  return families.map((family) => [
    family,
    someOf(family, family === way.arrival ? verbsOf[family].length : 1),
  ])
}

interface Transfer {
  readonly protection: 'C' | 'P'
  readonly family: Family
  readonly verb: DataVerb
}

function isForKernel(
  { arrival, backData, upstreamMode }: Way,
  { protection, family, verb }: Transfer,
): boolean {
  if (protection === 'P' || backData === 'P') return false
  if (arrival !== 'redirect' && arrival !== 'tproxy' && arrival !== family) return false
  const verbMode = verb === 'PASV' || verb === 'EPSV' ? 'passive' : 'active'
  return upstreamMode === 'client' || upstreamMode === verbMode
}

/** Where br_netfilter is not loaded, there is nothing to switch off. */
const unbridge =
  'for knob in /proc/sys/net/bridge/bridge-nf-call-ip*tables; do [ ! -e "$knob" ] || echo 0 >"$knob"; done'

function serverPorts(): string {
  const elements = ways
    .filter(isIntercepted)
    .map((way) => `${arrivalPort(way)} : ${portOf[way.back]}`)
    .join(', ')
  return `table inet ports {
  map port { type inet_service : inet_service; elements = { ${elements} } }
  chain prerouting {
    type nat hook prerouting priority dstnat
    meta l4proto tcp redirect to :tcp dport map @port
  }
}`
}

function configuration(folder: string, network: Network): string {
  const listeners = ways.flatMap((way) => {
    const { arrival, front, back, backData, upstreamMode } = way
    const certificates = `[{ certificate: ${folder}/edge.crt, key: ${folder}/edge.key }]`
    const mode = { plain: 'off', explicit: 'required', implicit: 'implicit' } as const
    const protection = backData === 'P' ? 'required' : 'never'
    const tls = [
      ...(front === 'plain'
        ? []
        : [`tls: { mode: ${mode[front]}, dataReuse: required, certificates: ${certificates} }`]),
      ...(back === 'plain'
        ? []
        : [`upstreamTls: { mode: ${mode[back]}, ca: ${folder}/ca.crt, dataProtection: ${protection} }`]),
    ]
    const common = [`upstreamMode: ${upstreamMode}`, ...tls]
    const entry = (name: string, lines: readonly string[]) => `  - name: ${name}\n    ${lines.join('\n    ')}`
    if (arrival === 'ipv4' || arrival === 'ipv6') {
      const [address = ''] = network.host('server').addresses[arrival]
      const host = arrival === 'ipv6' ? `[${address}]` : address
      return [
        entry(nameOf(way), [
          `listen: '[::]:${arrivalPort(way)}'`,
          `upstream: '${host}:${portOf[back]}'`,
          ...common,
        ]),
      ]
    }
    // What is redirected arrives at our own addresses; what tproxy takes is better kept to loopback.
    const listens = arrival === 'redirect' ? ['[::]'] : ['127.0.0.1', '[::1]']
    return listens.map((listen, nth) =>
      entry(`${nameOf(way)}${nth === 0 ? '' : '-6'}`, [
        `listen: '${listen}:${listenPort(way)}'`,
        `intercept: ${arrival}`,
        `source: ${arrival === 'tproxy' ? 'client' : 'proxy'}`,
        `matches: { ports: [${arrivalPort(way)}] }`,
        ...common,
      ]),
    )
  })
  return `listeners:\n${listeners.join('\n')}\ndataPorts: 30000-39999\npinholes: { backend: nftables }\nlimits: { sessions: 1000, sessionsPerClient: 1000 }\n`
}
