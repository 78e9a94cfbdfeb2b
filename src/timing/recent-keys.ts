export interface RecentKeysOptions {
  /** How long a key is remembered, in milliseconds. */
  readonly forMs: number
  /** Milliseconds on a clock that never goes back. */
  readonly now: () => number
}

/**
 * Keys that are remembered for a while.
 *
 * Two generations of `forMs` each: the older one is dropped as a whole. Taking keys out one by one would leave holes
 * in a `Map`, over which every look at its oldest key has to step.
 */
export class RecentKeys {
  readonly #options: RecentKeysOptions
  /** To the time when it is over. */
  #young = new Map<string, number>()
  #old = new Map<string, number>()
  #youngSinceMs = Number.NEGATIVE_INFINITY

  constructor(options: RecentKeysOptions) {
    this.#options = options
  }

  /** How many take up memory; some of them may be over. */
  get size(): number {
    return this.#young.size + this.#old.size
  }

  /** The while begins now, for a key that is remembered already too. */
  add(key: string): void {
    const nowMs = this.#options.now()
    const { forMs } = this.#options
    if (nowMs - this.#youngSinceMs >= forMs) {
      const isAllOver = nowMs - this.#youngSinceMs >= 2 * forMs
      this.#old = isAllOver ? new Map() : this.#young
      this.#young = new Map()
      this.#youngSinceMs = nowMs
    }
    this.#young.set(key, nowMs + forMs)
  }

  has(key: string): boolean {
    const untilMs = this.#young.get(key) ?? this.#old.get(key)
    return untilMs !== undefined && untilMs > this.#options.now()
  }
}
