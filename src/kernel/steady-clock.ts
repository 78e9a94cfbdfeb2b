// The clock of deadlines. A process that was stopped (SIGSTOP), or whose virtual machine was, wakes up with its timers due
// and everything that was sent to it unread: time in which no byte could move must not count as silence.

export class SteadyClock {
  readonly #read: () => number
  #watchers = 0
  #lastTickMs = 0
  #skippedMs = 0

  /** `read`: milliseconds on a clock that never goes back. */
  constructor(read: () => number) {
    this.#read = read
  }

  /**
   * Milliseconds, never going back. While it is ticked, an interval without a tick of more than `JUMP_MS` counts as
   * one second.
   */
  readonly now = (): number => {
    const ms = this.#read()
    const gapMs = ms - this.#lastTickMs
    if (this.#watchers > 0 && gapMs > JUMP_MS) {
      this.#skippedMs += gapMs - JUMP_COUNTS_AS_MS
      this.#lastTickMs = ms
    }
    return ms - this.#skippedMs
  }

  /** Call at least once a second, from a timer, until `done` is called. Gives the time as `now` does. */
  watch(): { readonly tick: () => number; readonly done: () => void } {
    if (this.#watchers === 0) this.#lastTickMs = this.#read()
    this.#watchers += 1
    let isDone = false
    return {
      tick: () => {
        const nowMs = this.now()
        this.#lastTickMs = this.#read()
        return nowMs
      },
      done: () => {
        if (!isDone) this.#watchers -= 1
        isDone = true
      },
    }
  }
}

/** The process's own. */
export const steadyClock: SteadyClock = new SteadyClock(() => performance.now())

/** Timers of one second are never so late unless the process stood still. */
const JUMP_MS = 3_000
const JUMP_COUNTS_AS_MS = 1_000
