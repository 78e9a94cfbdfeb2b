import type { Endpoint } from '../../ftp/endpoints.ts'
import { EINPROGRESS, errnoError, errnoName } from '../../kernel/libc.ts'
import { encodeSockaddr } from '../../kernel/sockaddr.ts'
import type { ConnectCall, Connected, Connecting, ConnectionError } from '../connection.ts'
import { EpollConnection } from './connection.ts'
import { EPOLLERR, EPOLLHUP, EPOLLOUT, type Pollable, type Poller, SOCKET_EVENTS } from './poller.ts'
import { bindTo, openSocket, pendingErrno, resetOnClose } from './socket-calls.ts'

/** Connects; a source port that the system does not give becomes any port. */
export function connectEpoll(poller: Poller, call: ConnectCall, done: Connected): Connecting {
  return new EpollConnecting(poller, call, done).start()
}

/** Connects a socket that is made and bound already, and owned from here on. */
export function connectDescriptor(poller: Poller, fd: number, to: Endpoint, done: Connected): Connecting {
  return new EpollConnecting(poller, { to, from: null }, done).startWith(fd)
}

class EpollConnecting implements Connecting, Pollable {
  readonly #poller: Poller
  readonly #call: ConnectCall
  readonly #done: Connected
  #fd = -1
  #number = 0
  #isOver = false
  /** The source port was given up. */
  #takesAnyPort = false

  constructor(poller: Poller, call: ConnectCall, done: Connected) {
    this.#poller = poller
    this.#call = call
    this.#done = done
  }

  start(): this {
    const { to, from } = this.#call
    const { libc } = this.#poller
    const fd = openSocket(libc, to.address)
    if (fd < 0) {
      this.#refused(libc.errno(), 'socket')
      return this
    }
    this.#fd = fd
    if (from !== null && !bindTo(libc, fd, this.#takesAnyPort ? { ...from, port: 0 } : from)) {
      this.#refused(libc.errno(), 'bind')
      return this
    }
    return this.startWith(fd)
  }

  startWith(fd: number): this {
    this.#fd = fd
    const { libc } = this.#poller
    const sockaddr = encodeSockaddr(this.#call.to)
    const errno = libc.connect(fd, sockaddr, sockaddr.length) === 0 ? 0 : libc.errno()
    if (errno === 0 || errno === EINPROGRESS) this.#watch(fd)
    else this.#refused(errno, 'connect')
    return this
  }

  cancel(): void {
    if (this.#isOver) return
    this.#isOver = true
    if (this.#number !== 0) this.#poller.remove(this.#number)
    if (this.#fd >= 0) resetOnClose(this.#poller.libc, this.#fd)
    this.#drop()
  }

  ready(events: number): void {
    if ((events & (EPOLLERR | EPOLLHUP)) !== 0) {
      this.#poller.remove(this.#number)
      this.#fail(errnoError(pendingErrno(this.#poller.libc, this.#fd), 'connect'))
    } else if ((events & EPOLLOUT) !== 0) {
      this.#isOver = true
      const connection = new EpollConnection(this.#poller, this.#fd, this.#call.to, this.#number)
      this.#done(null, connection)
      connection.ready(events)
    }
  }

  #watch(fd: number): void {
    try {
      this.#number = this.#poller.add(this, fd, SOCKET_EVENTS)
    } catch (error) {
      process.nextTick(() => this.#fail(error instanceof Error ? error : new Error(String(error))))
    }
  }

  /** The system does not even try; with another source port it may. */
  #refused(errno: number, call: string): void {
    const mayBeThePort = (this.#call.from?.port ?? 0) !== 0 && !this.#takesAnyPort
    if (mayBeThePort && sourcePortUnavailable.has(errnoName(errno))) {
      this.#takesAnyPort = true
      this.#drop()
      this.start()
    } else {
      process.nextTick(() => this.#fail(errnoError(errno, call)))
    }
  }

  #fail(error: ConnectionError): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#drop()
    this.#done(error, null)
  }

  #drop(): void {
    if (this.#fd >= 0) this.#poller.libc.close(this.#fd)
    this.#fd = -1
  }
}

/** Errors of bind and connect that mean: try another source port. No packet has been sent. */
const sourcePortUnavailable: ReadonlySet<string> = new Set(['EACCES', 'EADDRINUSE', 'EADDRNOTAVAIL'])
