import type { Socket } from 'node:net'
import { canonicalAddress } from '../../ftp/addresses.ts'
import type { Endpoint } from '../../ftp/endpoints.ts'
import type { Libc } from '../../kernel/libc.ts'
import { fdOf, keepUrgentInline } from '../../kernel/socket-options.ts'
import type { Connection, ConnectionError, ConnectionEvents } from '../connection.ts'
import { readInto, startReading } from './reading.ts'
import { resetSocket, wasReset } from './reset.ts'

/** A connection over one of Node's sockets. */
export class NodeConnection implements Connection {
  readonly remote: Endpoint
  readonly direct = null
  readonly #socket: Socket
  readonly #libc: Libc | null
  #error: ConnectionError | null = null
  #drained: () => void = () => undefined
  #isBehind = false

  /** `socket` is connected, paused and allows half-open. `libc` is for what Node cannot ask for. */
  constructor(socket: Socket, libc: Libc | null) {
    this.#socket = socket
    this.#libc = libc
    this.remote = { address: canonicalAddress(socket.remoteAddress ?? ''), port: socket.remotePort ?? 0 }
    // A peer that resets before anybody reads is noticed then.
    socket.on('error', (error) => {
      this.#error = error
    })
  }

  get fd(): number | null {
    return fdOf(this.#socket)
  }

  get unsentBytes(): number {
    return this.#socket.writableLength
  }

  /** Node has no way to ask. */
  get unacknowledgedBytes(): number {
    return 0
  }

  local(): Endpoint | null {
    const { localAddress, localPort, destroyed } = this.#socket
    if (destroyed || localAddress === undefined || localPort === undefined) return null
    // On a dual-stack listener an IPv4 connection has a mapped address, which no IPv4 socket can be bound to.
    const isMapped = localAddress.startsWith('::ffff:')
    return { address: isMapped ? canonicalAddress(localAddress) : localAddress, port: localPort }
  }

  start(events: ConnectionEvents): void {
    const socket = this.#socket
    readInto(socket, readBuffer, (byteCount, bytes) => this.#received(events, byteCount, bytes))
    socket.once('end', () => {
      if (wasReset(socket)) socket.destroy(resetError())
      else events.ended()
    })
    this.#drained = () => events.drained()
    socket.once('close', () => events.closed(this.#error))
    startReading(socket)
  }

  pause(): void {
    this.#socket.pause()
  }

  resume(): void {
    this.#socket.resume()
  }

  write(text: string): void {
    if (!this.#socket.writable) return
    this.#socket.write(text, 'latin1', this.#written)
    this.#isBehind = this.#socket.writableLength > 0
  }

  writeBytes(bytes: Uint8Array, byteCount: number): void {
    // Node keeps what it is given until the kernel has taken it.
    if (!this.#socket.writable) return
    this.#socket.write(Buffer.from(bytes.subarray(0, byteCount)), this.#written)
    this.#isBehind = this.#socket.writableLength > 0
  }

  end(lastWord = ''): void {
    if (lastWord !== '') this.write(lastWord)
    this.#socket.end()
  }

  close(lastWord = ''): void {
    if (lastWord !== '') this.write(lastWord)
    if (this.#socket.writableLength === 0) this.#socket.destroy()
    else this.#socket.destroySoon()
  }

  destroy(error?: ConnectionError): void {
    this.#socket.destroy(error)
  }

  reset(): void {
    resetSocket(this.#socket)
  }

  keepAlive(silenceMs: number): void {
    this.#socket.setKeepAlive(true, silenceMs)
  }

  keepUrgent(): void {
    if (this.#libc !== null) keepUrgentInline(this.#libc, this.#socket)
  }

  whenClosed(closed: () => void): void {
    this.#socket.once('close', closed)
  }

  /** Not 'drain': Node says that only of more than its high-water mark, and nobody goes on while anything is unsent. */
  readonly #written = (): void => {
    if (!this.#isBehind || this.#socket.writableLength > 0 || this.#socket.destroyed) return
    this.#isBehind = false
    this.#drained()
  }

  #received(events: ConnectionEvents, byteCount: number, bytes: Uint8Array): boolean {
    const buffer = bytes === readBuffer ? readBuffer : Buffer.from(bytes.buffer, bytes.byteOffset, byteCount)
    if (!events.received(buffer, byteCount)) return false
    // After our FIN `wasReset` cannot tell; but libuv reports a reset itself when reading stops in between.
    if (this.#socket.writableEnded) setImmediate(() => this.#socket.resume())
    return !this.#socket.writableEnded
  }
}

/** All sockets read into this; what it holds is valid only until the read callback returns. */
const readBuffer = Buffer.allocUnsafeSlow(64 * 1024)

function resetError(): ConnectionError {
  return Object.assign(new Error('reset by peer'), { code: 'ECONNRESET' })
}
