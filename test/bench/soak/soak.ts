// Does anything grow? Sessions come and go beside aborts and hostile peers for a bounded time; what a process holds
// afterwards, at rest, is compared with what it held after the first minute, at rest too.

import { type Contestant, enter } from '../contestant.ts'
import type { Lab } from '../lab/lab.ts'
import { pause } from '../measures/measure.ts'
import { ftpAlg } from '../systems/ftp-alg.ts'
import type { System } from '../systems/system.ts'
import { renewCertificate } from './certificates.ts'
import { readState, type State } from './state.ts'

const idleSeconds = 30

const plain: readonly System[] = [
  ftpAlg({ idleSeconds }),
  ftpAlg({ id: 'nftables', title: 'ftp-alg nftables', backend: 'nftables', idleSeconds }),
]

/** glibc looks at every block that is freed, and ends the process at the first that is not as it was left. */
const mallocCheck = { MALLOC_CHECK_: '3', LD_PRELOAD: 'libc_malloc_debug.so.0' }

/** TLS on both sides, towards clients alone, and both once more with a C library that checks its heap. */
const ftps: readonly System[] = [
  ftpAlg({ id: 'relay-both', title: 'ftp-alg, TLS to TLS', tls: 'both', idleSeconds }),
  ftpAlg({ id: 'relay-front', title: 'ftp-alg, TLS to plain', tls: 'front', idleSeconds }),
  ftpAlg({
    id: 'checked-both',
    title: 'ftp-alg, TLS to TLS, MALLOC_CHECK_=3',
    tls: 'both',
    idleSeconds,
    environment: mallocCheck,
  }),
]

export type SoakKind = 'soak' | 'soak-ftps'

/** TLS sessions cost several times as much; the machine is shared by all of them. */
const loads = {
  soak: { systems: plain, sessionsPerSecond: 150, visitsPerSecond: 25 },
  'soak-ftps': { systems: ftps, sessionsPerSecond: 40, visitsPerSecond: 20 },
} as const

/** One for each system, and one for the ground. */
export function soakPlaces(kind: SoakKind): number {
  return loads[kind].systems.length + 1
}

const cycleSeconds = 30
/** Longer than anything that ends by itself: idle sessions, lingering sockets, pinholes that nobody used (60 s). */
const restMs = 100_000
/** V8's heap grows to its working size within the first minutes and shrinks late. */
const tolerableMemoryMb = 30

/** Prints what it sees every minute; true when nothing has grown. */
export async function soak(lab: Lab, kind: SoakKind, minutes: number): Promise<boolean> {
  const load = loads[kind]
  const contestants: Contestant[] = []
  for (const [i, system] of load.systems.entries()) {
    const place = lab.places[i + 1]
    if (place === undefined) continue
    const entry = await enter(lab, system, place)
    if ('refusal' in entry) say(`${system.title} is left out: ${entry.refusal}`)
    else contestants.push(entry)
  }
  await cycle(lab, contestants, load, 2)
  await pause(restMs)
  const before = await readAll(contestants)
  show('at rest, after the first minute', contestants, before)
  const endsAt = performance.now() + minutes * 60_000
  let sessions = 0
  for (let cycles = 1; performance.now() < endsAt; cycles++) {
    sessions += await cycle(lab, contestants, load, 1)
    if (kind === 'soak-ftps') renewCertificate(contestants, cycles)
    if (cycles % 4 === 0) show(`under way, ${sessions} sessions`, contestants, await readAll(contestants))
  }
  await pause(restMs)
  const after = await readAll(contestants)
  show(`at rest, after ${sessions} sessions`, contestants, after)
  for (const { system, child } of contestants)
    if (child?.isAlive() !== true) throw new Error(`${system.title} is dead: ${child?.logTail()}`)
  const growths = contestants.flatMap(({ system }, i) =>
    growthOf(before[i], after[i]).map((what) => `${system.title}: ${what}`),
  )
  for (const growth of growths) say(`GROWN ${growth}`)
  if (growths.length === 0) say(`nothing has grown in ${minutes} minutes`)
  return growths.length === 0
}

/** A share of the time for each system: the machine is no larger than that. */
async function cycle(
  lab: Lab,
  contestants: readonly Contestant[],
  { sessionsPerSecond, visitsPerSecond }: (typeof loads)[SoakKind],
  times: number,
): Promise<number> {
  let completed = 0
  for (let i = 0; i < times; i++) {
    for (const { target } of contestants) {
      const seconds = cycleSeconds / contestants.length
      const [sessions, mischief] = await Promise.all([
        lab.run({
          kind: 'sessions',
          target,
          clients: 16,
          seconds,
          fileBytes: 100_000,
          perSecond: sessionsPerSecond,
        }),
        lab.run({ kind: 'mischief', target, seconds, perSecond: visitsPerSecond }),
      ])
      completed += sessions.completed
      for (const reason of Object.keys(mischief.failures)) throw new Error(`mischief: ${reason}`)
    }
  }
  return completed
}

function readAll(contestants: readonly Contestant[]): Promise<State[]> {
  return Promise.all(contestants.map(readState))
}

function growthOf(before: State | undefined, after: State | undefined): string[] {
  if (before === undefined || after === undefined) return ['not read']
  const grown: string[] = []
  if (after.memoryMb > before.memoryMb + tolerableMemoryMb)
    grown.push(`memory from ${before.memoryMb.toFixed(1)} to ${after.memoryMb.toFixed(1)} MB`)
  if (after.files > before.files) grown.push(`open files from ${before.files} to ${after.files}`)
  if (after.sessions > 0) grown.push(`${after.sessions} sessions left`)
  if (after.ports > 0) grown.push(`${after.ports} data ports left in use`)
  if ((after.elements ?? 0) > 0) grown.push(`${after.elements} nftables elements left`)
  return grown
}

function show(when: string, contestants: readonly Contestant[], states: readonly State[]): void {
  contestants.forEach(({ system }, i) => {
    const state = states[i]
    if (state === undefined) return
    const { memoryMb, files, sessions, ports, elements } = state
    const tables = elements === null ? '' : `, ${elements} elements`
    say(
      `${when}: ${system.title} has ${memoryMb.toFixed(1)} MB, ${files} files, ${sessions} sessions, ${ports} data ports in use${tables}`,
    )
  })
}

function say(text: string): void {
  process.stdout.write(`${text}\n`)
}
