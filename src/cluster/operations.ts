// What operators do, to all workers, and to those that come in their place.

import type { AdminOperations } from '../observe/admin/operations.ts'
import type { WorkerProcess } from './worker-process.ts'

export interface ClusterOperationsOptions {
  readonly listeners: () => readonly string[]
  /** Those that run. */
  readonly workers: () => readonly Pick<WorkerProcess, 'endSession' | 'tell'>[]
  /** Of all workers together, as they are asked. */
  readonly sessionCount: () => Promise<number>
}

const LOOK_MS = 250

export class ClusterOperations implements AdminOperations {
  readonly #options: ClusterOperationsOptions
  readonly #drained = new Set<string>()

  constructor(options: ClusterOperationsOptions) {
    this.#options = options
  }

  /** What a new worker must not take sessions for. */
  get drained(): readonly string[] {
    return [...this.#drained]
  }

  get isOutOfService(): boolean {
    return this.listeners().every((name) => this.#drained.has(name))
  }

  listeners(): readonly string[] {
    return this.#options.listeners()
  }

  async endSession(id: string): Promise<boolean> {
    const answers = await Promise.all(this.#options.workers().map((worker) => worker.endSession(id)))
    return answers.includes(true)
  }

  drain({ listeners, endsSessions }: Parameters<AdminOperations['drain']>[0]): void {
    const named = this.#named(listeners)
    for (const name of named) this.#drained.add(name)
    for (const worker of this.#options.workers()) {
      worker.tell({ type: 'drainListeners', listeners: named, endsSessions })
    }
  }

  resume(listeners: readonly string[]): void {
    const named = this.#named(listeners)
    for (const name of named) this.#drained.delete(name)
    for (const worker of this.#options.workers()) worker.tell({ type: 'resumeListeners', listeners: named })
  }

  async whenEmpty(timeoutMs: number): Promise<boolean> {
    const endMs = performance.now() + timeoutMs
    for (;;) {
      // First: what workers said a moment ago may be from before the drain.
      await new Promise((resolve) => setTimeout(resolve, LOOK_MS))
      if ((await this.#options.sessionCount()) === 0) return true
      if (performance.now() >= endMs) return false
    }
  }

  #named(listeners: readonly string[]): readonly string[] {
    return listeners.length === 0 ? this.listeners() : listeners
  }
}
