// What the workers counted, kept for as long as the service runs: a worker's figures must not leave with it.

import { sumCounters } from '../observe/metrics/exposition.ts'
import type { MetricFamily } from '../observe/metrics/family.ts'
import type { StatusView } from '../observe/view/shapes.ts'
import { mergeStatus, remainsOf } from './merge-views.ts'
import type { Snapshot } from './messages.ts'

export class Ledger {
  /** By the worker's index: the last report of each that runs. */
  readonly #last = new Map<number, Snapshot>()
  #goneFamilies: Promise<readonly MetricFamily[]> = Promise.resolve([])
  #goneStatus: StatusView | null = null

  /** The last report of each running worker. */
  get last(): readonly Snapshot[] {
    return [...this.#last.values()]
  }

  /** What all workers counted that are gone: a counter that went backwards would look like a restart. */
  get goneFamilies(): Promise<readonly MetricFamily[]> {
    return this.#goneFamilies
  }

  /** Null when none has gone. */
  get goneStatus(): StatusView | null {
    return this.#goneStatus
  }

  reported(worker: number, snapshot: Snapshot): void {
    this.#last.set(worker, snapshot)
  }

  /** A worker is gone; what it counted after it was last heard is lost. */
  ended(worker: number): void {
    const last = this.#last.get(worker)
    if (last === undefined) return
    this.#last.delete(worker)
    this.#goneFamilies = this.#goneFamilies.then((gone) => sumCounters([gone, last.families]))
    const remains = remainsOf(last.status)
    this.#goneStatus =
      this.#goneStatus === null
        ? remains
        : mergeStatus({ own: { ...remains, log_lines_lost: 0 }, workers: [remains], gone: this.#goneStatus })
  }
}
