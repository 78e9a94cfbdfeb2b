import type { Connection, ConnectionError, ConnectionEvents } from '../connection.ts'
import { Pump } from './pump.ts'

export interface RelayOptions {
  /** Neither has been read from. */
  readonly client: Connection
  readonly server: Connection
  /** Both connections are closed; `reset` when either peer reset its connection or we did. */
  readonly ended: (result: 'ok' | 'reset') => void
}

/** The whole download is with the client, who does not close: after this long without a byte both legs are reset. */
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
  #direction: 'upload' | 'download' | null = null

  constructor(options: RelayOptions) {
    const { client, server } = options
    this.#options = options
    this.#upload = new Pump(client, server)
    this.#download = new Pump(server, client)
    client.start(this.#eventsOf(server, this.#upload, this.#download))
    server.start(this.#eventsOf(client, this.#download, this.#upload))
  }

  /** Bytes that came from the client so far. */
  get uploadBytes(): number {
    return this.#upload.bytes
  }

  /** Bytes that came from the server so far. */
  get downloadBytes(): number {
    return this.#download.bytes
  }

  /** Those of both that the kernel moved from socket to socket. */
  get splicedBytes(): number {
    return this.#upload.splicedBytes + this.#download.splicedBytes
  }

  /** Whether the last byte of a direction and its FIN were sent, and acknowledged where the system can be asked. */
  isDelivered(direction: 'upload' | 'download'): boolean {
    const { client, server } = this.#options
    const [pump, to] = direction === 'upload' ? [this.#upload, server] : [this.#download, client]
    return pump.hasEnded && to.unsentBytes === 0 && to.unacknowledgedBytes === 0
  }

  /** Which way the file goes; null where unknown. */
  carries(direction: 'upload' | 'download' | null): void {
    this.#direction = direction
  }

  /** Closes both legs, whose file is delivered: the other way may have been left open. */
  close(): void {
    this.#options.client.close()
    this.#options.server.close()
  }

  /** Ends both legs with RST. */
  reset(): void {
    this.#isReset = true
    this.#options.client.reset()
    this.#options.server.reset()
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
    const isHalfOpen = this.#direction === 'download' && this.#download.hasEnded && !this.#upload.hasEnded
    if (isHalfOpen && nowMs - this.#quietSinceMs >= HALF_OPEN_MS) this.reset()
  }

  /** What happens to one leg: `out` moves what it sends, `into` what it gets. */
  #eventsOf(other: Connection, out: Pump, into: Pump): ConnectionEvents {
    return {
      received: (bytes, byteCount) => out.received(bytes, byteCount),
      ended: () => {
        out.hasEnded = true
        this.#directionEnded(other)
      },
      drained: () => into.drained(),
      closed: (error) => this.#closed(other, error),
    }
  }

  /** The last byte of one direction was read: its FIN goes on to `to`, or with the second one both are closed at once. */
  #directionEnded(to: Connection): void {
    const { client, server } = this.#options
    const isOver = this.#upload.hasEnded && this.#download.hasEnded
    if (isOver && client.unsentBytes === 0 && server.unsentBytes === 0) {
      // Not destroyed: of those that speak TLS the last word is still to be said.
      client.close()
      server.close()
    } else {
      to.end()
    }
  }

  #closed(other: Connection, error: ConnectionError | null): void {
    if (error !== null) {
      this.#isReset = true
      other.reset()
    }
    this.#open -= 1
    if (this.#open > 0) return
    this.#upload.release()
    this.#download.release()
    this.#options.ended(this.#isReset ? 'reset' : 'ok')
  }
}
