import type { Contestant } from './contestant.ts'
import type { Lab } from './lab/lab.ts'

/** V8 keeps finding things to compile for about so many sessions; CPU per session falls to less than half meanwhile. */
const sessionsUntilWarm = 10_000
const longestChunks = 45
const chunkSeconds = 2

/** Pools, caches and, above all, just-in-time compilers: nobody is measured cold. */
export async function warmUp(lab: Lab, contestant: Contestant): Promise<void> {
  await warmUpSessions(lab, contestant)
  const { target } = contestant
  await lab.run({ kind: 'bulk', target, direction: 'down', streams: 1, bytes: 100_000_000 })
  await lab.run({ kind: 'bulk', target, direction: 'up', streams: 1, bytes: 100_000_000 })
}

export async function warmUpSessions(lab: Lab, { target, system }: Contestant): Promise<void> {
  if (!system.suits.has('sessions')) return
  let sessions = 0
  for (let chunk = 0; chunk < longestChunks && sessions < sessionsUntilWarm; chunk++) {
    const job = {
      kind: 'sessions',
      target,
      clients: 16,
      seconds: chunkSeconds,
      fileBytes: 1000,
      perSecond: 0,
    } as const
    sessions += (await lab.run(job)).completed
    if (!system.compilesAtRunTime) return
  }
}
