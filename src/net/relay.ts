import type { Socket } from 'node:net'
import { readInto, startReading } from './reading.ts'
import { returnLargeBuffer, sharedReadBuffer, takeLargeBuffer } from './relay-buffers.ts'
import { resetSocket, wasReset } from './tcp-reset.ts'

export interface RelayOptions {
  /** Both connected and paused, made with `allowHalfOpen`. */
  readonly client: Socket
  readonly server: Socket
  /** Both sockets are closed; `reset` when either peer reset its connection or we did. */
  readonly ended: (result: 'ok' | 'reset') => void
}

/** A direction that has moved this much gets a buffer of its own: a reader that keeps up never fills the shared one. */
const LARGE_FROM_BYTES = 256 * 1024

/** The server has said everything and the client does not close: after this long without a byte we do. */
const HALF_OPEN_MS = 30_000

/**
 * Moves bytes between the two legs of a data channel, both ways, with back-pressure.
 *
 * A FIN goes on as a FIN after the last byte, a reset as a reset: a truncated upload never looks complete.
 */
export class Relay {
  readonly #options: RelayOptions
  readonly #upload: Pump
  readonly #download: Pump
  #open = 2
  #isReset = false
  #seenBytes = 0
  #quietSinceMs = 0

  constructor(options: RelayOptions) {
    const { client, server } = options
    this.#options = options
    this.#upload = new Pump(client, server, () => this.#directionEnded(server))
    this.#download = new Pump(server, client, () => this.#directionEnded(client))
    this.#watch(client, server)
    this.#watch(server, client)
    this.#upload.start()
    this.#download.start()
  }

  /** Bytes that came from the client so far. */
  get uploadBytes(): number {
    return this.#upload.bytes
  }

  /** Bytes that came from the server so far. */
  get downloadBytes(): number {
    return this.#download.bytes
  }

  /** Ends both legs with RST. */
  reset(): void {
    this.#isReset = true
    resetSocket(this.#options.client)
    resetSocket(this.#options.server)
  }

  /**
   * Call now and then: ends a relay whose download is complete and whose client does not close.
   *
   * The other half is not ours to end: a client that has finished may wait long for the first byte of a download, and
   * a server for the last of an upload to reach its disk.
   */
  sweep(nowMs: number): void {
    const bytes = this.#upload.bytes + this.#download.bytes
    if (bytes !== this.#seenBytes || this.#quietSinceMs === 0) {
      this.#seenBytes = bytes
      this.#quietSinceMs = nowMs
    }
    const isHalfOpen = this.#download.hasEnded && !this.#upload.hasEnded
    if (!isHalfOpen || nowMs - this.#quietSinceMs < HALF_OPEN_MS) return
    this.#options.client.destroy()
    this.#options.server.destroy()
  }

  /** The last byte of one direction was read: its FIN goes on to `to`, or with the second one both are closed at once. */
  #directionEnded(to: Socket): void {
    const { client, server } = this.#options
    const isOver = this.#upload.hasEnded && this.#download.hasEnded
    if (isOver && client.writableLength === 0 && server.writableLength === 0) {
      client.destroy()
      server.destroy()
    } else {
      to.end()
    }
  }

  #watch(socket: Socket, other: Socket): void {
    socket.on('error', () => {
      this.#isReset = true
      resetSocket(other)
    })
    socket.once('close', () => {
      this.#open -= 1
      if (this.#open > 0) return
      this.#upload.release()
      this.#download.release()
      this.#options.ended(this.#isReset ? 'reset' : 'ok')
    })
  }
}

/** One direction. */
class Pump {
  readonly #from: Socket
  readonly #to: Socket
  readonly #ended: () => void
  /** Bytes read from `from`. */
  bytes = 0
  hasEnded = false
  #own: Uint8Array | null = null
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

  /** Gives the large buffer back; both sockets are closed. */
  release(): void {
    if (this.#own !== null) returnLargeBuffer(this.#own)
    this.#own = null
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
    this.#isWaiting = this.#to.writableLength > 0
    if (this.#isWaiting) return false
    // Our FIN is out, so `wasReset` cannot tell; but libuv reports the reset itself when reading stops in between.
    if (this.#from.writableEnded) setImmediate(() => this.#from.resume())
    return !this.#from.writableEnded
  }

  readonly #written = (): void => {
    if (!this.#isWaiting || this.#to.writableLength > 0) return
    this.#isWaiting = false
    this.#from.resume()
  }
}
