import { openFileLimit } from '../lab/child.ts'
import { warmUpSessions } from '../warm-up.ts'
import type { Measure } from './measure.ts'
import { pause, withCpu } from './measure.ts'

const settlingMs = 1500
const churnClients = 16
/** Descriptors for everything but the idle sessions, each of which takes two: data ports stay open for most of a second. */
const otherFiles = 1500
/** A little below the round number is as good; much below is another question. */
const nearEnough = 0.9

/** What a session costs while `concurrent` others are logged in: flat, or something in there walks a list. */
export function growthMeasure({
  concurrent,
  seconds,
}: {
  readonly concurrent: number
  readonly seconds: number
}): Measure {
  return {
    id: `growth-${concurrent}`,
    name: 'growth',
    title: `Growth, ${concurrent.toLocaleString('en')} concurrent sessions`,
    method: `A fresh process; ${churnClients} clients make whole sessions while the others are logged in and silent.`,
    metrics: [
      { id: 'cpu', title: 'CPU per session', unit: 'ms', better: 'less' },
      { id: 'rate', title: 'sessions/s', unit: '/s', better: 'more' },
      { id: 'memory', title: 'memory per session', unit: 'kB', better: 'less' },
    ],
    suits: ({ system }) =>
      system.suits.has('idle') && Math.min(system.maxIdleSessions, mostSessions()) >= concurrent * nearEnough,
    async run(lab, contestant) {
      const { target } = contestant
      const sessions = Math.min(concurrent, mostSessions())
      await contestant.restart()
      await pause(settlingMs)
      const before = contestant.memoryKb()
      const { result, release } = await lab.hold({ kind: 'idle', target, sessions })
      await pause(settlingMs)
      const after = contestant.memoryKb()
      await warmUpSessions(lab, [contestant])
      const churn = await withCpu(contestant, () =>
        lab.run({ kind: 'sessions', target, clients: churnClients, seconds, fileBytes: 1000, perSecond: 0 }),
      )
      await release()
      const note =
        sessions < concurrent ? { [`measured at ${sessions} sessions, the limit of files`]: 1 } : {}
      const failures = { ...result.failures, ...churn.result.failures, ...note }
      const { completed, inTime } = churn.result
      if (completed === 0 || result.opened === 0) return { values: {}, failures }
      const cpu = (1000 * churn.cpuSeconds) / completed
      return { values: { cpu, rate: inTime / seconds, memory: (after - before) / result.opened }, failures }
    },
  }
}

function mostSessions(): number {
  return Math.floor((openFileLimit() - otherFiles) / 2)
}
