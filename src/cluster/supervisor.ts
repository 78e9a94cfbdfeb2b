// `--workers N`: the first process accepts nothing itself. It starts the workers, replaces those that die, passes orders
// on, and answers for all of them on the admin listener. The workers share the listening sockets; each has data ports of
// its own.

import cluster, { type Worker } from 'node:cluster'
import { AlgError } from '../errors.ts'
import type { AdminSource } from '../observe/admin/answers.ts'
import type { Recorder } from '../observe/recorder.ts'
import { mergeExpositions } from './merge-expositions.ts'
import { mergeLists, mergeStatus } from './merge-views.ts'
import { type Snapshot, type ToSupervisor, type ToWorker, WORKER_INDEX } from './messages.ts'

export interface SupervisorOptions {
  readonly workers: number
  readonly observer: Recorder
  /** Descriptors that the workers get too, from `FIRST_FD_IN_WORKER` on in this order. */
  readonly inherited: readonly number[]
}

/** A worker that does not answer within this is left out of what is shown. */
const SNAPSHOT_MS = 2_000
/** What is shown may be this old: one page asks for several parts of it. */
const KEEP_MS = 200
const RESTART_MS = 1_000
/** How much longer than the drain a worker gets before it is killed. */
const KILL_AFTER_MS = 5_000

interface Place {
  readonly index: number
  worker: Worker | null
  hasStarted: boolean
}

export class Supervisor {
  readonly #options: SupervisorOptions
  readonly #places: Place[]
  readonly #answers = new Map<number, (snapshot: Snapshot) => void>()
  #lastQuestion = 0
  #isEnding = false
  #shown: { readonly untilMs: number; readonly snapshots: Promise<Snapshot[]> } | null = null

  constructor(options: SupervisorOptions) {
    this.#options = options
    this.#places = Array.from({ length: options.workers }, (_, index) => ({
      index,
      worker: null,
      hasStarted: false,
    }))
  }

  /** Every worker has started and none is being replaced. */
  get isReady(): boolean {
    return !this.#isEnding && this.#places.every(({ hasStarted }) => hasStarted)
  }

  /** What the admin server shows: all workers as one. */
  get source(): AdminSource {
    const { observer } = this.#options
    return {
      exposition: async () => mergeExpositions((await this.#snapshots()).map(({ exposition }) => exposition)),
      status: async () => {
        const own = observer.status()
        const parts = (await this.#snapshots()).map(({ status }) => status)
        return mergeStatus(parts, own) ?? own
      },
      sessions: async (limit = Number.POSITIVE_INFINITY) =>
        mergeLists(
          (await this.#snapshots()).map(({ sessions }) => sessions),
          limit,
        ),
      pinholes: async (limit = Number.POSITIVE_INFINITY) =>
        mergeLists(
          (await this.#snapshots()).map(({ pinholes }) => pinholes),
          limit,
        ),
    }
  }

  /** Resolves when all workers run. Errors: what stopped the first one that could not start. */
  async start(): Promise<void> {
    // The workers accept by themselves; passing each connection through here would cost more than it balances.
    cluster.schedulingPolicy = cluster.SCHED_NONE
    cluster.setupPrimary({ stdio: ['inherit', 'inherit', 'inherit', 'ipc', ...this.#options.inherited] })
    try {
      await Promise.all(this.#places.map((place) => this.#fork(place)))
    } catch (error) {
      await this.stop()
      throw error
    }
  }

  reload(): void {
    this.#tellAll({ type: 'reload' })
  }

  reopenLogs(): void {
    this.#tellAll({ type: 'reopenLogs' })
  }

  /** Resolves when the last worker has drained; one that does not end in time is killed. */
  async drain(timeoutMs: number): Promise<void> {
    this.#isEnding = true
    this.#tellAll({ type: 'drain', timeoutMs })
    await this.#allGone(timeoutMs + KILL_AFTER_MS)
  }

  async stop(): Promise<void> {
    this.#isEnding = true
    this.#tellAll({ type: 'stop' })
    await this.#allGone(KILL_AFTER_MS)
  }

  #fork(place: Place): Promise<void> {
    const worker = cluster.fork({ [WORKER_INDEX]: String(place.index) })
    place.worker = worker
    return new Promise((resolve, reject) => {
      worker.on('message', (message: ToSupervisor) => {
        switch (message.type) {
          case 'started':
            place.hasStarted = true
            resolve()
            break
          case 'failed':
            reject(new AlgError(failureOf(message.exitCode), message.message))
            break
          case 'snapshot':
            this.#answers.get(message.id)?.(message.snapshot)
            break
        }
      })
      worker.once('error', reject)
      worker.once('exit', (code, signal) => {
        place.worker = null
        reject(
          new AlgError('RUNTIME_FAILED', `worker ${place.index} ended while it started (${signal ?? code})`),
        )
        if (place.hasStarted && !this.#isEnding) this.#replace(place, signal ?? String(code))
      })
    })
  }

  /** Its sessions are gone with it, and its pinholes: relayed ones at once, those in the kernel by their timeout. */
  #replace(place: Place, how: string): void {
    const { observer } = this.#options
    place.hasStarted = false
    observer.log('error', 'worker.died', 'a worker died and is being replaced', { worker: place.index, how })
    const again = () => {
      if (this.#isEnding) return
      this.#fork(place).catch((error: unknown) => {
        observer.log('error', 'worker.failed', 'a worker cannot be replaced yet', {
          worker: place.index,
          error,
        })
        if (!this.#isEnding) setTimeout(again, RESTART_MS)
      })
    }
    again()
  }

  #tellAll(order: ToWorker): void {
    for (const { worker } of this.#places) {
      if (worker?.isConnected() === true) worker.send(order)
    }
  }

  async #allGone(timeoutMs: number): Promise<void> {
    const kill = setTimeout(() => {
      for (const { worker } of this.#places) worker?.process.kill('SIGKILL')
    }, timeoutMs)
    await Promise.all(
      this.#places.map(({ worker }) => {
        return new Promise<void>((resolve) => {
          if (worker === null || worker.isDead()) resolve()
          else worker.once('exit', () => resolve())
        })
      }),
    )
    clearTimeout(kill)
  }

  #snapshots(): Promise<Snapshot[]> {
    const nowMs = performance.now()
    if (this.#shown === null || nowMs >= this.#shown.untilMs) {
      this.#shown = { untilMs: nowMs + KEEP_MS, snapshots: this.#askAll() }
    }
    return this.#shown.snapshots
  }

  async #askAll(): Promise<Snapshot[]> {
    const asked = this.#places.flatMap(({ worker }) =>
      worker?.isConnected() === true ? [this.#ask(worker)] : [],
    )
    return (await Promise.all(asked)).filter((snapshot) => snapshot !== null)
  }

  #ask(worker: Worker): Promise<Snapshot | null> {
    this.#lastQuestion += 1
    const id = this.#lastQuestion
    return new Promise((resolve) => {
      const settle = (snapshot: Snapshot | null) => {
        clearTimeout(timer)
        this.#answers.delete(id)
        resolve(snapshot)
      }
      const timer = setTimeout(() => settle(null), SNAPSHOT_MS)
      this.#answers.set(id, settle)
      worker.send({ type: 'snapshot', id } satisfies ToWorker)
    })
  }
}

function failureOf(exitCode: 1 | 2 | 3) {
  if (exitCode === 2) return 'CONFIG_INVALID'
  return exitCode === 3 ? 'PRIVILEGE_MISSING' : 'RUNTIME_FAILED'
}
