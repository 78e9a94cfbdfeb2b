// What the admin server shows of a supervisor and its workers: all of them as one, and nothing forgotten.

import type { AdminSource } from '../observe/admin/answers.ts'
import { formatExposition } from '../observe/metrics/exposition.ts'
import type { Recorder } from '../observe/recorder.ts'
import { Ledger } from './ledger.ts'
import { byAge, mergeLists, mergeStatus } from './merge-views.ts'
import type { Snapshot } from './messages.ts'
import type { WorkerProcess } from './worker-process.ts'

export interface FiguresOptions {
  /** The supervisor's own. */
  readonly observer: Pick<Recorder, 'families' | 'status'>
  /** Those that run. */
  readonly workers: () => readonly WorkerProcess[]
}

/** What is shown may be this old: one page asks for several parts of it. */
const KEEP_MS = 200
/** Workers report this often by themselves: what a worker counted after it was last heard dies with it. */
const HEAR_MS = 10_000

/** Of the workers while there are any: the supervisor itself has no listener. */
const workersOnly = new Set(['ftp_alg_listener_up', 'ftp_alg_listener_drained'])

export class Figures {
  readonly #options: FiguresOptions
  readonly #ledger = new Ledger()
  #looked: { readonly atMs: number; readonly done: Promise<unknown> } = {
    atMs: -HEAR_MS,
    done: Promise.resolve(),
  }
  #timer: NodeJS.Timeout | null = null

  constructor(options: FiguresOptions) {
    this.#options = options
  }

  /** Begins to hear the workers now and then. */
  start(): void {
    this.#timer ??= setInterval(() => this.#look(HEAR_MS), HEAR_MS).unref()
  }

  stop(): void {
    if (this.#timer !== null) clearInterval(this.#timer)
  }

  reported(worker: number, snapshot: Snapshot): void {
    this.#ledger.reported(worker, snapshot)
  }

  ended(worker: number): void {
    this.#ledger.ended(worker)
  }

  get source(): AdminSource {
    const { observer } = this.#options
    return {
      exposition: async () => {
        const workers = (await this.#heard()).map(({ families }) => families)
        const own = (await observer.families()).filter(
          ({ name }) => workers.length === 0 || !workersOnly.has(name),
        )
        return formatExposition([own, ...workers, await this.#ledger.goneFamilies])
      },
      status: async () => {
        const workers = (await this.#heard()).map(({ status }) => status)
        return mergeStatus({ own: observer.status(), workers, gone: this.#ledger.goneStatus })
      },
      sessions: async (limit = Number.POSITIVE_INFINITY) => {
        const lists = (await this.#heard()).map(({ sessions }) => sessions)
        return mergeLists(lists, { limit, order: byAge })
      },
      pinholes: async (limit = Number.POSITIVE_INFINITY) => {
        const lists = (await this.#heard()).map(({ pinholes }) => pinholes)
        return mergeLists(lists, { limit, order: byAge })
      },
    }
  }

  /** The last of each worker: of one that does not answer, what it said before. */
  async #heard(): Promise<readonly Snapshot[]> {
    await this.#look(KEEP_MS)
    return this.#ledger.last
  }

  /** Asks all workers, unless that was done a moment ago. */
  #look(keepMs: number): Promise<unknown> {
    const nowMs = performance.now()
    if (nowMs - this.#looked.atMs >= keepMs) {
      const done = Promise.all(this.#options.workers().map((worker) => worker.look()))
      this.#looked = { atMs: nowMs, done }
    }
    return this.#looked.done
  }
}
