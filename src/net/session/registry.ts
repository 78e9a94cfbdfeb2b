import { steadyClock } from '../../kernel/steady-clock.ts'
import { Roster } from '../../timing/roster.ts'
import type { RejectReason } from '../../vocabulary.ts'
import type { Session } from './session.ts'

export interface SessionLimits {
  readonly sessions: number
  readonly sessionsPerClient: number
}

const SWEEP_MS = 1_000

/** All live sessions of the process: counted, swept once a second, drained together. */
export class SessionRegistry {
  #limits: SessionLimits
  readonly #sessions = new Roster<Session>()
  readonly #perClient = new Map<string, number>()
  #sweeper: NodeJS.Timeout | null = null
  #watch: ReturnType<typeof steadyClock.watch> | null = null
  #isDraining = false
  readonly #emptied = new Set<() => void>()

  constructor(limits: SessionLimits) {
    this.#limits = limits
  }

  get size(): number {
    return this.#sessions.size
  }

  set limits(limits: SessionLimits) {
    this.#limits = limits
  }

  /** Why one more session of this client must be refused, or null. */
  refusal(client: string): RejectReason | null {
    if (this.#isDraining) return 'draining'
    if (this.#sessions.size >= this.#limits.sessions) return 'limit'
    return (this.#perClient.get(client) ?? 0) >= this.#limits.sessionsPerClient ? 'client_limit' : null
  }

  add(session: Session): void {
    this.#sessions.add(session)
    this.#perClient.set(session.clientAddress, (this.#perClient.get(session.clientAddress) ?? 0) + 1)
    this.#watch ??= steadyClock.watch()
    this.#sweeper ??= setInterval(() => this.#sweep(), SWEEP_MS).unref()
  }

  remove(session: Session): void {
    if (!this.#sessions.delete(session)) return
    const held = (this.#perClient.get(session.clientAddress) ?? 1) - 1
    if (held > 0) this.#perClient.set(session.clientAddress, held)
    else this.#perClient.delete(session.clientAddress)
    if (this.#sessions.size > 0) return
    for (const emptied of this.#emptied) emptied()
    if (this.#sweeper !== null) clearInterval(this.#sweeper)
    this.#sweeper = null
    this.#watch?.done()
    this.#watch = null
  }

  /**
   * Takes no more sessions, lets transfers finish, and resolves when the last session is gone or the time is up (true
   * when sessions had to be cut off).
   */
  async drain(timeoutMs: number): Promise<boolean> {
    this.#isDraining = true
    for (const session of [...this.#sessions]) session.drain()
    return !(await this.whenEmpty(timeoutMs))
  }

  /** Whether the last session was gone before the time was up. */
  whenEmpty(timeoutMs: number): Promise<boolean> {
    if (this.#sessions.size === 0) return Promise.resolve(true)
    return new Promise((resolve) => {
      const over = (isEmpty: boolean) => {
        clearTimeout(timer)
        this.#emptied.delete(emptied)
        resolve(isEmpty)
      }
      const emptied = () => over(true)
      const timer = setTimeout(() => over(false), timeoutMs)
      this.#emptied.add(emptied)
    })
  }

  /** Ends one session at once; false when there is none of this id. */
  end(id: string): boolean {
    for (const session of [...this.#sessions]) {
      if (session.observer.id !== id) continue
      session.end('operator')
      return true
    }
    return false
  }

  /** Lets the transfers of these listeners' sessions finish, and ends the sessions after that. */
  finish(listeners: ReadonlySet<string>): void {
    for (const session of [...this.#sessions]) {
      if (listeners.has(session.observer.listener)) session.drain()
    }
  }

  /** Ends all sessions at once. */
  destroyAll(): void {
    for (const session of [...this.#sessions]) session.destroy()
  }

  #sweep(): void {
    const nowMs = this.#watch?.tick() ?? steadyClock.now()
    for (const session of this.#sessions) {
      try {
        session.sweep(nowMs)
      } catch (error) {
        session.failed(error)
      }
    }
  }
}
