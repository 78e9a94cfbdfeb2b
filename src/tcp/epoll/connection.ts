import type { Endpoint } from '../../ftp/endpoints.ts'
import {
  EAGAIN,
  ECONNRESET,
  errnoError,
  type Libc,
  MSG_DONTWAIT,
  MSG_MORE,
  MSG_NOSIGNAL,
  MSG_PEEK,
} from '../../kernel/libc.ts'
import type { Connection, ConnectionError, ConnectionEvents, DirectAccess, Found } from '../connection.ts'
import { Backlog } from './backlog.ts'
import { EPOLLERR, EPOLLIN, EPOLLOUT, type Pollable, type Poller, STOPS } from './poller.ts'
import {
  askKeepAlive,
  errnoBehindEnd,
  localOf,
  pendingErrno,
  queuedBytes,
  resetOnClose,
  shutDownWriting,
} from './socket-calls.ts'

/**
 * A connection that is read and written by system calls of ours.
 *
 * Edge-triggered: what epoll has reported is remembered (`#isReadable`) until a read finds nothing more.
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
  /** epoll has reported an error; it can be asked for once, and a read after that sees an end. */
  #hasFailed = false
  #hasEnded = false
  #isReadScheduled = false
  #readBy: (() => Found) | null = null
  /** How it ends once everything is written. */
  #ending: 'not' | 'finish' | 'close' = 'not'
  #hasFinished = false
  #unsent: Backlog | null = null
  #writable: (() => void) | null = null
  #whenClosed: (() => void) | null = null
  #lost: ((error: ConnectionError) => void) | null = null

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
    return this.#unsent?.byteCount ?? 0
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
    if (this.#unsent === null) this.#finish()
  }

  close(lastWord = ''): void {
    if (lastWord !== '') this.#writeText(lastWord, MSG_MORE)
    this.#ending = 'close'
    if (this.#unsent !== null || !this.#isOpen) return
    // What waits for more is sent by FIN, and thrown away by a close that finds something unread.
    if (lastWord !== '') shutDownWriting(this.#poller.libc, this.#fd)
    this.destroy()
  }

  destroy(error: ConnectionError | null = null): void {
    if (!this.#isOpen) return
    this.#isOpen = false
    this.#unsent = null
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
    const { libc } = this.#poller
    if (libc.recv(this.#fd, readBuffer, 1, MSG_DONTWAIT | MSG_PEEK) >= 0) return true
    const errno = libc.errno()
    if (errno !== EAGAIN) this.destroy(errnoError(errno, 'read'))
    return false
  }

  whenWritable(writable: () => void): void {
    this.#writable = writable
  }

  whenLost(lost: (error: ConnectionError) => void): void {
    this.#lost = lost
    if (this.#hasFailed) this.#poller.afterwards(() => this.#isLost())
  }

  ready(events: number): void {
    if ((events & EPOLLERR) !== 0) {
      this.#hasFailed = true
      if (this.#isLost()) return
    }
    if ((events & EPOLLOUT) !== 0) this.#wrote()
    if ((events & STOPS) !== 0) this.#readsUntilEmpty = true
    else if ((events & EPOLLIN) === 0) return
    this.#isReadable = true
    this.#read()
  }

  /** Reports a reset before `start` where that was asked for; what came before it is half of something. */
  #isLost(): boolean {
    const lost = this.#lost
    if (this.#events !== null || lost === null || !this.#isOpen) return false
    const errno = pendingErrno(this.#poller.libc, this.#fd) || ECONNRESET
    this.destroy()
    lost(errnoError(errno, 'read'))
    return true
  }

  /** Reads until there is nothing more, reading is paused, or other connections are due. */
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
      // A buffer that was not filled has taken everything; what comes later is reported again.
      if (byteCount < readBuffer.length && !this.#readsUntilEmpty) this.#isReadable = false
      if (!events.received(readBuffer, byteCount)) this.#isPaused = true
      return 'something'
    }
    this.#readsUntilEmpty = false
    const errno = byteCount === 0 ? errnoBehindEnd(libc, this.#fd, this.#hasFinished) : libc.errno()
    if (errno === 0 && !this.#hasFailed) this.#ended(events)
    else if (errno !== EAGAIN) this.destroy(errnoError(errno || ECONNRESET, 'read'))
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
    if (this.#unsent !== null || text.length > writeBuffer.length) {
      const bytes = Buffer.from(text, 'latin1')
      this.#writeBytes(bytes, bytes.length, flags)
    } else {
      this.#writeBytes(writeBuffer, writeBuffer.write(text, 'latin1'), flags)
    }
  }

  #writeBytes(bytes: Uint8Array, byteCount: number, flags: number): void {
    if (!this.#isOpen || this.#ending !== 'not') return
    const sent = this.#unsent === null ? this.#send(bytes, byteCount, flags) : 0
    if (sent === byteCount || !this.#isOpen) return
    this.#unsent ??= new Backlog()
    this.#unsent.add(bytes.subarray(sent, byteCount))
  }

  /** The bytes that the kernel took; an error closes. */
  #send(bytes: Uint8Array, byteCount: number, flags = 0): number {
    const { libc } = this.#poller
    const sent = libc.send(this.#fd, bytes, byteCount, MSG_DONTWAIT | MSG_NOSIGNAL | flags)
    if (sent >= 0) return sent
    const errno = libc.errno()
    // What the peer still said before it reset is lost, as it is with Node.
    if (errno !== EAGAIN) this.destroy(errnoError(errno, 'write'))
    return 0
  }

  /** There is room again. */
  #wrote(): void {
    if (this.#unsent !== null) {
      const bytes = this.#unsent.whole()
      const sent = this.#send(bytes, bytes.length)
      if (!this.#isOpen) return
      this.#unsent.taken(sent)
      if (this.#unsent.byteCount > 0) return
      this.#unsent = null
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
