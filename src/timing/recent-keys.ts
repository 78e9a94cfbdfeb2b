export interface RecentKeysOptions {
  /** A key is remembered so many milliseconds. */
  readonly forMs: number
  /** Milliseconds on a clock that never goes back. */
  readonly now: () => number
}

/** Keys that are remembered for a while. What is over is forgotten whenever another key is added, oldest first. */
export class RecentKeys {
  readonly #options: RecentKeysOptions
  /** To the time when it is over; the oldest stand first. */
  readonly #untilMs = new Map<string, number>()

  constructor(options: RecentKeysOptions) {
    this.#options = options
  }

  /** How many take up memory; some of them may be over. */
  get size(): number {
    return this.#untilMs.size
  }

  /** The while begins now, for a key that is remembered already too. */
  add(key: string): void {
    const nowMs = this.#options.now()
    for (const [oldest, untilMs] of this.#untilMs) {
      if (untilMs > nowMs) break
      this.#untilMs.delete(oldest)
    }
    this.#untilMs.delete(key)
    this.#untilMs.set(key, nowMs + this.#options.forMs)
  }

  has(key: string): boolean {
    const untilMs = this.#untilMs.get(key)
    return untilMs !== undefined && untilMs > this.#options.now()
  }
}
