// Every wait of a peer is bounded and says what it waited for.

/** Longer than any timer of the product that a test waits for, shorter than a test may take. */
export const PATIENCE_MS = 20_000

/** Rejects with `nothing of: <what>` when the promise does not settle in time; `soFar` adds what was seen. */
export async function within<T>(
  promise: Promise<T>,
  { what, ms = PATIENCE_MS, soFar }: { what: string; ms?: number; soFar?: () => string },
): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      const seen = soFar === undefined ? '' : `; so far: ${soFar()}`
      reject(new Error(`${ms} ms passed without ${what}${seen}`))
    }, ms)
  })
  try {
    return await Promise.race([promise, late])
  } finally {
    clearTimeout(timer)
  }
}

/** Things that arrive, and whoever waits for the next one. */
export class Arrivals<T> {
  readonly #arrived: T[] = []
  readonly #waiting: ((item: T) => void)[] = []

  add(item: T): void {
    const waiting = this.#waiting.shift()
    if (waiting === undefined) this.#arrived.push(item)
    else waiting(item)
  }

  /** What has arrived and nobody took. */
  get untaken(): readonly T[] {
    return this.#arrived
  }

  next(what: string, ms?: number): Promise<T> {
    const arrived = this.#arrived.shift()
    if (arrived !== undefined) return Promise.resolve(arrived)
    const next = new Promise<T>((resolve) => {
      this.#waiting.push(resolve)
    })
    return within(next, ms === undefined ? { what } : { what, ms })
  }
}
