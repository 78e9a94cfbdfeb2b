import type { Socket } from 'node:net'
import { canonicalAddress } from '../../ftp/addresses.ts'
import type { Endpoint } from '../../ftp/endpoints.ts'
import type { Libc } from '../../kernel/libc.ts'
import { fdOf, keepUrgentInline } from '../../kernel/socket-options.ts'
import type { Connection, ConnectionError, ConnectionEvents } from '../connection.ts'
import { resetSocket } from './reset.ts'

/**
 * For every socket here: reading stops by itself after each read.
 *
 * libuv that goes on reading reports the end of the stream, not the error, where a reset stands behind the last bytes
 * (`uv__stream_io` on POLLHUP after a partial read). One that was stopped reads again, and the kernel tells.
 */
export const READS_ONCE_BYTES = 1

/** A connection over one of Node's sockets. It is meant to be right, not fast: what is read is taken a turn later. */
export class NodeConnection implements Connection {
  readonly remote: Endpoint
  readonly direct = null
  readonly #socket: Socket
  readonly #libc: Libc | null
  #events: ConnectionEvents | null = null
  #error: ConnectionError | null = null
  #lost: ((error: ConnectionError) => void) | null = null
  #isPaused = false
  #isTakeScheduled = false
  #end: 'none' | 'read' | 'reported' = 'none'
  #isBehind = false

  /**
   * `socket` is connected, paused, allows half-open and has READS_ONCE_BYTES as its high-water mark. `libc` is for what
   * Node cannot ask for. One read, which waits here, is made at once: a reset is noticed by reading only.
   */
  constructor(socket: Socket, libc: Libc | null) {
    this.#socket = socket
    this.#libc = libc
    this.remote = { address: canonicalAddress(socket.remoteAddress ?? ''), port: socket.remotePort ?? 0 }
    socket.on('error', (error) => {
      this.#error = error
      if (this.#events === null) this.#lost?.(error)
    })
    socket.once('end', () => {
      this.#end = 'read'
      this.#tellEnd()
    })
    socket.on('readable', this.#takeSoon)
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
    this.#events = events
    const closed = () => events.closed(this.#error)
    if (this.#socket.closed) setImmediate(closed)
    else this.#socket.once('close', closed)
    this.#takeSoon()
  }

  pause(): void {
    this.#isPaused = true
  }

  resume(): void {
    this.#isPaused = false
    this.#takeSoon()
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

  whenLost(lost: (error: ConnectionError) => void): void {
    this.#lost = lost
  }

  /** Not 'drain': Node emits it only above its high-water mark, and callers wait until nothing is unsent. */
  readonly #written = (): void => {
    if (!this.#isBehind || this.#socket.writableLength > 0 || this.#socket.destroyed) return
    this.#isBehind = false
    this.#events?.drained()
  }

  /** Not at once: 'readable' comes while libuv is still in its own read, and to take what is there begins the next one. */
  readonly #takeSoon = (): void => {
    if (this.#isTakeScheduled || this.#isPaused || this.#events === null) return
    this.#isTakeScheduled = true
    setImmediate(this.#take)
  }

  readonly #take = (): void => {
    this.#isTakeScheduled = false
    const events = this.#events
    if (events === null || this.#isPaused || this.#socket.destroyed) return
    const bytes: Buffer | null = this.#socket.read()
    if (bytes === null) {
      this.#tellEnd()
      return
    }
    if (!events.received(bytes, bytes.length)) this.#isPaused = true
    this.#takeSoon()
  }

  /** A connection that was reset right behind its FIN takes no more, not even nothing, and that is an error. */
  #tellEnd(): void {
    const events = this.#events
    if (this.#end !== 'read' || events === null) return
    this.#end = 'reported'
    const socket = this.#socket
    if (!socket.writable || socket.writableLength > 0) events.ended()
    else socket.write(nothing, (error) => (error ? undefined : events.ended()))
  }
}

const nothing = new Uint8Array(0)
