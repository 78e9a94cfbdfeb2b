import { canonicalAddress } from '../../ftp/addresses.ts'
import type { Endpoint } from '../../ftp/endpoints.ts'
import { EAGAIN, errnoError, errnoName, SOCK_CLOEXEC, SOCK_NONBLOCK } from '../../kernel/libc.ts'
import { decodeSockaddr, SOCKADDR_BYTES } from '../../kernel/sockaddr.ts'
import type { ConnectionError, Listening, ListenOptions } from '../connection.ts'
import { EpollConnection } from './connection.ts'
import { EPOLLERR, EPOLLHUP, EPOLLIN, type Pollable, type Poller, SOCKET_EVENTS } from './poller.ts'
import {
  bindTo,
  keepUrgent,
  localOf,
  makeNonBlocking,
  openSocket,
  resetOnClose,
  sendAtOnce,
} from './socket-calls.ts'

/** A bound descriptor, and what gives it back. */
export interface GivenDescriptor {
  readonly fd: number
  readonly close: () => void
}

/** Accepts connections at an address, or on a descriptor that was given to us. */
export class EpollListener implements Listening, Pollable {
  readonly #poller: Poller
  readonly #options: ListenOptions
  #fd = -1
  #number = 0
  #rest: NodeJS.Timeout | null = null
  /** Accepted, and cannot be watched yet. */
  #unwatched: Accepted | null = null
  #isAccepting = true
  #giveBack: (() => void) | null = null

  constructor(poller: Poller, options: ListenOptions) {
    this.#poller = poller
    this.#options = options
  }

  /** Binds, or takes what is given; tells `listens`, at once. */
  open(given: GivenDescriptor | null): void {
    const { at, backlog, noDelay, listens } = this.#options
    const { libc } = this.#poller
    const error = given === null ? this.#bind() : this.#take(given)
    if (error !== null) {
      listens(error, at)
      return
    }
    if (libc.listen(this.#fd, backlog) !== 0) {
      const failure = errnoError(libc.errno(), 'listen')
      this.#release()
      listens(failure, at)
      return
    }
    if (noDelay) sendAtOnce(libc, this.#fd)
    keepUrgent(libc, this.#fd)
    const unwatchable = this.#watch()
    if (unwatchable !== null) {
      this.#release()
      listens(unwatchable, at)
      return
    }
    const isKnown = given === null && at.port !== 0
    listens(null, isKnown ? at : (localOf(libc, this.#fd) ?? at))
  }

  get isAccepting(): boolean {
    return this.#isAccepting
  }

  close(): void {
    if (this.#fd < 0) return
    if (this.#rest !== null) clearTimeout(this.#rest)
    // Closing it ends that too, but for a socket that another process may share.
    else if (this.#giveBack === null) this.#poller.remove(this.#number)
    else this.#stopPolling()
    if (this.#unwatched !== null) {
      resetOnClose(this.#poller.libc, this.#unwatched.fd)
      this.#poller.libc.close(this.#unwatched.fd)
      this.#unwatched = null
    }
    this.#release()
  }

  ready(): void {
    const { libc } = this.#poller
    // One comes to a data port, and level-triggered epoll tells of the next.
    const most = this.#options.isExclusive ? 1 : ACCEPTS_A_TURN
    for (let turn = 0; turn < most && this.#fd >= 0 && this.#rest === null; turn += 1) {
      length[0] = SOCKADDR_BYTES
      const fd = libc.accept4(this.#fd, sockaddr, length, SOCK_NONBLOCK | SOCK_CLOEXEC)
      if (fd >= 0) this.#accepted(fd, decodeSockaddr(sockaddr))
      else if (!this.#isOver(libc.errno())) return
    }
  }

  #accepted(fd: number, remote: Endpoint | null): void {
    if (remote === null) {
      this.#poller.libc.close(fd)
      return
    }
    const { address, port } = remote
    this.#arrived({ fd, from: { address: canonicalAddress(address), port } })
  }

  /** A client is not turned away because nothing more can be watched (fs.epoll.max_user_watches). */
  #arrived(accepted: Accepted): void {
    this.#unwatched = null
    try {
      new Arrival(this.#poller, accepted, this.#options)
      this.#accepts()
    } catch (error) {
      this.#unwatched = accepted
      this.#pause(asError(error))
    }
  }

  /** True where only this one connection is lost. */
  #isOver(errno: number): boolean {
    if (errno === EAGAIN) {
      this.#accepts()
      return false
    }
    if (ofOneConnection.has(errnoName(errno))) return true
    // No descriptors or memory left, above all.
    this.#pause(errnoError(errno, 'accept'))
    return false
  }

  /** Level-triggered epoll would report the waiting connections continuously. */
  #pause(error: ConnectionError): void {
    this.#stopPolling()
    this.#restAfter(error)
  }

  #restAfter(error: ConnectionError): void {
    this.#rest = setTimeout(() => {
      this.#rest = null
      const unwatchable = this.#watch()
      if (unwatchable !== null) this.#restAfter(unwatchable)
      else if (this.#unwatched !== null) this.#arrived(this.#unwatched)
      // Whoever waited may be gone: then nothing else would tell that it works again.
      else this.ready()
    }, REST_MS)
    if (this.#isAccepting) this.#options.failed(error)
    this.#isAccepting = false
  }

  #accepts(): void {
    if (this.#isAccepting) return
    this.#isAccepting = true
    this.#options.recovered?.()
  }

  #watch(): ConnectionError | null {
    try {
      this.#number = this.#poller.add(this, this.#fd, EPOLLIN)
      return null
    } catch (error) {
      return asError(error)
    }
  }

  #bind(): ConnectionError | null {
    const { at } = this.#options
    const { libc } = this.#poller
    this.#fd = openSocket(libc, at.address)
    if (this.#fd < 0) return errnoError(libc.errno(), 'socket')
    if (bindTo(libc, this.#fd, at)) return null
    const error = errnoError(libc.errno(), 'bind')
    this.#release()
    return error
  }

  /** It may block, and another process may share it. */
  #take({ fd, close }: GivenDescriptor): null {
    makeNonBlocking(this.#poller.libc, fd)
    this.#fd = fd
    this.#giveBack = close
    return null
  }

  #stopPolling(): void {
    this.#poller.forget(this.#fd)
    this.#poller.remove(this.#number)
  }

  #release(): void {
    if (this.#giveBack === null) this.#poller.libc.close(this.#fd)
    else this.#giveBack()
    this.#fd = -1
  }
}

interface Accepted {
  readonly fd: number
  readonly from: Endpoint
}

/** A connection that was accepted and not looked at: its first event tells whether its peer is still there. */
class Arrival implements Pollable {
  readonly #poller: Poller
  readonly #what: Accepted
  readonly #listener: Pick<ListenOptions, 'accepted' | 'lost'>
  readonly #number: number

  constructor(poller: Poller, what: Accepted, listener: Pick<ListenOptions, 'accepted' | 'lost'>) {
    this.#poller = poller
    this.#what = what
    this.#listener = listener
    this.#number = poller.add(this, what.fd, SOCKET_EVENTS)
  }

  ready(events: number): void {
    const { fd, from } = this.#what
    if ((events & (EPOLLERR | EPOLLHUP)) !== 0) {
      this.#poller.remove(this.#number)
      this.#poller.libc.close(fd)
      this.#listener.lost?.(from)
      return
    }
    const connection = new EpollConnection(this.#poller, fd, from, this.#number)
    this.#listener.accepted(connection)
    connection.ready(events)
  }
}

function asError(error: unknown): ConnectionError {
  return error instanceof Error ? error : new Error(String(error))
}

/** One buffer for all: nothing is kept of it. */
const sockaddr = new Uint8Array(SOCKADDR_BYTES)
const length = new Uint32Array(1)

/** Each holds a descriptor before anybody can say whether it is too many. */
const ACCEPTS_A_TURN = 16
/** What accept(2) says of a connection that is lost, and of nothing else. */
const ofOneConnection: ReadonlySet<string> = new Set([
  ...['ECONNABORTED', 'EINTR', 'EPROTO', 'EPERM', 'ENETDOWN', 'ENETUNREACH', 'EHOSTUNREACH', 'EHOSTDOWN'],
  ...['ENONET', 'ENOPROTOOPT', 'EOPNOTSUPP', 'ETIMEDOUT'],
])
const REST_MS = 100
