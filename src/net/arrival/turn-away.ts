import type { Connection } from '../../tcp/connection.ts'

/** A peer gets this long to read its 421 and to close. */
const PATIENCE_MS = 2_000
/** How many are waited for; with more than that, neither time nor a descriptor is spent on one. */
const MAX_WAITED_FOR = 16

/** Says 421 to those who cannot be served, and closes; a peer that does not read is not waited for. */
export class TurnedAway {
  #waitedFor = 0

  say(connection: Connection, farewell: string): void {
    const text = `${farewell}\r\n`
    if (this.#waitedFor >= MAX_WAITED_FOR) {
      // What it has sent already makes this a reset; few speak before the greeting.
      connection.close(text)
      return
    }
    this.#waitedFor += 1
    // Whatever it sends meanwhile: a trickle of bytes must not keep the connection.
    const timer = setTimeout(() => connection.destroy(), PATIENCE_MS)
    connection.start({
      received: () => true,
      ended: ignore,
      drained: ignore,
      closed: () => {
        this.#waitedFor -= 1
        clearTimeout(timer)
      },
    })
    connection.end(text)
  }
}

function ignore(): void {}
