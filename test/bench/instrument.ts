import type { Contestant } from './contestant.ts'
import type { Lab } from './lab/lab.ts'
import { medianOf } from './report/summary.ts'

/** What the load client and server cost when nothing is between them, so that readers can weigh every other figure. */
export interface InstrumentCost {
  readonly sessionsPerSecond: number
  readonly clientMsPerSession: number
  readonly serverMsPerSession: number
  /** Of the client's CPU in sessions: 0 to 1. */
  readonly kernelShare: number
  readonly gigabytesPerSecond: number
  readonly clientSecondsPerGb: number
  readonly serverSecondsPerGb: number
}

const seconds = 2
const bytes = 2_000_000_000

export async function measureInstrument(
  lab: Lab,
  direct: Contestant,
  rounds: number,
): Promise<InstrumentCost> {
  const { target } = direct
  const costs: InstrumentCost[] = []
  for (let round = 0; round < rounds; round++) {
    const [sessions, sessionsServer] = await withServerCpu(lab, () =>
      lab.run({ kind: 'sessions', target, clients: 16, seconds, fileBytes: 1000, perSecond: 0 }),
    )
    const [bulk, bulkServer] = await withServerCpu(lab, () =>
      lab.run({ kind: 'bulk', target, direction: 'down', streams: 1, bytes }),
    )
    const count = Math.max(1, sessions.completed)
    costs.push({
      sessionsPerSecond: sessions.inTime / seconds,
      clientMsPerSession: (1000 * sessions.clientCpuSeconds) / count,
      serverMsPerSession: (1000 * sessionsServer) / count,
      kernelShare: 1 - sessions.clientUserSeconds / sessions.clientCpuSeconds,
      gigabytesPerSecond: bytes / 1e9 / bulk.seconds,
      clientSecondsPerGb: bulk.clientCpuSeconds / (bytes / 1e9),
      serverSecondsPerGb: bulkServer / (bytes / 1e9),
    })
  }
  const median = (pick: (cost: InstrumentCost) => number): number =>
    medianOf(costs.map(pick).sort((a, b) => a - b))
  return {
    sessionsPerSecond: median((cost) => cost.sessionsPerSecond),
    clientMsPerSession: median((cost) => cost.clientMsPerSession),
    serverMsPerSession: median((cost) => cost.serverMsPerSession),
    kernelShare: median((cost) => cost.kernelShare),
    gigabytesPerSecond: median((cost) => cost.gigabytesPerSecond),
    clientSecondsPerGb: median((cost) => cost.clientSecondsPerGb),
    serverSecondsPerGb: median((cost) => cost.serverSecondsPerGb),
  }
}

export function describeInstrument(cost: InstrumentCost): string {
  const ms = (value: number): string => `${value.toFixed(2)} ms`
  const s = (value: number): string => `${value.toFixed(2)} s`
  return [
    'The instrument alone (client straight to server, 16 clients; one download):',
    `  ${Math.round(cost.sessionsPerSecond).toLocaleString('en')} sessions/s; CPU per session: client ${ms(cost.clientMsPerSession)}, server ${ms(cost.serverMsPerSession)} (${Math.round(100 * cost.kernelShare)} % in the kernel)`,
    `  ${cost.gigabytesPerSecond.toFixed(1)} GB/s; CPU per GB: client ${s(cost.clientSecondsPerGb)}, server ${s(cost.serverSecondsPerGb)}`,
    '',
  ].join('\n')
}

async function withServerCpu<T>(lab: Lab, action: () => Promise<T>): Promise<[T, number]> {
  const before = lab.serverCpuSeconds()
  const result = await action()
  return [result, lab.serverCpuSeconds() - before]
}
