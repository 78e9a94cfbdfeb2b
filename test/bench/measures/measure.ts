import type { Contestant } from '../contestant.ts'
import type { Lab } from '../lab/lab.ts'
import type { MeasureName } from '../systems/system.ts'

/** One column of a report: `{ id: 'cpu', title: 'CPU per session', unit: 'ms', better: 'less' }`. */
export interface Metric {
  readonly id: string
  readonly title: string
  readonly unit: string
  readonly better: 'less' | 'more'
}

/** What one run of a measure gave: metric id to value, and what went wrong in it. */
export interface Reading {
  readonly values: Readonly<Record<string, number>>
  readonly failures: Readonly<Record<string, number>>
}

/** One question, put to every contestant in turn, round after round. */
export interface Measure {
  /** Unique: `sessions-16`. */
  readonly id: string
  readonly name: MeasureName
  /** A heading: `Sessions, 16 clients`. */
  readonly title: string
  /** One sentence on what is done. */
  readonly method: string
  readonly metrics: readonly Metric[]
  /** For questions whose answer hardly varies, fewer than the effort says. */
  readonly rounds?: number
  suits(contestant: Contestant): boolean
  run(lab: Lab, contestant: Contestant): Promise<Reading>
}

/** CPU of the contestant over `action`, what it does shortly afterwards included. */
export async function withCpu<T>(
  contestant: Contestant,
  action: () => Promise<T>,
): Promise<{ result: T; cpuSeconds: number }> {
  const before = contestant.cpuSeconds()
  const result = await action()
  await pause(tidyingUpMs)
  return { result, cpuSeconds: contestant.cpuSeconds() - before }
}

/** Time for closing sockets and reaping children. */
const tidyingUpMs = 100

export function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds))
}
