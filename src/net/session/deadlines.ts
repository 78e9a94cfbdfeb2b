import type { AwaitedParty, Effect, EngineTimer, SessionTimer } from '../../engine/contract.ts'

/** `goodbye`: a server that has answered QUIT had its time to close. `linger`: a peer had its time to close after us. */
export type Deadline = Exclude<SessionTimer, 'quiet' | 'keepAlive'> | EngineTimer | 'goodbye' | 'linger'

/** The deadlines that are set and cleared; the others follow from who is waited for. */
type Alarm = EngineTimer | 'greeting' | 'login' | 'goodbye' | 'linger'

/** The engine's own timers have fixed lengths. */
const ENGINE_TIMER_MS: Readonly<Record<EngineTimer, number>> = { abort: 2_000, doubt: 2_000, hold: 2_000 }
const GOODBYE_MS = 250
const LINGER_MS = 3_000

/** Milliseconds. */
export interface DeadlineLimits {
  /** A client that owes a command, or data that do not move. */
  readonly idleMs: number
  /** A server that owes an answer. */
  readonly replyMs: number
  /** A transfer that was asked for and does not begin. */
  readonly transferMs: number
  readonly loginMs: number
  /** A server that owes its greeting. */
  readonly connectMs: number
}

/**
 * All timers of one session as plain numbers (`steadyClock` milliseconds), looked at about once a second: ten
 * thousand sessions need not a single timer of the event loop's.
 */
export class Deadlines {
  readonly #limits: DeadlineLimits
  #activeMs: number
  #awaits: AwaitedParty = 'server'
  /** Since when the same party is waited for. */
  #awaitsSinceMs: number
  /** Null while none is set: most sessions never have any but the login's. */
  #alarms: Map<Alarm, number> | null

  constructor(limits: DeadlineLimits, nowMs: number) {
    this.#limits = limits
    this.#activeMs = this.#awaitsSinceMs = nowMs
    this.#alarms = new Map([['login', nowMs + limits.loginMs]])
  }

  /** Something moved: the idle time starts again. */
  active(nowMs: number): void {
    this.#activeMs = nowMs
  }

  /** Who is waited for now. */
  awaits(party: AwaitedParty, nowMs: number): void {
    if (party === this.#awaits) return
    this.#awaits = party
    this.#awaitsSinceMs = nowMs
  }

  set(alarm: Alarm, nowMs: number): void {
    this.#alarms ??= new Map()
    this.#alarms.set(alarm, nowMs + this.#lengthOf(alarm))
  }

  clear(alarm: Alarm): void {
    this.#alarms?.delete(alarm)
    if (this.#alarms?.size === 0) this.#alarms = null
  }

  carryOut(
    effect: Extract<Effect, { readonly type: 'setTimer' | 'clearTimer' | 'loginChanged' }>,
    nowMs: number,
  ): void {
    if (effect.type === 'setTimer') this.set(effect.timer, nowMs)
    else if (effect.type === 'clearTimer') this.clear(effect.timer)
    else if (effect.loggedIn) this.clear('login')
    else this.set('login', nowMs)
  }

  /** One deadline that has passed, cleared, or null; call until null. */
  next(nowMs: number): Deadline | null {
    for (const [alarm, dueMs] of this.#alarms ?? []) {
      if (nowMs < dueMs) continue
      this.clear(alarm)
      return alarm
    }
    const timer = this.#overdue(nowMs)
    if (timer !== null) this.#activeMs = this.#awaitsSinceMs = nowMs
    return timer
  }

  #overdue(nowMs: number): 'idle' | 'reply' | 'transfer' | null {
    const { idleMs, replyMs, transferMs } = this.#limits
    const quietMs = nowMs - Math.max(this.#activeMs, this.#awaitsSinceMs)
    switch (this.#awaits) {
      case 'server':
        return quietMs >= replyMs ? 'reply' : null
      case 'transfer':
        // Whatever else is said meanwhile.
        return nowMs - this.#awaitsSinceMs >= transferMs ? 'transfer' : null
      default:
        return quietMs >= idleMs ? 'idle' : null
    }
  }

  #lengthOf(alarm: Alarm): number {
    switch (alarm) {
      case 'greeting':
        return this.#limits.connectMs
      case 'login':
        return this.#limits.loginMs
      case 'goodbye':
        return GOODBYE_MS
      case 'linger':
        return LINGER_MS
      default:
        return ENGINE_TIMER_MS[alarm]
    }
  }
}
