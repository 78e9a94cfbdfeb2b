import type { Socket } from 'node:net'
import type { Pipe } from '../kernel/splice.ts'
import { readInto, startReading } from './reading.ts'
import { returnLargeBuffer, sharedReadBuffer, takeLargeBuffer } from './relay-buffers.ts'
import { returnPipe, takePipe } from './relay-pipes.ts'
import { startSplicing } from './splicing.ts'
import { wasReset } from './tcp-reset.ts'

/** A direction that has moved this much gets a buffer of its own: a reader that keeps up never fills the shared one. */
const LARGE_FROM_BYTES = 256 * 1024

/** A direction that has moved this much is left to the kernel if that is possible, and asked again after as much more. */
const SPLICE_FROM_BYTES = 1024 * 1024

/**
 * One direction of a relay.
 *
 * Small transfers are read into the shared buffer and copied, larger ones go through a large buffer of their own, and the
 * largest never come here: the kernel splices them, the reader has only the end to see.
 */
export class Pump {
  readonly #from: Socket
  readonly #to: Socket
  readonly #ended: () => void
  /** Bytes read from `from`. */
  bytes = 0
  /** Those of them that the kernel moved by itself. */
  splicedBytes = 0
  hasEnded = false
  #own: Uint8Array | null = null
  #pipe: Pipe | null = null
  #spliceFromBytes = SPLICE_FROM_BYTES
  #isWaiting = false

  constructor(from: Socket, to: Socket, ended: () => void) {
    this.#from = from
    this.#to = to
    this.#ended = ended
  }

  start(): void {
    readInto(
      this.#from,
      () => this.#own ?? sharedReadBuffer,
      (byteCount, bytes) => this.#read(byteCount, bytes),
    )
    this.#from.once('end', () => {
      if (wasReset(this.#from)) {
        this.#from.destroy(new Error('reset by peer'))
        return
      }
      this.hasEnded = true
      this.#ended()
    })
    startReading(this.#from)
  }

  /** Gives back what is not this direction's alone; both sockets are closed. */
  release(): void {
    this.#releaseBuffer()
    this.#releasePipe()
  }

  /** False pauses: the buffer is not ours again before the kernel has taken all of it. */
  #read(byteCount: number, bytes: Uint8Array): boolean {
    this.bytes += byteCount
    if (bytes === this.#own) {
      this.#to.write(bytes.subarray(0, byteCount), this.#written)
    } else {
      // Shared (or, without onread, Node's own): a copy outlives this call.
      this.#to.write(Buffer.from(bytes.subarray(0, byteCount)), this.#written)
      if (this.bytes >= LARGE_FROM_BYTES) this.#own ??= takeLargeBuffer()
    }
    if (this.bytes >= this.#spliceFromBytes) {
      this.#pipe = takePipe()
      this.#spliceFromBytes = this.bytes + SPLICE_FROM_BYTES
    }
    this.#isWaiting = this.#to.writableLength > 0 || this.#pipe !== null
    if (this.#isWaiting) return false
    // Our FIN is out, so `wasReset` cannot tell; but libuv reports the reset itself when reading stops in between.
    if (this.#from.writableEnded) setImmediate(() => this.#from.resume())
    return !this.#from.writableEnded
  }

  readonly #written = (): void => {
    if (!this.#isWaiting || this.#to.writableLength > 0) return
    this.#isWaiting = false
    if (this.#pipe === null || !this.#splice(this.#pipe)) this.#from.resume()
  }

  /** Everything that was read is written. From here on the bytes do not come this way, until the last ones did. */
  #splice(pipe: Pipe): boolean {
    if (this.#from.destroyed || this.#to.destroyed) return false
    const isSpliced = startSplicing({
      from: this.#from,
      to: this.#to,
      pipe,
      moved: (byteCount) => {
        this.bytes += byteCount
        this.splicedBytes += byteCount
      },
      handedBack: () => {
        this.#releasePipe()
        this.#from.resume()
      },
    })
    // Either it is impossible here, or it was handed back: once is enough for one transfer.
    this.#spliceFromBytes = Number.POSITIVE_INFINITY
    if (isSpliced) this.#releaseBuffer()
    else this.#releasePipe()
    return isSpliced
  }

  #releaseBuffer(): void {
    if (this.#own !== null) returnLargeBuffer(this.#own)
    this.#own = null
  }

  #releasePipe(): void {
    if (this.#pipe !== null) returnPipe(this.#pipe)
    this.#pipe = null
  }
}
