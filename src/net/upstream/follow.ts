// Something that DNS says, asked for again as its TTL passes.

import type { Observer } from '../../observe/observer.ts'

export interface Found<T> {
  readonly found: T
  /** What the log says of it. */
  readonly addresses: readonly string[]
  readonly ttlMs: number
}

export interface Following {
  stop(): void
}

/** After a failure. */
const RETRY_MS = 5_000

/** Begins at once. What stops resolving is kept, and the log says so once. */
export class Follower<T> implements Following {
  readonly #host: string
  readonly #ask: () => Promise<Found<T>>
  readonly #changed: (found: T) => void
  readonly #observer: Pick<Observer, 'log'>
  #addresses: readonly string[] = []
  #known = ''
  #isFailing = false
  #isStopped = false
  #timer: NodeJS.Timeout | null = null

  constructor(
    { host, observer }: { readonly host: string; readonly observer: Pick<Observer, 'log'> },
    ask: () => Promise<Found<T>>,
    changed: (found: T) => void,
  ) {
    this.#host = host
    this.#observer = observer
    this.#ask = ask
    this.#changed = changed
    void this.#look()
  }

  stop(): void {
    this.#isStopped = true
    if (this.#timer !== null) clearTimeout(this.#timer)
  }

  async #look(): Promise<void> {
    let ttlMs = RETRY_MS
    try {
      const found = await this.#ask()
      this.#isFailing = false
      ttlMs = found.ttlMs
      if (!this.#isStopped) this.#learn(found)
    } catch (error) {
      const [host, addresses] = [this.#host, this.#addresses]
      if (!this.#isFailing) this.#observer.log('names.fail', { host, addresses, error })
      this.#isFailing = true
    }
    if (!this.#isStopped) this.#timer = setTimeout(() => void this.#look(), ttlMs).unref()
  }

  #learn({ found, addresses }: Found<T>): void {
    const known = [...addresses].sort().join()
    if (known === this.#known) return
    const host = this.#host
    if (this.#known !== '') this.#observer.log('names.change', { host, addresses })
    this.#known = known
    this.#addresses = addresses
    this.#changed(found)
  }
}
