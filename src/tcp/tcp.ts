// Selects the implementation of TCP connections.

import cluster from 'node:cluster'
import { AlgError } from '../errors.ts'
import type { Endpoint } from '../ftp/endpoints.ts'
import type { Libc } from '../kernel/libc.ts'
import { bindForeign, type ForeignBind } from '../kernel/transparent.ts'
import type { TcpImplementation } from '../vocabulary.ts'
import type { ConnectCall, Connected, Connecting, Listening, ListenOptions } from './connection.ts'
import { connectDescriptor, connectEpoll } from './epoll/connect.ts'
import { EpollListener } from './epoll/listener.ts'
import { Poller } from './epoll/poller.ts'
import { shareDescriptor } from './epoll/shared-descriptor.ts'
import { connectNode } from './node/connect.ts'
import { listenNode } from './node/listener.ts'

export interface TcpOptions {
  readonly libc: Libc | null
  readonly make?: 'auto' | 'node'
  /** Why `libc` is null, for whoever asks. */
  readonly whyNoLibc?: string
}

/** Which implementation runs, and why the fast one does not; null when it does. */
export interface TcpChoice {
  readonly implementation: TcpImplementation
  readonly reason: string | null
}

/** Makes TCP connections, and waits for those of others: with epoll(7) where there is koffi, with node:net elsewhere. */
export class Tcp {
  readonly #libc: Libc | null
  readonly #kernel: Poller | null
  readonly #poller: Poller | null
  readonly choice: TcpChoice

  /** `libc` is null without koffi. `make: 'node'` leaves to Node whatever it can do. */
  constructor({ libc, make = 'auto', whyNoLibc = 'koffi is not loaded' }: TcpOptions) {
    this.#libc = libc
    const opened = libc === null ? whyNoLibc : openPoller(libc)
    this.#kernel = typeof opened === 'string' ? null : opened
    this.#poller = make === 'node' ? null : this.#kernel
    this.choice =
      this.#poller === null
        ? { implementation: 'node', reason: typeof opened === 'string' ? opened : 'it was asked for' }
        : { implementation: 'epoll', reason: null }
  }

  /** Waits for connections; each allows half-open. */
  listen(options: ListenOptions): Listening {
    const poller = this.#poller
    const { fd, isExclusive } = options
    if (poller === null || (fd === undefined && hasZone(options.at))) return listenNode(options, this.#libc)
    const listener = new EpollListener(poller, options)
    if (fd !== undefined) listener.open({ fd, close: () => poller.libc.close(fd) })
    else if (isExclusive || !cluster.isWorker) listener.open(null)
    else return listenShared(listener, options)
    return listener
  }

  /** Connects to one address; the connection allows half-open. */
  connect(call: ConnectCall, done: Connected): Connecting {
    const isForNode = this.#poller === null || hasZone(call.to) || hasZone(call.from)
    return isForNode ? connectNode(call, done, this.#libc) : connectEpoll(this.#poller, call, done)
  }

  /** Does it in this turn of the event loop, after every ready descriptor was handled: what many of them cause is done once. */
  gather(task: () => void): void {
    if (this.#poller === null) process.nextTick(task)
    else this.#poller.gather(task)
  }

  /**
   * Connects from an address that need not be ours, see `bindForeign`.
   *
   * Errors thrown at once: `AlgError` PRIVILEGE_MISSING, RUNTIME_FAILED with errno (EADDRINUSE: that port is taken),
   * KERNEL_FEATURE_MISSING without koffi.
   */
  connectForeign(call: ForeignBind, done: Connected): Connecting {
    if (this.#kernel === null) {
      throw new AlgError('KERNEL_FEATURE_MISSING', `connecting as ${call.from.address} needs Linux and koffi`)
    }
    return connectDescriptor(this.#kernel, bindForeign(this.#kernel.libc, call), call.to, done)
  }
}

/** In a worker, at an address that all workers listen at. */
function listenShared(listener: EpollListener, options: ListenOptions): Listening {
  const close = shareDescriptor(options, (error, shared) => {
    if (shared === null) options.listens(error ?? new Error('no socket'), options.at)
    else listener.open(shared)
  })
  return {
    get isAccepting() {
      return listener.isAccepting
    },
    close() {
      listener.close()
      close()
    },
  }
}

/** A zone means an interface, which Node finds. */
function hasZone(at: Endpoint | null): boolean {
  return at?.address.includes('%') === true
}

/** Or why there is none: a kernel that refuses, a Node that does not let its sockets be watched. */
function openPoller(libc: Libc): Poller | string {
  try {
    return new Poller(libc)
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
}
