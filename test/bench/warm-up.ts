import type { Contestant } from './contestant.ts'
import type { Lab } from './lab/lab.ts'

/** V8 keeps finding things to compile for about so many sessions; CPU per session falls to less than half meanwhile. */
export const sessionsUntilWarm = 10_000
const mostChunks = 45
const chunkSeconds = 2

/**
 * Pools, caches and, above all, just-in-time compilers: nobody is measured cold. Contestants take turns here too, because
 * V8 forgets some of what it compiled when it is left alone for a minute.
 */
export async function warmUp(
  lab: Lab,
  contestants: readonly Contestant[],
  sessions = sessionsUntilWarm,
): Promise<void> {
  for (const { target } of contestants) {
    await lab.run({ kind: 'bulk', target, direction: 'down', streams: 1, bytes: 100_000_000 })
    await lab.run({ kind: 'bulk', target, direction: 'up', streams: 1, bytes: 100_000_000 })
  }
  for (const { target, system } of contestants)
    if (system.suits.has('handshakes') && target.isTls === true)
      await lab.run({ kind: 'handshakes', target, clients: 16, seconds: chunkSeconds })
  await warmUpSessions(lab, contestants, sessions)
}

export async function warmUpSessions(
  lab: Lab,
  contestants: readonly Contestant[],
  untilWarm = sessionsUntilWarm,
): Promise<void> {
  const sessions = new Map<Contestant, number>()
  let cold = contestants.filter(({ system }) => system.suits.has('sessions'))
  for (let chunk = 0; chunk < mostChunks && cold.length > 0; chunk++) {
    for (const contestant of cold) {
      const { target } = contestant
      const job = {
        kind: 'sessions',
        target,
        clients: 16,
        seconds: chunkSeconds,
        fileBytes: 1000,
        perSecond: 0,
      } as const
      const { completed } = await lab.run(job)
      sessions.set(contestant, (sessions.get(contestant) ?? 0) + completed)
    }
    cold = cold.filter((contestant) => {
      const wanted = contestant.system.compilesAtRunTime ? untilWarm : 0
      return (sessions.get(contestant) ?? 0) < wanted
    })
  }
}
