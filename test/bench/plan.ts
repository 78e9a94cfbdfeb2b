import { bulkMeasure } from './measures/bulk.ts'
import { growthMeasure } from './measures/growth.ts'
import { idleMemoryMeasure } from './measures/idle-memory.ts'
import type { Measure } from './measures/measure.ts'
import { roundTripMeasure } from './measures/round-trip.ts'
import { sessionsMeasure } from './measures/sessions.ts'
import type { Options, What } from './options.ts'
import { ftpAlg } from './systems/ftp-alg.ts'
import { haproxy } from './systems/haproxy.ts'
import { modProxy } from './systems/mod-proxy.ts'
import { naive } from './systems/naive.ts'
import { nfNatFtp } from './systems/nf-nat-ftp.ts'
import { squid } from './systems/squid.ts'
import { suseFtpProxy } from './systems/suse-ftp-proxy.ts'
import type { System } from './systems/system.ts'
import { tlsMeasures, tlsSystems } from './tls-plan.ts'
import { sessionsUntilWarm } from './warm-up.ts'

/** Which systems are asked which questions how often. */
export interface Plan {
  readonly systems: readonly System[]
  readonly measures: readonly Measure[]
  readonly rounds: number
  /** So many sessions before those that compile as they go are measured. */
  readonly warmUpSessions: number
}

const relay = ftpAlg()
const relayWithTwoWorkers = ftpAlg({ id: 'relay-2', title: 'ftp-alg relay, 2 workers', workers: 2 })
const nftables = ftpAlg({ id: 'nftables', title: 'ftp-alg nftables', backend: 'nftables' })
/** The same session, on ways on which its server has yet to be found. */
const routed = [
  ftpAlg({ id: 'pool', title: 'ftp-alg relay, a pool', server: 'pool' }),
  ftpAlg({ id: 'by-address', title: 'ftp-alg relay, a route by address', server: 'pool by address' }),
  ftpAlg({ id: 'by-user', title: 'ftp-alg relay, a route by user', server: 'pool by user' }),
]
const userSpacePeers = [squid, suseFtpProxy, modProxy, haproxy, naive]

/** Systems of each plan, those of ftp-alg first. */
const systemsOf: Readonly<Record<What, readonly System[]>> = {
  quick: [relay, squid],
  all: [relay, relayWithTwoWorkers, nftables, ...userSpacePeers, nfNatFtp],
  relay: [relay, ...userSpacePeers],
  nftables: [nftables, nfNatFtp, squid],
  workers: [relay, relayWithTwoWorkers, squid],
  routes: [relay, ...routed],
  peers: [...userSpacePeers, nfNatFtp],
  memory: [relay, ...userSpacePeers],
  growth: [relay],
  instrument: [],
  profile: [],
  soak: [],
  'soak-ftps': [],
  tls: tlsSystems,
}

const churnPerSecond = 200

export function makePlan({
  what,
  rounds,
  peers,
  measures,
  against,
}: Options): Plan | { readonly problem: string } {
  const all = systemsOf[what === 'tls' ? 'tls' : 'all'].filter(({ role }) => role === 'peer')
  const known = [...new Set(all.map(familyOf))]
  const unknown = peers?.find((id) => !known.includes(id))
  if (unknown !== undefined) return { problem: `--peers ${unknown} (allowed: ${known.join(', ')}, none)` }
  const own = systemsOf[what].filter(({ role }) => role === 'ftp-alg')
  const other =
    against === null ? [] : [ftpAlg({ id: 'against', title: 'ftp-alg relay, other build', dist: against })]
  const chosen =
    peers === null
      ? systemsOf[what].filter(({ role }) => role === 'peer')
      : all.filter((system) => peers.includes(familyOf(system)))
  return {
    systems: [...own, ...other, ...chosen],
    measures: measuresOf(what).filter(({ name }) => measures === null || measures.includes(name)),
    // TLS sessions are so dear that ten thousand of each would take longer than the measurement.
    warmUpSessions: what === 'tls' ? 1500 : sessionsUntilWarm,
    rounds: rounds ?? (what === 'quick' ? 3 : 5),
  }
}

/** `mod_proxy-front` gives `mod_proxy`. */
function familyOf({ id }: System): string {
  return id.split('-')[0] ?? id
}

function measuresOf(what: What): readonly Measure[] {
  const isQuick = what === 'quick'
  const seconds = isQuick ? 2 : 3
  const bytes = isQuick ? 500_000_000 : 1_000_000_000
  const roundTrip = { noops: 2000, transfers: 200 }
  const growth = [100, 1000, 5000, 10_000].map((concurrent) => growthMeasure({ concurrent, seconds }))
  const memory = [2000, 5000].map(idleMemoryMeasure)
  if (what === 'growth') return growth
  if (what === 'memory') return memory
  if (what === 'tls') return tlsMeasures()
  if (what === 'routes') return [1, 16].map((clients) => sessionsMeasure({ clients, seconds }))
  return [
    ...[1, 16, 256].map((clients) => sessionsMeasure({ clients, seconds })),
    bulkMeasure({ direction: 'down', streams: 1, bytes }),
    bulkMeasure({ direction: 'up', streams: 1, bytes }),
    bulkMeasure({ direction: 'down', streams: 100, bytes: 10_000_000 }),
    roundTripMeasure({ ...roundTrip, loadPerSecond: 0 }),
    roundTripMeasure({ ...roundTrip, loadPerSecond: churnPerSecond }),
    ...(isQuick ? memory.slice(0, 1) : memory),
    ...(what === 'all' ? growth.map(onlyForRelay) : []),
  ]
}

/** A fresh process for each reading takes its time. */
function onlyForRelay(measure: Measure): Measure {
  return {
    ...measure,
    rounds: 3,
    suits: (contestant) => contestant.system.id === relay.id && measure.suits(contestant),
  }
}
