import type { Endpoint } from '../../ftp/endpoints.ts'
import {
  EAGAIN,
  errnoError,
  type Libc,
  MSG_DONTWAIT,
  MSG_MORE,
  MSG_NOSIGNAL,
  MSG_PEEK,
} from '../../kernel/libc.ts'
import type { Connection, ConnectionError, ConnectionEvents, DirectAccess, Found } from '../connection.ts'
import {
  EPOLLERR,
  EPOLLHUP,
  EPOLLIN,
  EPOLLOUT,
  EPOLLPRI,
  EPOLLRDHUP,
  type Pollable,
  type Poller,
} from './poller.ts'
import { askKeepAlive, localOf, queuedBytes, resetOnClose, shutDownWriting } from './socket-calls.ts'

/**
 * A connection that is read and written by system calls of ours.
 *
 * Edge-triggered: what epoll has told is remembered (`#isReadable`) until a read finds nothing more.
 */
export class EpollConnection implements Connection, Pollable, DirectAccess {
  readonly remote: Endpoint
  readonly #poller: Poller
  readonly #fd: number
  readonly #number: number
  #events: ConnectionEvents | null = null
  #isOpen = true
  #isPaused = false
  #isReadable = false
  /** FIN or an error may stand behind what is there to read, and a read stops at an urgent byte. */
  #readsUntilEmpty = false
  #hasEnded = false
  #isReadScheduled = false
  #readBy: (() => Found) | null = null
  /** How it ends once everything is written. */
  #ending: 'not' | 'finish' | 'close' = 'not'
  #hasFinished = false
  #unsent: Buffer[] | null = null
  #unsentBytes = 0
  #writable: (() => void) | null = null
  #whenClosed: (() => void) | null = null

  /** `fd` is non-blocking and connected; `number` is its registration, with SOCKET_EVENTS, which is taken over. */
  constructor(poller: Poller, fd: number, remote: Endpoint, number: number) {
    this.#poller = poller
    this.#fd = fd
    this.remote = remote
    this.#number = number
    poller.hand(number, this)
  }

  get direct(): DirectAccess {
    return this
  }

  get fd(): number | null {
    return this.#isOpen ? this.#fd : null
  }

  get unsentBytes(): number {
    return this.#unsentBytes
  }

  get unacknowledgedBytes(): number {
    return this.#isOpen ? queuedBytes(this.#poller.libc, this.#fd) : 0
  }

  get libc(): Libc {
    return this.#poller.libc
  }

  local(): Endpoint | null {
    return this.#isOpen ? localOf(this.#poller.libc, this.#fd) : null
  }

  start(events: ConnectionEvents): void {
    this.#events = events
    this.#readSoon()
  }

  pause(): void {
    this.#isPaused = true
  }

  resume(): void {
    this.#isPaused = false
    this.#readSoon()
  }

  write(text: string): void {
    this.#writeText(text, 0)
  }

  writeBytes(bytes: Uint8Array, byteCount: number): void {
    this.#writeBytes(bytes, byteCount, 0)
  }

  end(lastWord = ''): void {
    if (lastWord !== '') this.#writeText(lastWord, MSG_MORE)
    if (!this.#isOpen || this.#ending !== 'not') return
    this.#ending = 'finish'
    if (this.#unsentBytes === 0) this.#finish()
  }

  close(lastWord = ''): void {
    if (lastWord !== '') this.#writeText(lastWord, MSG_MORE)
    this.#ending = 'close'
    if (this.#unsentBytes > 0 || !this.#isOpen) return
    // What waits for more is sent by FIN, and thrown away by a close that finds something unread.
    if (lastWord !== '') shutDownWriting(this.#poller.libc, this.#fd)
    this.destroy()
  }

  destroy(error: ConnectionError | null = null): void {
    if (!this.#isOpen) return
    this.#isOpen = false
    this.#unsent = null
    this.#unsentBytes = 0
    const { libc } = this.#poller
    this.#poller.remove(this.#number)
    libc.close(this.#fd)
    this.#whenClosed?.()
    const events = this.#events
    if (events !== null) this.#poller.afterwards(() => events.closed(error))
  }

  reset(): void {
    if (this.#isOpen) resetOnClose(this.#poller.libc, this.#fd)
    this.destroy()
  }

  keepAlive(silenceMs: number): void {
    if (this.#isOpen) askKeepAlive(this.#poller.libc, this.#fd, silenceMs)
  }

  /** Accepted connections have it from their listener. */
  keepUrgent(): void {}

  whenClosed(closed: () => void): void {
    this.#whenClosed = closed
  }

  readBy(readable: (() => Found) | null): void {
    this.#readBy = readable
    this.#readSoon()
  }

  hasUnread(): boolean {
    if (!this.#isOpen) return false
    return this.#poller.libc.recv(this.#fd, readBuffer, 1, MSG_DONTWAIT | MSG_PEEK) > 0
  }

  whenWritable(writable: () => void): void {
    this.#writable = writable
  }

  ready(events: number): void {
    if ((events & EPOLLOUT) !== 0) this.#wrote()
    if ((events & STOPS) !== 0) this.#readsUntilEmpty = true
    else if ((events & EPOLLIN) === 0) return
    this.#isReadable = true
    this.#read()
  }

  /** Reads until there is nothing more, somebody pauses, or others want their turn. */
  #read(): void {
    for (let turn = 0; turn < READS_A_TURN; turn += 1) {
      if (!this.#isReadable || this.#isPaused || !this.#isOpen || this.#events === null) return
      const found = this.#readBy === null ? this.#readOnce(this.#events) : this.#readBy()
      if (found === 'nothing') this.#isReadable = false
      else if (found === 'little') break
    }
    this.#readSoon()
  }

  #readOnce(events: ConnectionEvents): Found {
    const { libc } = this.#poller
    const byteCount = libc.recv(this.#fd, readBuffer, readBuffer.length, MSG_DONTWAIT)
    if (byteCount > 0) {
      // A buffer that was not filled has taken everything; what comes later is told anew.
      if (byteCount < readBuffer.length && !this.#readsUntilEmpty) this.#isReadable = false
      if (!events.received(readBuffer, byteCount)) this.#isPaused = true
      return 'something'
    }
    this.#readsUntilEmpty = false
    const errno = byteCount === 0 ? 0 : libc.errno()
    if (errno === 0) this.#ended(events)
    else if (errno !== EAGAIN) this.destroy(errnoError(errno, 'read'))
    return 'nothing'
  }

  #ended(events: ConnectionEvents): void {
    if (this.#hasEnded) return
    this.#hasEnded = true
    events.ended()
    if (this.#hasFinished) this.destroy()
  }

  #readSoon(): void {
    if (!this.#isReadable || this.#isPaused || this.#isReadScheduled || !this.#isOpen) return
    this.#isReadScheduled = true
    setImmediate(this.#scheduledRead)
  }

  readonly #scheduledRead = (): void => {
    this.#isReadScheduled = false
    this.#read()
  }

  #writeText(text: string, flags: number): void {
    if (this.#unsentBytes > 0 || text.length > writeBuffer.length) {
      const bytes = Buffer.from(text, 'latin1')
      this.#writeBytes(bytes, bytes.length, flags)
    } else {
      this.#writeBytes(writeBuffer, writeBuffer.write(text, 'latin1'), flags)
    }
  }

  #writeBytes(bytes: Uint8Array, byteCount: number, flags: number): void {
    if (!this.#isOpen || this.#ending !== 'not') return
    const sent = this.#unsentBytes > 0 ? 0 : this.#send(bytes, byteCount, flags)
    if (sent === byteCount || !this.#isOpen) return
    this.#unsent ??= []
    this.#unsent.push(Buffer.from(bytes.subarray(sent, byteCount)))
    this.#unsentBytes += byteCount - sent
  }

  /** The bytes that the kernel took; an error closes. */
  #send(bytes: Uint8Array, byteCount: number, flags = 0): number {
    const { libc } = this.#poller
    const sent = libc.send(this.#fd, bytes, byteCount, MSG_DONTWAIT | MSG_NOSIGNAL | flags)
    if (sent >= 0) return sent
    const errno = libc.errno()
    if (errno !== EAGAIN) this.#writeFailed(errno)
    return 0
  }

  /** What the peer still said before it reset is lost, as it is with Node. */
  #writeFailed(errno: number): void {
    this.destroy(errnoError(errno, 'write'))
  }

  /** There is room again. */
  #wrote(): void {
    if (this.#unsent !== null && this.#unsentBytes > 0) {
      const bytes =
        this.#unsent.length === 1 && this.#unsent[0] !== undefined
          ? this.#unsent[0]
          : Buffer.concat(this.#unsent)
      const sent = this.#send(bytes, bytes.length)
      if (!this.#isOpen) return
      this.#unsentBytes -= sent
      this.#unsent = this.#unsentBytes === 0 ? null : [bytes.subarray(sent)]
      if (this.#unsentBytes > 0) return
      if (this.#ending === 'close') this.destroy()
      else if (this.#ending === 'finish') this.#finish()
      else this.#events?.drained()
    }
    const writable = this.#writable
    this.#writable = null
    writable?.()
  }

  #finish(): void {
    this.#hasFinished = true
    shutDownWriting(this.#poller.libc, this.#fd)
    if (this.#hasEnded) this.destroy()
  }
}

/** All connections read into this and write out of that: what the kernel does not take at once is copied. */
const readBuffer = Buffer.allocUnsafeSlow(64 * 1024)
const writeBuffer = Buffer.allocUnsafeSlow(16 * 1024)

const READS_A_TURN = 16
const STOPS = EPOLLPRI | EPOLLRDHUP | EPOLLHUP | EPOLLERR
