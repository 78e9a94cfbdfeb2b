// Whether a process still answers. Turns are counted and not the clock: while the supervisor itself was stopped (a
// suspended host, a VM that migrates) the clock goes on, and no worker could have answered.

export interface SignOfLifeOptions {
  /** The longest silence allowed. */
  readonly silenceMs: number
  /** Asks for a sign; call `heard` when the answer comes. */
  readonly ask: () => void
  /** Called once, after more silence than that. */
  readonly silent: () => void
}

/** How many silent turns in a row count as silence. */
const TURNS = 10

export class SignOfLife {
  readonly #timer: NodeJS.Timeout
  /** Turns since the last sign. */
  #unanswered = 0

  /** Begins to ask. */
  constructor({ silenceMs, ask, silent }: SignOfLifeOptions) {
    this.#timer = setInterval(() => {
      if (this.#unanswered >= TURNS) {
        this.stop()
        silent()
        return
      }
      this.#unanswered += 1
      ask()
    }, silenceMs / TURNS).unref()
  }

  /** Whatever it said: it lives. */
  heard(): void {
    this.#unanswered = 0
  }

  stop(): void {
    clearInterval(this.#timer)
  }
}
