import type { Socket } from 'node:net'
import type { Side } from '../engine/contract.ts'
import { canonicalAddress } from '../ftp/addresses.ts'
import { readInto, startReading } from './reading.ts'

/** What a control channel tells its session. */
export interface ControlEvents {
  received(side: Side, text: string): void
  /** Bytes went to the other side untouched. */
  piped(side: Side, byteCount: number): void
  /** FIN: nothing more will come. */
  ended(side: Side): void
  /** The socket is closed, with the error that did it or null. */
  closed(side: Side, error: NodeJS.ErrnoException | null): void
  /** More is waiting to be sent than a well-behaved peer leaves unread, or no longer. */
  congested(side: Side, isCongested: boolean): void
}

/** All control channels read into this: the bytes are text before the read callback returns. */
const readBuffer = Buffer.allocUnsafeSlow(64 * 1024)
const CONGESTED_BYTES = 64 * 1024
/** What a peer may still say after our last word. */
const UNHEARD_BYTES = 1024 * 1024
/** Silence before the first probe. */
const KEEP_ALIVE_MS = 60_000

/** One TCP connection of the control channel as latin1 text: one character is one byte. */
export class ControlChannel {
  readonly side: Side
  readonly #socket: Socket
  readonly #events: ControlEvents
  #error: NodeJS.ErrnoException | null = null
  #isCongested = false
  /** Not read either until it reads again. */
  #holdsItself = false
  /** Reasons not to read: what waits for the engine, and what the other side has not taken. */
  #holds = 0
  /** What may still come after our last word; null before that. */
  #unheardBytes: number | null = null
  /** Set in pipe mode: bytes go there untouched. */
  #pipe: ControlChannel | null = null

  /** `socket` is connected, paused and allows half-open. */
  constructor(side: Side, socket: Socket, events: ControlEvents) {
    this.side = side
    this.#socket = socket
    this.#events = events
    readInto(socket, readBuffer, (byteCount, bytes) => this.#read(byteCount, bytes))
    socket.on('end', () => events.ended(side))
    socket.on('error', (error) => {
      this.#error = error
    })
    socket.on('drain', () => this.#drained())
    socket.on('close', () => events.closed(side, this.#error))
    startReading(socket)
  }

  /** Our address on this connection as the system writes it, zone included. */
  get localAddress(): string {
    const address = this.#socket.localAddress ?? ''
    // On a dual-stack listener an IPv4 connection has a mapped address, which no IPv4 socket can be bound to.
    return address.startsWith('::ffff:') ? canonicalAddress(address) : address
  }

  write(text: string): void {
    if (!this.#socket.writable) return
    this.#socket.write(text, 'latin1')
    this.#checkCongestion()
  }

  /** Stops reading until `release` was called as often. */
  hold(): void {
    this.#holds += 1
    if (this.#holds === 1) this.#socket.pause()
  }

  release(): void {
    this.#holds -= 1
    if (this.#holds === 0) this.#socket.resume()
  }

  pipeTo(other: ControlChannel): void {
    this.#pipe = other
  }

  /** FIN after everything that was written. */
  end(): void {
    this.#socket.end()
  }

  /**
   * FIN after our last word. What the peer still says is thrown away, since a RST might overtake that word; a peer that
   * goes on and on gets the RST all the same.
   */
  finish(): void {
    this.#unheardBytes = UNHEARD_BYTES
    this.#socket.end()
  }

  /** Closes once everything that was written is the kernel's; what the peer still says is not read. */
  close(): void {
    if (this.#socket.writableLength === 0) this.#socket.destroy()
    else this.#socket.destroySoon()
  }

  destroy(): void {
    this.#socket.destroy()
  }

  /** TCP keepalive: a peer that vanished is noticed before the idle time. Worth its system calls only for long sessions. */
  keepAlive(): void {
    this.#socket.setKeepAlive(true, KEEP_ALIVE_MS)
  }

  /** For options of the kernel's own. */
  get socket(): Socket {
    return this.#socket
  }

  #read(byteCount: number, bytes: Uint8Array): boolean {
    if (this.#unheardBytes !== null) {
      this.#unheardBytes -= byteCount
      if (this.#unheardBytes < 0) this.#socket.destroy()
    } else if (this.#pipe === null) {
      this.#events.received(this.side, latin1(bytes, byteCount))
    } else {
      this.#events.piped(this.side, byteCount)
      this.#pipe.#forward(Buffer.from(bytes.subarray(0, byteCount)))
    }
    return this.#holds === 0
  }

  #forward(bytes: Buffer): void {
    if (!this.#socket.writable) return
    this.#socket.write(bytes)
    this.#checkCongestion()
  }

  #checkCongestion(): void {
    if (this.#isCongested || this.#socket.writableLength <= CONGESTED_BYTES) return
    this.#isCongested = true
    // Who does not read our answers must not ask for more of them. The two directions of a pipe are independent.
    this.#holdsItself = this.#pipe === null
    if (this.#holdsItself) this.hold()
    this.#events.congested(this.side, true)
  }

  #drained(): void {
    if (!this.#isCongested) return
    this.#isCongested = false
    if (this.#holdsItself) this.release()
    this.#events.congested(this.side, false)
  }
}

function latin1(bytes: Uint8Array, byteCount: number): string {
  const buffer = bytes === readBuffer ? readBuffer : Buffer.from(bytes.buffer, bytes.byteOffset, byteCount)
  return buffer.toString('latin1', 0, byteCount)
}
