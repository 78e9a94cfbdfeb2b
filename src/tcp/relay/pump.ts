import type { Connection } from '../connection.ts'
import type { Pipe } from './pipe.ts'
import { returnPipe, takePipe } from './relay-pipes.ts'
import { startSplicing } from './splicing.ts'

/** A direction that has moved this much is left to the kernel if that is possible, and asked again after as much more. */
const SPLICE_FROM_BYTES = 1024 * 1024

/**
 * One direction of a relay.
 *
 * Small transfers are read and written, and what the reader does not take waits in memory, one read at most. Large ones
 * never come here: the kernel splices them, and only their end is read.
 */
export class Pump {
  readonly #from: Connection
  readonly #to: Connection
  /** Bytes read from `from`. */
  bytes = 0
  /** Those of them that the kernel moved by itself. */
  splicedBytes = 0
  /** The last byte was read. */
  hasEnded = false
  #pipe: Pipe | null = null
  #spliceFromBytes = SPLICE_FROM_BYTES

  constructor(from: Connection, to: Connection) {
    this.#from = from
    this.#to = to
  }

  /** From `from`; false pauses it. */
  received(bytes: Uint8Array, byteCount: number): boolean {
    this.bytes += byteCount
    this.#to.writeBytes(bytes, byteCount)
    if (this.#to.unsentBytes > 0) return false
    if (this.bytes >= this.#spliceFromBytes) this.#splice()
    return true
  }

  /** `to` has taken everything. */
  drained(): void {
    this.#from.resume()
  }

  /** Both connections are closed. */
  release(): void {
    if (this.#pipe !== null) returnPipe(this.#pipe)
    this.#pipe = null
  }

  /** Everything that was read is written. From here on the bytes do not come this way, until the last ones did. */
  #splice(): void {
    const [from, to] = [this.#from, this.#to]
    const pipe = from.direct === null || to.direct === null ? null : takePipe(from.direct.libc)
    this.#spliceFromBytes = this.bytes + SPLICE_FROM_BYTES
    if (pipe === null) return
    this.#pipe = pipe
    startSplicing({
      from,
      to,
      pipe,
      moved: (byteCount) => {
        this.bytes += byteCount
        this.splicedBytes += byteCount
      },
      handedBack: () => {
        this.release()
        // Once is enough for one transfer.
        this.#spliceFromBytes = Number.POSITIVE_INFINITY
      },
    })
  }
}
