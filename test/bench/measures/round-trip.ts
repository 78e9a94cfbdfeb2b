import type { Measure } from './measure.ts'

interface RoundTripOptions {
  readonly noops: number
  readonly transfers: number
  /** Sessions per second that others make meanwhile; 0 is silence. */
  readonly loadPerSecond: number
}

const loadClients = 16
/** The load begins before the first question and outlasts the last. */
const loadSeconds = 4

const latencies = [
  { id: 'noop50', title: 'NOOP p50', unit: 'ms', better: 'less' },
  { id: 'noop99', title: 'NOOP p99', unit: 'ms', better: 'less' },
  { id: 'first50', title: 'first byte p50', unit: 'ms', better: 'less' },
  { id: 'first99', title: 'first byte p99', unit: 'ms', better: 'less' },
] as const

/** How long a client waits: for the answer to a command, for the first byte, for its pinhole. */
export function roundTripMeasure({ noops, transfers, loadPerSecond }: RoundTripOptions): Measure {
  const isLoaded = loadPerSecond > 0
  return {
    id: isLoaded ? 'round-trip-loaded' : 'round-trip',
    name: 'roundTrip',
    title: isLoaded ? `Round trips beside ${loadPerSecond} sessions/s` : 'Round trips, idle',
    method: `One session sends ${noops} NOOPs, then makes ${transfers} transfers of 1 kB; first byte is from RETR sent to data received${
      isLoaded
        ? `, while ${loadClients} other clients make ${loadPerSecond} sessions a second`
        : '. Pinhole is PASV to 227 less the NOOP before it (p50)'
    }.`,
    metrics: isLoaded
      ? latencies
      : [
          ...latencies,
          { id: 'pinhole50', title: 'pinhole p50', unit: 'ms', better: 'less' },
          { id: 'pinhole99', title: 'pinhole p99', unit: 'ms', better: 'less' },
        ],
    suits: ({ system }) => system.suits.has('roundTrip'),
    async run(lab, { target }) {
      const ask = () => lab.run({ kind: 'roundTrip', target, noops, transfers })
      const load = isLoaded
        ? lab.run({
            kind: 'sessions',
            target,
            clients: loadClients,
            seconds: loadSeconds,
            fileBytes: 1000,
            perSecond: loadPerSecond,
          })
        : null
      const { noopMs, calmNoopMs, firstByteMs, passiveMs, failures } = await ask()
      await load
      if (firstByteMs.count === 0) return { values: {}, failures }
      const values = {
        noop50: noopMs.p50,
        noop99: noopMs.p99,
        first50: firstByteMs.p50,
        first99: firstByteMs.p99,
        pinhole50: Math.max(0, passiveMs.p50 - calmNoopMs.p50),
        pinhole99: Math.max(0, passiveMs.p99 - calmNoopMs.p50),
      }
      return { values, failures }
    },
  }
}
