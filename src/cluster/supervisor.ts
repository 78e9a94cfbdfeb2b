// `--workers N`: the first process accepts nothing itself. It starts the workers, replaces those that die, passes orders
// on, and answers for all of them on the admin listener. The workers share the listening sockets; each has data ports of
// its own.

import cluster from 'node:cluster'
import type { Config } from '../config/config.ts'
import { type AdminSource, drainedReadiness, type Readiness, readinessOf } from '../observe/admin/answers.ts'
import type { Recorder } from '../observe/recorder.ts'
import { Figures } from './figures.ts'
import type { ToWorker } from './messages.ts'
import { ClusterOperations } from './operations.ts'
import { shareSessions } from './session-shares.ts'
import { workerConfig } from './worker-config.ts'
import type { WorkerProcess } from './worker-process.ts'
import { WorkerSlot } from './worker-slot.ts'

export interface SupervisorOptions {
  readonly config: Config
  /** Its `families` and `status` are those of this process alone. */
  readonly observer: Recorder
  /** Descriptors that the workers get too, from `FIRST_FD_IN_WORKER` on in this order. */
  readonly inherited: readonly number[]
}

/** How much longer than the drain a worker gets before it is killed. */
const KILL_AFTER_MS = 5_000
/** Session counts that change in quick succession are answered together. */
const GATHER_MS = 50

export class Supervisor {
  readonly operations: ClusterOperations
  readonly #slots: readonly WorkerSlot[]
  readonly #figures: Figures
  readonly #inherited: readonly number[]
  /** How many sessions each worker may have, as last sent to it. */
  readonly #shares = new Map<WorkerSlot, number>()
  #config: Config
  #isEnding = false
  /** The worker that checks the servers of pools. */
  #checker: WorkerProcess | null = null
  #sharing: NodeJS.Timeout | null = null

  constructor({ config, observer, inherited }: SupervisorOptions) {
    this.#config = config
    this.#inherited = inherited
    this.operations = new ClusterOperations({
      listeners: () => this.#config.listeners.map(({ name }) => name),
      workers: () => this.#slots.flatMap(({ running }) => running ?? []),
      sessionCount: async () => (await this.#figures.source.sessions(0)).total,
    })
    this.#figures = new Figures({
      observer,
      workers: () => this.#slots.flatMap(({ running }) => running ?? []),
    })
    this.#slots = Array.from({ length: config.workers }, (_, index) => {
      const slot: WorkerSlot = new WorkerSlot({
        index,
        observer,
        order: () => ({
          type: 'start',
          config: workerConfig(this.#config, index),
          drained: this.operations.drained,
        }),
        reported: (snapshot) => this.#figures.reported(index, snapshot),
        poolChecked: (check) => this.#tellOthers(slot, { type: 'poolChecked', check }),
        changed: () => {
          this.#shareSoon()
          this.#appointChecker()
        },
        ended: () => {
          this.#figures.ended(index)
          this.#shares.delete(slot)
        },
      })
      return slot
    })
  }

  /** Ready when every worker runs. */
  get readiness(): Readiness {
    if (this.#isEnding) return { ready: false, reason: 'draining' }
    const missing = this.#slots.filter(({ running }) => running === null).map(({ index }) => index)
    if (missing.length > 0)
      return { ready: false, reason: `of the workers these do not run: ${missing.join(', ')}` }
    if (this.operations.isOutOfService) return drainedReadiness
    // While one accepts, clients are served.
    const [first, ...others] = this.#slots
    const obstacles = first?.obstacles ?? []
    return readinessOf(obstacles.filter((text) => others.every((slot) => slot.obstacles.includes(text))))
  }

  /** What the admin server shows: all workers as one. */
  get source(): AdminSource {
    return this.#figures.source
  }

  /** Resolves when all workers run. Errors: what stopped the first one that could not start. */
  async start(): Promise<void> {
    // The workers accept by themselves; passing each connection through here would cost more than it balances.
    cluster.schedulingPolicy = cluster.SCHED_NONE
    cluster.setupPrimary({ stdio: ['inherit', 'inherit', 'inherit', 'ipc', ...this.#inherited] })
    try {
      await Promise.all(this.#slots.map((slot) => slot.fill()))
    } catch (error) {
      await this.stop()
      throw error
    }
    this.#figures.start()
  }

  /** Those that are here take it, those that come start with it. Errors: what kept a worker from it. */
  async reload(config: Config): Promise<void> {
    this.#config = config
    this.#shareSoon()
    await Promise.all(this.#slots.map(({ index, worker }) => worker?.reload(workerConfig(config, index))))
  }

  reopenLogs(): void {
    this.#tellAll({ type: 'reopenLogs' })
  }

  /** Resolves when the last worker has drained; one that does not end in time is killed. */
  drain(timeoutMs: number): Promise<void> {
    return this.#end({ type: 'drain', timeoutMs }, timeoutMs + KILL_AFTER_MS)
  }

  stop(): Promise<void> {
    return this.#end({ type: 'stop' }, KILL_AFTER_MS)
  }

  async #end(order: ToWorker, killAfterMs: number): Promise<void> {
    this.#isEnding = true
    for (const slot of this.#slots) slot.close()
    this.#tellAll(order)
    const kill = setTimeout(() => {
      for (const slot of this.#slots) slot.kill()
    }, killAfterMs)
    await Promise.all(this.#slots.map((slot) => slot.isEmpty()))
    clearTimeout(kill)
    this.#figures.stop()
  }

  #tellAll(order: ToWorker): void {
    for (const { running } of this.#slots) running?.tell(order)
  }

  #tellOthers(sender: WorkerSlot, order: ToWorker): void {
    for (const slot of this.#slots) if (slot !== sender) slot.running?.tell(order)
  }

  /** One of those that run, and another once that is gone. */
  #appointChecker(): void {
    if (this.#checker?.isRunning === true) return
    this.#checker = this.#slots.flatMap(({ running }) => running ?? [])[0] ?? null
    this.#checker?.tell({ type: 'checkPools', isChecker: true })
  }

  #shareSoon(): void {
    this.#sharing ??= setTimeout(() => {
      this.#sharing = null
      this.#share()
    }, GATHER_MS).unref()
  }

  #share(): void {
    const running = this.#slots.filter((slot) => slot.running !== null)
    const shares = shareSessions({
      limit: this.#config.limits.sessions,
      inUse: running.map(({ sessions }) => sessions),
    })
    for (const [nth, slot] of running.entries()) {
      const sessions = shares[nth] ?? 0
      if (this.#shares.get(slot) === sessions) continue
      this.#shares.set(slot, sessions)
      slot.running?.tell({ type: 'shareSessions', sessions })
    }
  }
}
