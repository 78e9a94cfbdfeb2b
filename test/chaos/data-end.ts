import type { Socket } from 'node:net'
import { hidesReset } from '../support/peers/kernel.ts'
import { PATIENCE_MS, within } from '../support/peers/patience.ts'
import type { Ending } from '../support/peers/wire.ts'

/** One peer's end of a data connection, which compares what comes with what should. */
export class DataEnd {
  readonly socket: Socket
  /** Bytes that the system was given and will deliver, unless the connection is reset. */
  sent = 0
  received = 0
  /** All that was received is a beginning of what was expected. */
  isIntact = true
  /** How the other end finished; null while it has not. */
  ending: Ending | null = null
  /** How this end finished. */
  own: 'open' | 'fin' | 'reset' | 'closed' = 'open'
  readonly #expected: Uint8Array
  #watchers: (() => void)[] = []

  /** `expected` is what the other end sends; nothing, to a sender. */
  constructor(socket: Socket, expected: Uint8Array) {
    this.socket = socket
    this.#expected = expected
    socket.setNoDelay(true)
    socket.once('end', () => this.#end(hidesReset(socket) ? 'reset' : 'fin'))
    socket.once('error', () => this.#end('reset'))
    socket.once('close', () => this.#end('closed'))
  }

  /** Begins to read. Before that the system takes what fits into its buffer, and an end is not seen. */
  read(): void {
    this.socket.on('data', (bytes: Buffer) => {
      const due = this.#expected.subarray(this.received, this.received + bytes.length)
      this.isIntact &&= bytes.equals(due)
      this.received += bytes.length
      this.#wake()
    })
    this.socket.resume()
  }

  /** Resolves when so many bytes have come, or will never come. */
  async reached(byteCount: number): Promise<void> {
    await this.#until(() => this.received >= byteCount || this.ending !== null, `byte ${byteCount}`)
  }

  /** Resolves when the other end has finished. */
  async ended(): Promise<Ending> {
    await this.#until(() => this.ending !== null, 'the end of a data connection')
    return this.ending ?? 'closed'
  }

  /** Sends piece by piece; stops where the connection is over. */
  async send(bytes: Uint8Array): Promise<void> {
    for (let at = 0; at < bytes.length && this.socket.writable; at += PIECE) {
      const piece = bytes.subarray(at, at + PIECE)
      this.sent += piece.length
      const taken = new Promise<void>((resolve) => this.socket.write(piece, () => resolve()))
      await within(taken, { what: 'room for more data' })
    }
  }

  /** Sends FIN behind all that was sent. */
  finish(): void {
    if (!this.socket.writable) return
    this.own = 'fin'
    this.socket.end()
  }

  reset(): void {
    // Behind FIN it is no other end than that, to whoever has read it.
    if (this.own === 'open' && !this.socket.destroyed) this.own = 'reset'
    this.socket.resetAndDestroy()
  }

  /** close(2): FIN, or RST where something is unread. */
  close(): void {
    if (this.own === 'open') this.own = 'closed'
    this.socket.destroy()
  }

  #end(ending: Ending): void {
    this.ending ??= ending
    this.#wake()
  }

  async #until(isSo: () => boolean, what: string): Promise<void> {
    const endsAt = performance.now() + PATIENCE_MS
    while (!isSo()) {
      const woken = new Promise<void>((resolve) => this.#watchers.push(resolve))
      const soFar = () => `${this.received} bytes received, ${this.sent} sent`
      await within(woken, { what, ms: Math.max(1, endsAt - performance.now()), soFar })
    }
  }

  #wake(): void {
    const waiting = this.#watchers
    this.#watchers = []
    for (const wake of waiting) wake()
  }
}

const PIECE = 65_536
