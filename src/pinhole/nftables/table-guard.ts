// Whether our rules still stand as we wrote them. Elements are written into sets all the same when the administrator has emptied a
// chain (`nft flush chain ip ftp_alg claim`): packets match nothing, and no call fails.

export interface TableGuardOptions {
  /** Our rules as the kernel has them now, without elements; throws when a table or chain is not there. */
  readonly read: () => string
  /** Puts them back, with every element that should be in them; false when that cannot be done. */
  readonly restore: () => boolean
  /** Milliseconds on a clock that never goes back. */
  readonly now: () => number
}

/** Looks once a minute, and when a pinhole ended without its peer. */
export class TableGuard {
  readonly #options: TableGuardOptions
  readonly #timer: NodeJS.Timeout
  #wanted: string | null
  #lookedAtMs = Number.NEGATIVE_INFINITY

  /** The rules were put in place just now. */
  constructor(options: TableGuardOptions) {
    this.#options = options
    this.#wanted = this.#read()
    this.#timer = setInterval(() => this.#look(), LOOK_MS).unref()
  }

  /** A pinhole was not used: maybe it could not be. At most one look in five seconds. */
  doubt(): void {
    if (this.#options.now() - this.#lookedAtMs >= DOUBT_MS) this.#look()
  }

  /** Any number of times. */
  stop(): void {
    clearInterval(this.#timer)
  }

  #look(): void {
    this.#lookedAtMs = this.#options.now()
    if (this.#wanted !== null && this.#read() === this.#wanted) return
    if (this.#options.restore()) this.#wanted = this.#read()
  }

  #read(): string | null {
    try {
      return this.#options.read()
    } catch {
      return null
    }
  }
}

const LOOK_MS = 60_000
/** A look costs a millisecond or two beside a large rule set. */
const DOUBT_MS = 5_000
