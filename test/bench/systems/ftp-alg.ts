import { existsSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { provideNode } from '../lab/node.ts'
import type { Place } from '../lab/place.ts'
import type { System, TlsSide } from './system.ts'
import { everyMeasure, everyTlsMeasure, startIn, targetOf, upstreamOf } from './system.ts'

export interface FtpAlgOptions {
  readonly id: string
  readonly title: string
  readonly backend: 'relay' | 'nftables'
  readonly workers: number
  /** The compiled program: our own `dist`, or another build to compare with. */
  readonly dist: string
  /** After so many seconds of silence sessions end; null for the default. */
  readonly idleSeconds: number | null
  /** Put before the script: `['--cpu-prof']`. */
  readonly nodeArgs: readonly string[]
  readonly tls: TlsSide | null
  /** Of the process, beside ours. */
  readonly environment: Readonly<Record<string, string>>
  /** How a session finds its server: named by the listener, one of a pool, or by what the client says. */
  readonly server: 'named' | 'pool' | 'pool by address' | 'pool by user'
  /** A major version of Node fetched for this; null is the one that runs the benchmark. */
  readonly node: number | null
}

/** The build of this checkout; the compiled benchmark lies in .cache/bench/bench/systems. */
export const ownDist = fileURLToPath(new URL('../../../../dist', import.meta.url))

const defaults: FtpAlgOptions = {
  id: 'relay',
  title: 'ftp-alg relay',
  backend: 'relay',
  workers: 1,
  dist: ownDist,
  idleSeconds: null,
  nodeArgs: [],
  tls: null,
  environment: {},
  server: 'named',
  node: null,
}

export function ftpAlg(options: Partial<FtpAlgOptions> = {}): System {
  const all = { ...defaults, ...options }
  const { id, title, backend, dist, nodeArgs, tls, node, environment } = all
  const script = join(resolve(dist), 'main.js')
  return {
    id,
    title,
    role: 'ftp-alg',
    needsNamespace: backend === 'nftables',
    forwardsInKernel: backend === 'nftables',
    compilesAtRunTime: true,
    suits: tls === null ? everyMeasure : everyTlsMeasure,
    ...(tls === null ? {} : { tls }),
    maxIdleSessions: 20_000,
    prepare: async () => {
      if (!existsSync(script))
        return { ok: false, reason: `${script} does not exist; npm run build makes it` }
      const program =
        node === null
          ? { ok: true as const, path: process.execPath, version: process.versions.node }
          : await provideNode(node)
      if (!program.ok) return program
      return {
        ok: true,
        version: `Node ${program.version}`,
        start: async (place, account) => {
          const file = join(place.directory, `${id}.yaml`)
          writeFileSync(file, configuration(place, all))
          const args = [...nodeArgs, script, 'run', '--config', file]
          const child = startIn(place, account, { name: id, program: program.path, args, environment })
          return { target: targetOf(place, tls ?? undefined), child }
        },
      }
    },
  }
}

function configuration(place: Place, options: FtpAlgOptions): string {
  const { backend, workers, idleSeconds, tls } = options
  const { listen, dataPorts, adminPort } = place
  const { pools, route } = serverKeys(place, options)
  const idle = idleSeconds === null ? '' : `, idle: ${idleSeconds}s`
  return `${pools}
listeners:
  - name: bench
    listen: ${listen.address}:${listen.port}
    ${route}
${tlsKeys(place, tls)}${explicitListener(place, tls)}dataPorts: ${dataPorts.first}-${dataPorts.last}
pinholes: { backend: ${backend} }
# All load comes from one address.
limits: { sessions: 20000, sessionsPerClient: 20000${idle} }
admin: { listen: "${listen.address}:${adminPort}" }
log: { level: warn }
workers: ${workers}
`
}

/** For visitors of the soak, one port above: what only explicit TLS has. */
function explicitListener(place: Place, tls: TlsSide | null): string {
  if (tls !== 'front' && tls !== 'both') return ''
  const { listen } = place
  const upstream = upstreamOf(place, tls)
  return `  - name: explicit
    listen: ${listen.address}:${listen.port + 1}
    upstream: ${upstream.address}:${upstream.port}
${tlsKeys(place, tls).replace('mode: implicit, dataReuse', 'mode: required, ccc: allow, dataReuse')}`
}

function serverKeys(place: Place, { server, tls }: FtpAlgOptions) {
  const { address, port } = upstreamOf(place, tls ?? undefined)
  const at = `${address}:${port}`
  if (server === 'named') return { pools: '', route: `upstream: ${at}` }
  const condition = { pool: null, 'pool by address': 'clients: [0.0.0.0/0]', 'pool by user': "user: '*'" }[
    server
  ]
  return {
    pools: `upstreams: [{ name: servers, servers: [{ address: '${at}' }] }]`,
    route: condition === null ? 'upstream: servers' : `routes: [{ ${condition}, upstream: servers }]`,
  }
}

function tlsKeys({ identity }: Place, tls: TlsSide | null): string {
  const pair = `{ certificate: ${identity.certificate}, key: ${identity.key} }`
  const front = `    tls: { mode: implicit, dataReuse: required, certificates: [${pair}] }\n`
  const back = '    upstreamTls: { mode: implicit, verify: none }\n'
  return `${tls === 'front' || tls === 'both' ? front : ''}${tls === 'back' || tls === 'both' ? back : ''}`
}
