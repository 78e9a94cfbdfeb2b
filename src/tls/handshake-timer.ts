/** How long a handshake may take. */
export class HandshakeTimer {
  readonly #forMs: number
  readonly #expired: () => void
  #timer: NodeJS.Timeout | null = null

  constructor(forMs: number, expired: () => void) {
    this.#forMs = forMs
    this.#expired = expired
  }

  /** Once; later calls change nothing. */
  start(): void {
    this.#timer ??= setTimeout(this.#expired, this.#forMs)
  }

  stop(): void {
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.#timer = null
  }
}
