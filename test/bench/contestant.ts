import type { Account } from './lab/accounting.ts'
import { openAccount } from './lab/accounting.ts'
import type { Child } from './lab/child.ts'
import { type Lab, LabBroken } from './lab/lab.ts'
import type { Place } from './lab/place.ts'
import type { Target } from './load/jobs.ts'
import type { System } from './systems/system.ts'

/** A system that runs in its place and has passed a probe session. */
export interface Contestant {
  readonly system: System
  readonly version: string
  readonly place: Place
  readonly target: Target
  readonly child: Child | null
  /** Of the system's processes, in seconds since the account was opened; 0 when it has none. */
  cpuSeconds(): number
  memoryKb(): number
  /** A new process, probed; for measurements that need a fresh one. */
  restart(): Promise<void>
  stop(): Promise<void>
}

export type Entry = Contestant | { readonly system: System; readonly refusal: string }

const startPatienceMs = 15_000
const probeFileBytes = 1_500_000

/** Prepares, starts and probes; whatever goes wrong is a refusal in words. */
export async function enter(lab: Lab, system: System, place: Place): Promise<Entry> {
  if (system.needsNamespace && place.kind === 'loopback')
    return { system, refusal: `needs a network namespace: ${lab.reason}` }
  const readiness = await system.prepare()
  if (!readiness.ok) return { system, refusal: readiness.reason }
  const account: Account = openAccount(system.id, { isOfOne: true })
  let started = await readiness.start(place, account)
  const contestant = {
    system,
    version: readiness.version,
    place,
    get target() {
      return started.target
    },
    get child() {
      return started.child
    },
    cpuSeconds: () => (started.child === null ? 0 : account.cpuSeconds(started.child.pid)),
    memoryKb: () => (started.child === null ? 0 : account.memoryKb(started.child.pid)),
    async restart() {
      await started.child?.stop()
      started = await readiness.start(place, account)
      await becomeReady(lab, contestant)
    },
    async stop() {
      await started.child?.stop()
    },
  }
  try {
    await becomeReady(lab, contestant)
    return contestant
  } catch (error) {
    await contestant.stop()
    if (error instanceof LabBroken) throw error
    return { system, refusal: error instanceof Error ? error.message : String(error) }
  }
}

/** One session with verified transfers in both directions, tried until it succeeds. */
async function becomeReady(lab: Lab, { target, child, system }: Contestant): Promise<void> {
  const giveUpAt = performance.now() + startPatienceMs
  for (;;) {
    const { failures } = await lab.run({ kind: 'probe', target, fileBytes: probeFileBytes })
    const [failure] = Object.keys(failures)
    if (failure === undefined) return
    if (child !== null && !child.isAlive())
      throw new Error(`${system.title} ${await child.exited}: ${child.logTail()}`)
    if (performance.now() > giveUpAt) {
      throw new Error(`the probe session fails: ${failure}${child === null ? '' : `\n${child.logTail()}`}`)
    }
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
}
