import type { Side } from '../../engine/contract.ts'
import type { ControlEngine } from '../../engine/control.ts'
import { steadyClock } from '../../kernel/steady-clock.ts'

interface Listening {
  readonly nowMs: number
  readonly keepAliveMs: number | null
  readonly engine: Pick<ControlEngine, 'waitsForSilence' | 'isTransferring'>
}

/** Who of a session has said nothing for how long. */
export class Silence {
  /** Looks since the server said something: about a second each. */
  #serverLooks = 0
  #clientSaidMs = steadyClock.now()

  /** A peer has said something. */
  broken(side: Side): void {
    if (side === 'server') this.#serverLooks = 0
    else this.#clientSaidMs = steadyClock.now()
  }

  /** Call about once a second: what ends a wait is that nothing comes. `keepAliveMs` null: no NOOP is sent. */
  listen({ nowMs, keepAliveMs, engine }: Listening, fallsDue: (timer: 'quiet' | 'keepAlive') => void): void {
    if (this.#isServerQuiet() && engine.waitsForSilence) fallsDue('quiet')
    if (this.#needsKeepAlive(nowMs, keepAliveMs) && engine.isTransferring) fallsDue('keepAlive')
  }

  /** Silent for a second at least. */
  #isServerQuiet(): boolean {
    this.#serverLooks += 1
    return this.#serverLooks > 1
  }

  /** The client has been silent for this long since it spoke, or since this was last true. */
  #needsKeepAlive(nowMs: number, afterMs: number | null): boolean {
    if (afterMs === null || nowMs - this.#clientSaidMs < afterMs) return false
    this.#clientSaidMs = nowMs
    return true
  }
}
