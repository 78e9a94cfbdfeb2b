import { existsSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Place } from '../lab/place.ts'
import type { System } from './system.ts'
import { everyMeasure, startIn } from './system.ts'

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
}

export function ftpAlg(options: Partial<FtpAlgOptions> = {}): System {
  const all = { ...defaults, ...options }
  const { id, title, backend, workers, dist, idleSeconds, nodeArgs } = all
  const script = join(resolve(dist), 'main.js')
  return {
    id,
    title,
    role: 'ftp-alg',
    needsNamespace: backend === 'nftables',
    forwardsInKernel: backend === 'nftables',
    compilesAtRunTime: true,
    suits: everyMeasure,
    maxIdleSessions: 20_000,
    prepare: async () => {
      if (!existsSync(script))
        return { ok: false, reason: `${script} does not exist; npm run build makes it` }
      return {
        ok: true,
        version: `Node ${process.versions.node}`,
        start: async (place, account) => {
          const file = join(place.directory, `${id}.yaml`)
          writeFileSync(file, configuration(place, { backend, workers, idleSeconds }))
          const args = [...nodeArgs, script, 'run', '--config', file]
          const child = startIn(place, account, { name: id, program: process.execPath, args })
          return { target: { at: place.listen, user: 'anonymous' }, child }
        },
      }
    },
  }
}

function configuration(
  place: Place,
  { backend, workers, idleSeconds }: Pick<FtpAlgOptions, 'backend' | 'workers' | 'idleSeconds'>,
): string {
  const { listen, upstream, dataPorts, adminPort } = place
  const idle = idleSeconds === null ? '' : `, idle: ${idleSeconds}s`
  return `
listeners:
  - name: bench
    listen: ${listen.address}:${listen.port}
    upstream: ${upstream.address}:${upstream.port}
dataPorts: ${dataPorts.first}-${dataPorts.last}
pinholes: { backend: ${backend} }
# All load comes from one address.
limits: { sessions: 20000, sessionsPerClient: 20000${idle} }
admin: { listen: "${listen.address}:${adminPort}" }
log: { level: warn }
workers: ${workers}
`
}
