// What has lately become of connections: whether anything works now, which counters since the start do not say.

/** Of this time; whoever says it in words says "in the last two minutes". */
export const RECENT_MS = 120_000
const SLICES = 12
const SLICE_MS = RECENT_MS / SLICES
/** More are not kept apart. */
const MAX_WHO = 16

export interface RecentOutcomes {
  readonly succeeded: number
  readonly failed: number
  /** Different peers of those that failed, as far as that matters. */
  readonly failing: number
  /** In words, why the last one failed; null when none has. */
  readonly why: string | null
}

interface Slice {
  /** Which slice of time this is; another one than now means that it is over. */
  number: number
  succeeded: number
  failed: number
}

/** Successes and failures of the last two minutes. Counting one costs a look at the clock. */
export class Outcomes {
  readonly #now: () => number
  readonly #slices: readonly Slice[] = Array.from({ length: SLICES }, () => ({
    number: Number.NEGATIVE_INFINITY,
    succeeded: 0,
    failed: 0,
  }))
  /** When each peer failed last. */
  readonly #failing = new Map<string, number>()
  #why: string | null = null

  /** `now`: milliseconds on a clock that never goes back. */
  constructor(now: () => number = () => performance.now()) {
    this.#now = now
  }

  succeeded(): void {
    this.#slice().succeeded += 1
  }

  /** `who` is the peer it failed with. */
  failed({ who, why }: { readonly who: string; readonly why: string }): void {
    this.#slice().failed += 1
    this.#why = why
    this.#failing.delete(who)
    this.#failing.set(who, this.#now())
    const [oldest] = this.#failing.keys()
    if (this.#failing.size > MAX_WHO && oldest !== undefined) this.#failing.delete(oldest)
  }

  view(): RecentOutcomes {
    const nowMs = this.#now()
    const first = Math.floor(nowMs / SLICE_MS) - SLICES + 1
    const lately = this.#slices.filter(({ number }) => number >= first)
    const failed = lately.reduce((total, slice) => total + slice.failed, 0)
    return {
      succeeded: lately.reduce((total, slice) => total + slice.succeeded, 0),
      failed,
      failing: [...this.#failing.values()].filter((atMs) => nowMs - atMs < RECENT_MS).length,
      why: failed === 0 ? null : this.#why,
    }
  }

  #slice(): Slice {
    const number = Math.floor(this.#now() / SLICE_MS)
    const slice = this.#slices[number % SLICES]
    if (slice === undefined) throw new Error(`no slice ${number}`)
    if (slice.number !== number) Object.assign(slice, { number, succeeded: 0, failed: 0 })
    return slice
  }
}

/** Several processes' outcomes as those of one service. */
export function mergeOutcomes(all: readonly RecentOutcomes[]): RecentOutcomes {
  const total = (of: (each: RecentOutcomes) => number) => all.reduce((sum, each) => sum + of(each), 0)
  return {
    succeeded: total(({ succeeded }) => succeeded),
    failed: total(({ failed }) => failed),
    // The same peer may have been with several of them.
    failing: Math.max(0, ...all.map(({ failing }) => failing)),
    why: all.find(({ why }) => why !== null)?.why ?? null,
  }
}
