import { openFileLimit } from '../lab/child.ts'
import type { Measure } from './measure.ts'
import { pause } from './measure.ts'

/** For buffers to be returned and heaps to calm down. */
const settlingMs = 1500

/** Memory of sessions that are logged in and silent, in a fresh process. */
export function idleMemoryMeasure(sessions: number): Measure {
  return {
    id: `idle-${sessions}`,
    name: 'idle',
    title: `Memory, ${sessions.toLocaleString('en')} idle sessions`,
    method:
      'A fresh process; proportional set size of its whole tree with the sessions logged in, less before, divided by sessions.',
    metrics: [
      { id: 'memory', title: 'memory per session', unit: 'kB', better: 'less' },
      { id: 'base', title: 'memory of the empty proxy', unit: 'MB', better: 'less' },
    ],
    rounds: 1,
    suits: ({ system }) => system.suits.has('idle') && system.maxIdleSessions > 0,
    async run(lab, contestant) {
      const { system, target } = contestant
      // Two sockets each, and some for everything else.
      const count = Math.min(sessions, system.maxIdleSessions, Math.floor((openFileLimit() - 500) / 2))
      await contestant.restart()
      await pause(settlingMs)
      const before = contestant.memoryKb()
      const { result, release } = await lab.hold({ kind: 'idle', target, sessions: count })
      await pause(settlingMs)
      const after = contestant.memoryKb()
      await release()
      await contestant.restart()
      const { opened, failures } = result
      if (opened === 0) return { values: {}, failures }
      const note = count < sessions ? { [`measured at ${count} sessions, its limit`]: 1 } : {}
      return {
        values: { memory: (after - before) / opened, base: before / 1024 },
        failures: { ...failures, ...note },
      }
    },
  }
}
