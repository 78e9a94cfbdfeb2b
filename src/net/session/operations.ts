import type { SessionRegistry } from './registry.ts'

/** Which listeners, by name; empty: all. */
export type ListenerNames = readonly string[]

export interface DrainOrder {
  readonly listeners: ListenerNames
  /** Idle sessions end with 421, the others after what they transfer; else sessions go on as they like. */
  readonly endsSessions: boolean
}

export interface OperationsOptions {
  readonly registry: SessionRegistry
  /** All there are. */
  readonly listeners: () => ListenerNames
  readonly changed: (change: { readonly listener: string; readonly isDrained: boolean }) => void
}

/** What operators do to the sessions and listeners of this process. */
export class Operations {
  readonly #options: OperationsOptions
  readonly #drained = new Set<string>()

  constructor(options: OperationsOptions) {
    this.#options = options
  }

  /** False when there is no session of this id. */
  endSession(id: string): boolean {
    return this.#options.registry.end(id)
  }

  /** New clients get 421 there until `resume`. */
  drain({ listeners, endsSessions }: DrainOrder): void {
    for (const listener of this.#named(listeners)) this.#mark(listener, true)
    if (endsSessions) this.#options.registry.finish(this.#drained)
  }

  resume(listeners: ListenerNames): void {
    for (const listener of this.#named(listeners)) this.#mark(listener, false)
  }

  /** Sessions that are open now. */
  get sessionCount(): number {
    return this.#options.registry.size
  }

  listeners(): ListenerNames {
    return this.#options.listeners()
  }

  whenEmpty(timeoutMs: number): Promise<boolean> {
    return this.#options.registry.whenEmpty(timeoutMs)
  }

  isDrained(listener: string): boolean {
    return this.#drained.has(listener)
  }

  /** No listener takes new sessions. */
  get isOutOfService(): boolean {
    const listeners = this.#options.listeners()
    return listeners.length > 0 && listeners.every((listener) => this.#drained.has(listener))
  }

  #named(listeners: ListenerNames): ListenerNames {
    return listeners.length === 0 ? this.#options.listeners() : listeners
  }

  #mark(listener: string, isDrained: boolean): void {
    if (this.#drained.has(listener) === isDrained) return
    if (isDrained) this.#drained.add(listener)
    else this.#drained.delete(listener)
    this.#options.changed({ listener, isDrained })
  }
}
