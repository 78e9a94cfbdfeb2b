import type { Side } from '../../engine/contract.ts'
import { steadyClock } from '../../kernel/steady-clock.ts'

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

  /** Whether the server has been silent for a second at least; to be asked about once a second. */
  isServerQuiet(): boolean {
    this.#serverLooks += 1
    return this.#serverLooks > 1
  }

  /** Whether the client has been silent for `afterMs` since it spoke, or since this was last true. Null: never. */
  needsKeepAlive(nowMs: number, afterMs: number | null): boolean {
    if (afterMs === null || nowMs - this.#clientSaidMs < afterMs) return false
    this.#clientSaidMs = nowMs
    return true
  }
}
