// Runs one worker process: restarts it when it dies, with back-off when that happens again and again.

import type { Recorder } from '../observe/recorder.ts'
import type { PoolCheck } from '../vocabulary.ts'
import type { Snapshot, StartOrder } from './messages.ts'
import { WorkerProcess } from './worker-process.ts'

export interface WorkerSlotOptions {
  /** From 0. */
  readonly index: number
  readonly observer: Pick<Recorder, 'log' | 'workerDied'>
  /** What a worker needs now. */
  readonly order: () => StartOrder
  readonly reported: (snapshot: Snapshot) => void
  /** What its worker has found of a server of a pool. */
  readonly poolChecked: (check: PoolCheck) => void
  /** Another worker runs, or none, or one with another number of sessions. */
  readonly changed: () => void
  /** Called before `changed` when a worker has ended, however. */
  readonly ended: () => void
}

/** A worker that lived this long did not die of its start. */
const STEADY_MS = 60_000
const LONGEST_DELAY_MS = 30_000

export class WorkerSlot {
  readonly #options: WorkerSlotOptions
  #worker: WorkerProcess | null = null
  #sessions = 0
  #obstacles: readonly string[] = []
  /** Workers in a row that did not live for long. */
  #failures = 0
  #isClosed = false
  #wait: { readonly timer: NodeJS.Timeout; readonly over: () => void } | null = null

  constructor(options: WorkerSlotOptions) {
    this.#options = options
  }

  get index(): number {
    return this.#options.index
  }

  /** The one that is here, perhaps only starting. */
  get worker(): WorkerProcess | null {
    return this.#worker
  }

  /** The one that runs, or null while it is being started or replaced. */
  get running(): WorkerProcess | null {
    return this.#worker?.isRunning === true ? this.#worker : null
  }

  /** What the running worker says it has. */
  get sessions(): number {
    return this.#sessions
  }

  /** What keeps it from serving sessions for now, a sentence each. */
  get obstacles(): readonly string[] {
    return this.#obstacles
  }

  /** Starts the first worker. Errors: why it cannot start. */
  async fill(): Promise<void> {
    this.#watch(await this.#fork())
  }

  /** Replaces no worker any more; one that has not started yet is killed. */
  close(): void {
    this.#isClosed = true
    if (this.running === null) this.#worker?.kill()
    if (this.#wait === null) return
    clearTimeout(this.#wait.timer)
    this.#wait.over()
  }

  /** Resolves when there is no worker; after `close`. */
  async isEmpty(): Promise<void> {
    await this.#worker?.ended
  }

  kill(): void {
    this.#worker?.kill()
  }

  async #fork(): Promise<WorkerProcess> {
    const { index, observer, order, reported, poolChecked, changed, ended } = this.#options
    const worker = new WorkerProcess({
      index,
      order: order(),
      reported,
      hung: (silence_ms) => {
        observer.log('worker.hang', {
          worker: index,
          pid: this.#worker?.pid,
          silence_ms,
        })
      },
      sessionsChanged: (count) => {
        this.#sessions = count
        changed()
      },
      poolChecked,
      obstaclesChanged: (obstacles) => {
        this.#obstacles = obstacles
      },
    })
    this.#worker = worker
    void worker.ended.then(() => {
      this.#worker = null
      this.#sessions = 0
      this.#obstacles = []
      ended()
      changed()
    })
    await worker.started
    observer.log('worker.start', { worker: index, pid: worker.pid })
    changed()
    return worker
  }

  #watch(worker: WorkerProcess): void {
    const sinceMs = performance.now()
    void worker.ended.then((how) => {
      if (this.#isClosed) return
      if (performance.now() - sinceMs >= STEADY_MS) this.#failures = 0
      const retry_ms = restartDelayMs(this.#failures)
      this.#options.observer.workerDied()
      this.#options.observer.log('worker.exit', {
        worker: this.index,
        how,
        retry_ms,
      })
      void this.#replace(retry_ms)
    })
  }

  /**
   * The dead one's sessions are gone with it, and its pinholes: relayed ones at once, those in the kernel when its
   * successor starts, or by their timeout.
   */
  async #replace(delayMs: number): Promise<void> {
    await this.#delay(delayMs)
    if (this.#isClosed) return
    this.#failures += 1
    try {
      this.#watch(await this.#fork())
    } catch (error) {
      if (this.#isClosed) return
      const retry_ms = restartDelayMs(this.#failures)
      this.#options.observer.log('worker.fail', {
        worker: this.index,
        error,
        retry_ms,
      })
      void this.#replace(retry_ms)
    }
  }

  #delay(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const over = () => {
        this.#wait = null
        resolve()
      }
      this.#wait = { timer: setTimeout(over, ms), over }
    })
  }
}

/** At once after an accident, then 1 s, 2 s, 4 s … and at most 30 s. */
function restartDelayMs(failures: number): number {
  return failures === 0 ? 0 : Math.min(LONGEST_DELAY_MS, 1_000 * 2 ** (failures - 1))
}
