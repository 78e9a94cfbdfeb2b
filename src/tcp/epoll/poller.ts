// epoll(7) inside Node's event loop. libuv watches the epoll descriptor like a socket of its own, and when something is
// ready we ask epoll ourselves: one loop, and a socket costs one registration for all its life.

import { Socket } from 'node:net'
import { AlgError } from '../../errors.ts'
import {
  AF_UNIX,
  errnoError,
  type Libc,
  O_CLOEXEC,
  SOCK_CLOEXEC,
  SOCK_NONBLOCK,
  SOCK_STREAM,
  syscallError,
} from '../../kernel/libc.ts'
import { watchReadable } from './carrier.ts'
import { placeOf, Registrations, turnOf } from './registrations.ts'

/** Who handles the events of a descriptor. */
export interface Pollable {
  /** `events`: a set of EPOLL… bits. */
  ready(events: number): void
}

export class Poller {
  readonly libc: Libc
  readonly #epollFd: number
  /** What libuv believes to be a socket: it holds the epoll descriptor. */
  readonly #carrier: Socket
  readonly #registrations = new Registrations<Pollable>()
  readonly #ready = new Uint32Array(EVENTS_A_TURN * EVENT_WORDS)
  readonly #readyBytes = new Uint8Array(this.#ready.buffer)
  readonly #registration = new Uint32Array(EVENT_WORDS)
  readonly #registrationBytes = new Uint8Array(this.#registration.buffer)
  /** What waits for the end of what is being done. */
  readonly #afterwards: (() => void)[] = []
  /** What waits until everything that was found ready together has been handled; see `gather`. */
  #gathered: (() => void)[] = []
  #isPolling = false

  /** Errors: `AlgError` KERNEL_FEATURE_MISSING, also for a Node that does not let its sockets be watched. */
  constructor(libc: Libc) {
    this.libc = libc
    const pair = new Int32Array(2)
    const epollFd = libc.epollCreate(O_CLOEXEC)
    if (epollFd < 0) throw syscallError(libc, 'KERNEL_FEATURE_MISSING', 'epoll_create1')
    if (libc.socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) !== 0) {
      const error = syscallError(libc, 'KERNEL_FEATURE_MISSING', 'socketpair')
      libc.close(epollFd)
      throw error
    }
    // As in netlink-stream.ts: Node takes a descriptor that it knows, and finds another one under its number.
    const [kept = -1, spare = -1] = pair
    const options = { fd: kept, writable: false, manualStart: true }
    this.#carrier = new Socket(options)
    libc.dup3(epollFd, kept, O_CLOEXEC)
    libc.close(epollFd)
    libc.close(spare)
    this.#epollFd = kept
    if (!watchReadable(this.#carrier, () => this.#poll())) {
      this.#carrier.destroy()
      throw new AlgError('KERNEL_FEATURE_MISSING', `Node ${process.version} hides the handles of its sockets`)
    }
    this.#carrier.unref()
  }

  /**
   * Registers a descriptor; gives the number for `remove`. The process lives as long as there is one.
   *
   * Errors: ENOSPC when this user watches as much as it may (`fs.epoll.max_user_watches`), ENOMEM.
   */
  add(pollable: Pollable, fd: number, events: number): number {
    const isFirst = this.#registrations.isEmpty
    const number = this.#registrations.add(pollable)
    this.#registration[0] = events
    this.#registration[DATA_WORD] = placeOf(number)
    this.#registration[DATA_WORD + 1] = turnOf(number)
    const { libc } = this
    if (libc.epollCtl(this.#epollFd, EPOLL_CTL_ADD, fd, this.#registrationBytes) !== 0) {
      const errno = libc.errno()
      this.#registrations.delete(number)
      throw errnoError(errno, 'epoll_ctl')
    }
    if (isFirst) this.#carrier.ref()
    return number
  }

  /** Events go to another callback from now on. */
  hand(number: number, to: Pollable): void {
    this.#registrations.hand(number, to)
  }

  /** Its events are dropped from now on. A descriptor that is closed right afterwards needs no more than this. */
  remove(number: number): void {
    this.#registrations.delete(number)
    if (this.#registrations.isEmpty) this.#carrier.unref()
  }

  /** For a descriptor that stays open, before `remove`. */
  forget(fd: number): void {
    this.libc.epollCtl(this.#epollFd, EPOLL_CTL_DEL, fd, this.#registrationBytes)
  }

  /** Does it once the caller has returned to the event loop, or to `ready`; no other event is handled before. */
  afterwards(task: () => void): void {
    if (this.#afterwards.push(task) === 1 && !this.#isPolling) process.nextTick(() => this.#doAfterwards())
  }

  /** Does it in this turn, after everything that was found ready together was handled: what many of them cause is done once. */
  gather(task: () => void): void {
    if (this.#isPolling) this.#gathered.push(task)
    else process.nextTick(task)
  }

  #doGathered(): void {
    while (this.#gathered.length > 0) {
      const tasks = this.#gathered
      this.#gathered = []
      for (const task of tasks) doNow(task)
      this.#doAfterwards()
    }
  }

  #doAfterwards(): void {
    for (let task = this.#afterwards.shift(); task !== undefined; task = this.#afterwards.shift()) doNow(task)
  }

  #poll(): void {
    this.#isPolling = true
    for (let round = 0; round < ROUNDS_A_TURN && this.#pollOnce() > 0; round += 1);
    this.#doGathered()
    this.#isPolling = false
  }

  #pollOnce(): number {
    const ready = this.#ready
    const count = this.libc.epollWait(this.#epollFd, this.#readyBytes, EVENTS_A_TURN, 0)
    for (let at = 0; at < count * EVENT_WORDS; at += EVENT_WORDS) {
      const pollable = this.#registrations.at(ready[at + DATA_WORD] ?? 0, ready[at + DATA_WORD + 1] ?? 0)
      if (pollable === null) continue
      try {
        pollable.ready(ready[at] ?? 0)
      } catch (error) {
        // Each event comes once: an exception in one handler must not swallow the others.
        process.nextTick(rethrow, error)
      }
      if (this.#afterwards.length > 0) this.#doAfterwards()
    }
    // When it is quiet nothing waits for the next round.
    if (count <= QUIET_ROUND) this.#doGathered()
    return count
  }
}

export const EPOLLIN = 0x1
export const EPOLLPRI = 0x2
export const EPOLLOUT = 0x4
export const EPOLLERR = 0x8
export const EPOLLHUP = 0x10
export const EPOLLRDHUP = 0x2000
/** Something may stand behind what there is to read. */
export const STOPS = EPOLLPRI | EPOLLRDHUP | EPOLLHUP | EPOLLERR
/** For a connection: everything, each time it changes. */
export const SOCKET_EVENTS = (EPOLLIN | EPOLLPRI | EPOLLOUT | EPOLLRDHUP | 0x80000000) >>> 0

const EPOLL_CTL_ADD = 1
const EPOLL_CTL_DEL = 2
/** Others of the loop want their turn. */
const EVENTS_A_TURN = 128
const ROUNDS_A_TURN = 4
/** So few events, and there is little to gather. */
const QUIET_ROUND = 4
/** `struct epoll_event` is packed on x86-64 only. */
const EVENT_WORDS = process.arch === 'x64' ? 3 : 4
/** `epoll_data`, two words. */
const DATA_WORD = process.arch === 'x64' ? 1 : 2

/** What one task breaks must not take the others with it. */
function doNow(task: () => void): void {
  try {
    task()
  } catch (error) {
    process.nextTick(rethrow, error)
  }
}

function rethrow(error: unknown): never {
  throw error
}
