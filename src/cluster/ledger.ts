// What the workers counted, kept for as long as the service runs: a worker's figures must not leave with it.

import type { StatusView } from '../observe/view/shapes.ts'
import { type Exposition, parseExposition } from './exposition.ts'
import { addCounters } from './merge-expositions.ts'
import { mergeStatus, remainsOf } from './merge-views.ts'
import type { Snapshot } from './messages.ts'

export class Ledger {
  /** By the worker's index: the last that each told, of those that run. */
  readonly #last = new Map<number, Snapshot>()
  #goneExposition: Exposition = new Map()
  #goneStatus: StatusView | null = null

  /** The last that each running worker told. */
  get last(): readonly Snapshot[] {
    return [...this.#last.values()]
  }

  /** What all workers counted that are gone. */
  get gone(): { readonly exposition: Exposition; readonly status: StatusView | null } {
    return { exposition: this.#goneExposition, status: this.#goneStatus }
  }

  told(worker: number, snapshot: Snapshot): void {
    this.#last.set(worker, snapshot)
  }

  /** A worker is gone; what it counted after it was last heard is lost. */
  ended(worker: number): void {
    const last = this.#last.get(worker)
    if (last === undefined) return
    this.#last.delete(worker)
    this.#goneExposition = addCounters(this.#goneExposition, parseExposition(last.exposition))
    const remains = remainsOf(last.status)
    this.#goneStatus =
      this.#goneStatus === null
        ? remains
        : mergeStatus({ own: { ...remains, log_lines_lost: 0 }, workers: [remains], gone: this.#goneStatus })
  }
}
