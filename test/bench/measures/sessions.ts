import type { Measure } from './measure.ts'
import { withCpu } from './measure.ts'

const fileBytes = 1000

/** Whole sessions as fast as they go: login, TYPE I, one passive 1 kB RETR, QUIT. */
export function sessionsMeasure({
  clients,
  seconds,
}: {
  readonly clients: number
  readonly seconds: number
}): Measure {
  return {
    id: `sessions-${clients}`,
    name: 'sessions',
    title: `Sessions, ${clients === 1 ? '1 client' : `${clients} clients at once`}`,
    method: 'Login, TYPE I, one passive RETR of 1 kB, QUIT, over and over.',
    metrics: [
      { id: 'rate', title: 'sessions/s', unit: '/s', better: 'more' },
      { id: 'cpu', title: 'proxy CPU per session', unit: 'ms', better: 'less' },
      { id: 'p50', title: 'session p50', unit: 'ms', better: 'less' },
      { id: 'p99', title: 'session p99', unit: 'ms', better: 'less' },
    ],
    suits: ({ system }) => system.suits.has('sessions'),
    async run(lab, contestant) {
      const { target } = contestant
      const { result, cpuSeconds } = await withCpu(contestant, () =>
        lab.run({ kind: 'sessions', target, clients, seconds, fileBytes, perSecond: 0 }),
      )
      const { inTime, completed, failures, sessionMs } = result
      if (completed === 0) return { values: {}, failures }
      const cpu = (1000 * cpuSeconds) / completed
      return { values: { rate: inTime / seconds, cpu, p50: sessionMs.p50, p99: sessionMs.p99 }, failures }
    },
  }
}
