import type { EngineTimer, SessionTimer } from '../../engine/contract.ts'

/** `linger`: a peer had its time to close after us. */
export type Deadline = SessionTimer | EngineTimer | 'linger'

const NEVER = Number.POSITIVE_INFINITY

/** The engine's own timers have fixed lengths. */
const ENGINE_TIMER_MS: Readonly<Record<EngineTimer, number>> = { abort: 2_000, hold: 2_000 }
const LINGER_MS = 3_000

export interface DeadlineLimits {
  readonly idleMs: number
  readonly loginMs: number
}

/**
 * All timers of one session as plain numbers (`performance.now()` milliseconds), looked at about once a second: ten
 * thousand sessions need not a single timer of the event loop's.
 */
export class Deadlines {
  readonly #limits: DeadlineLimits
  #activeMs: number
  #loginMs: number
  #abortMs = NEVER
  #holdMs = NEVER
  #lingerMs = NEVER

  constructor(limits: DeadlineLimits, nowMs: number) {
    this.#limits = limits
    this.#activeMs = nowMs
    this.#loginMs = nowMs + limits.loginMs
  }

  /** Something moved: the idle time starts again. */
  active(nowMs: number): void {
    this.#activeMs = nowMs
  }

  set(timer: EngineTimer | 'login' | 'linger', nowMs: number): void {
    if (timer === 'abort') this.#abortMs = nowMs + ENGINE_TIMER_MS.abort
    else if (timer === 'hold') this.#holdMs = nowMs + ENGINE_TIMER_MS.hold
    else if (timer === 'login') this.#loginMs = nowMs + this.#limits.loginMs
    else this.#lingerMs = nowMs + LINGER_MS
  }

  clear(timer: EngineTimer | 'login'): void {
    if (timer === 'abort') this.#abortMs = NEVER
    else if (timer === 'hold') this.#holdMs = NEVER
    else this.#loginMs = NEVER
  }

  /** One deadline that has passed, cleared, or null; call until null. */
  next(nowMs: number): Deadline | null {
    if (nowMs >= this.#lingerMs) {
      this.#lingerMs = NEVER
      return 'linger'
    }
    if (nowMs >= this.#abortMs) {
      this.#abortMs = NEVER
      return 'abort'
    }
    if (nowMs >= this.#holdMs) {
      this.#holdMs = NEVER
      return 'hold'
    }
    if (nowMs >= this.#loginMs) {
      this.#loginMs = NEVER
      return 'login'
    }
    if (nowMs - this.#activeMs >= this.#limits.idleMs) {
      this.#activeMs = nowMs
      return 'idle'
    }
    return null
  }
}
