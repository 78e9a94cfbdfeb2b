import type { Side } from '../../engine/contract.ts'
import { hasUrgent } from '../../kernel/socket-options.ts'
import type { Connection, ConnectionError, ConnectionEvents } from '../../tcp/connection.ts'

/** What a control channel tells its session. */
export interface ControlEvents {
  received(side: Side, text: string): void
  /** Bytes went to the other side untouched. */
  piped(side: Side, byteCount: number): void
  /** FIN: nothing more will come. */
  ended(side: Side): void
  /** The socket is closed; `isReset`: not by FIN from both ends. */
  closed(side: Side, isReset: boolean): void
  /** More is waiting to be sent than a well-behaved peer leaves unread, or no longer. */
  congested(side: Side, isCongested: boolean): void
}

const CONGESTED_BYTES = 64 * 1024
/** Input that is discarded after we have closed our side; more of it resets the connection. */
const MAX_DISCARDED_BYTES = 1024 * 1024
/** What is read for urgent data's sake while nothing else would be. */
const MAX_URGENT_BYTES = 1024 * 1024
/** Silence before the first probe. */
const KEEP_ALIVE_MS = 60_000
const PROBE_MS = 1_000

/** One TCP connection of the control channel as latin1 text: one character is one byte. */
export class ControlChannel implements ConnectionEvents {
  readonly side: Side
  #connection: Connection
  readonly #events: ControlEvents
  #isCongested = false
  /** Not read either until it reads again. */
  #holdsItself = false
  /** Reasons not to read: what waits for the engine, and what the other side has not taken. */
  #holds = 0
  /** Read although something holds it, for what is urgent. */
  #isUrgent = false
  #urgentBytes = 0
  /** What may still come after our last word; null before that. */
  #unheardBytes: number | null = null
  #localAddress: string | null = null
  /** Set in pipe mode: bytes go there untouched. */
  #pipe: ControlChannel | null = null

  constructor(side: Side, connection: Connection, events: ControlEvents) {
    this.side = side
    this.#connection = connection
    this.#events = events
    connection.start(this)
  }

  /** Our address on this connection as the system writes it, zone included. */
  get localAddress(): string {
    this.#localAddress ??= this.#connection.local()?.address ?? null
    return this.#localAddress ?? ''
  }

  write(text: string): void {
    this.#connection.write(text)
    this.#checkCongestion()
  }

  /** Stops reading until `release` was called as often. */
  hold(): void {
    this.#holds += 1
    if (this.#holds === 1) this.#connection.pause()
  }

  release(): void {
    this.#holds -= 1
    if (this.#holds > 0) return
    this.#isUrgent = false
    this.#urgentBytes = 0
    this.#connection.resume()
  }

  /** Call now and then: urgent data is read whatever holds the rest, since an ABOR may be in it. */
  heedUrgent(): void {
    if (this.#holds === 0 || this.#isUrgent || !this.#hasUrgent()) return
    this.#isUrgent = true
    this.#connection.resume()
  }

  #hasUrgent(): boolean {
    const { fd, direct } = this.#connection
    return (
      fd !== null && direct !== null && this.#urgentBytes < MAX_URGENT_BYTES && hasUrgent(direct.libc, fd)
    )
  }

  /** Gives its connection away, and hears nothing until it is seated on one again. */
  lend(): Connection {
    return this.#connection
  }

  /** TLS from here on, towards a peer that has been sent the reply that says so. */
  secure(begin: (raw: Connection) => Connection): void {
    const raw = this.#connection
    // What the kernel has not taken would end up among the records.
    if (raw.unsentBytes > 0) raw.destroy()
    else this.seat(begin(raw))
  }

  /** Goes on with another connection, such as one that speaks TLS on the same socket. */
  seat(connection: Connection): void {
    this.#connection = connection
    connection.start(this)
    if (this.#holds > 0) connection.pause()
  }

  pipeTo(other: ControlChannel): void {
    this.#pipe = other
  }

  /** FIN after everything that was written. */
  end(): void {
    this.#connection.end()
  }

  /**
   * FIN after our last word. What the peer still says is thrown away, since a RST might overtake that word; a peer that
   * goes on and on gets the RST all the same.
   */
  finish(lastWord = ''): void {
    this.#unheardBytes = MAX_DISCARDED_BYTES
    this.#connection.end(lastWord)
  }

  /** Closes once everything that was written is the kernel's; what the peer still says is not read. */
  close(lastWord = ''): void {
    this.#connection.close(lastWord)
  }

  destroy(): void {
    this.#connection.destroy()
  }

  /** RST. */
  reset(): void {
    this.#connection.reset()
  }

  /** TCP keepalive: a peer that vanished is noticed before the idle time. Worth its system calls only for long sessions. */
  keepAlive(): void {
    this.#connection.keepAlive(KEEP_ALIVE_MS)
  }

  /** Says something below FTP as soon as it is silent: a firewall that has forgotten the connection lets only us begin. */
  probe(): void {
    this.#connection.keepAlive(PROBE_MS)
  }

  /** Before the first transfer: it may be aborted, with a Synch. */
  keepUrgent(): void {
    this.#connection.keepUrgent()
  }

  // What the connection says.

  received(bytes: Buffer, byteCount: number): boolean {
    const connection = this.#connection
    if (this.#isUrgent) this.#urgentBytes += byteCount
    if (this.#unheardBytes !== null) {
      this.#unheardBytes -= byteCount
      if (this.#unheardBytes < 0) this.#connection.destroy()
    } else if (this.#pipe === null) {
      this.#events.received(this.side, bytes.toString('latin1', 0, byteCount))
    } else {
      this.#events.piped(this.side, byteCount)
      this.#pipe.#forward(bytes, byteCount)
    }
    // What it is seated on now is no longer what has read.
    if (this.#isUrgent) this.#isUrgent = this.#hasUrgent()
    return this.#holds === 0 || this.#isUrgent || connection !== this.#connection
  }

  ended(): void {
    this.#events.ended(this.side)
  }

  drained(): void {
    if (!this.#isCongested) return
    this.#isCongested = false
    if (this.#holdsItself) this.release()
    this.#events.congested(this.side, false)
  }

  closed(error: ConnectionError | null): void {
    this.#events.closed(this.side, error !== null)
  }

  #forward(bytes: Uint8Array, byteCount: number): void {
    this.#connection.writeBytes(bytes, byteCount)
    this.#checkCongestion()
  }

  #checkCongestion(): void {
    if (this.#isCongested || this.#connection.unsentBytes <= CONGESTED_BYTES) return
    this.#isCongested = true
    // Back pressure: no more commands are read from a client that does not read its replies. The two directions of a pipe are independent.
    this.#holdsItself = this.#pipe === null
    if (this.#holdsItself) this.hold()
    this.#events.congested(this.side, true)
  }
}
