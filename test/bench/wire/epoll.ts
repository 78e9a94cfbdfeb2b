// An event loop of our own over epoll(7): about fifty system calls per FTP session, at 0.3 µs of foreign-call overhead
// each. Sockets are added once, edge-triggered, and never touched again, so each event is read until it is dry.

import { EpollConnection, EpollListener } from './epoll-sockets.ts'
import type { Libc } from './libc.ts'
import { AF_INET, EINPROGRESS, EPOLL, loadLibc, makeSocketAddress, SOCK } from './libc.ts'
import type { Connection, ConnectionHandlers, Endpoint, Listener, Wire } from './wire.ts'
import { makePattern, patternBytes } from './wire.ts'

/** A descriptor that is registered with the loop. */
export interface Pollable {
  /** Tells its events from those of an earlier owner of the same descriptor number. */
  readonly generation: number
  ready(events: number): void
}

export async function openEpollWire(): Promise<Wire> {
  return new EpollWire(await loadLibc())
}

/** `struct epoll_event` is packed on x86-64 only. */
const eventWords = process.arch === 'x64' ? 3 : 4
const dataWord = process.arch === 'x64' ? 1 : 2
const maxEvents = 512
const stdinFd = 0

export class EpollWire implements Wire {
  readonly kind = 'epoll'
  readonly libc: Libc
  readonly pattern = makePattern()
  /** A memory file with one pattern in it, the source of sendfile(2). */
  readonly patternFd: number
  readonly readBuffer = Buffer.alloc(1 << 16)
  private readonly epollFd: number
  private readonly pollables: (Pollable | undefined)[] = []
  private readonly events = Buffer.alloc(maxEvents * eventWords * 4)
  private readonly eventView = new Uint32Array(
    this.events.buffer,
    this.events.byteOffset,
    maxEvents * eventWords,
  )
  private readonly registration = Buffer.alloc(eventWords * 4)
  private readonly addresses = new Map<string, Buffer>()
  private generations = 0
  private dismissed = false

  constructor(libc: Libc) {
    this.libc = libc
    this.epollFd = this.must(libc.epollCreate(SOCK.CLOEXEC), 'epoll_create1')
    this.patternFd = this.must(libc.memfdCreate('pattern', 1), 'memfd_create')
    this.must(libc.write(this.patternFd, this.pattern, patternBytes), 'write')
    // A regular file or /dev/null as standard input cannot be polled, and never says goodbye.
    this.registration.writeUInt32LE(EPOLL.IN, 0)
    if (libc.epollControl(this.epollFd, EPOLL.ADD, stdinFd, this.registration) === 0) {
      this.pollables[stdinFd] = { generation: 0, ready: () => this.readStdin() }
    }
  }

  readonly isDismissed = () => this.dismissed

  listen(at: Endpoint, done: (outcome: Listener | Error) => void): void {
    let listener: Listener
    try {
      listener = new EpollListener(this, at)
    } catch (error) {
      done(error instanceof Error ? error : new Error(String(error)))
      return
    }
    done(listener)
  }

  connect(to: Endpoint, handlers: ConnectionHandlers): Connection {
    const { libc } = this
    const fd = this.must(libc.socket(AF_INET, SOCK.STREAM | SOCK.NONBLOCK | SOCK.CLOEXEC, 0), 'socket')
    const isUnderWay = libc.connect(fd, this.socketAddress(to), 16) === 0 || libc.errno() === EINPROGRESS
    const failure = isUnderWay ? null : `connect to ${to.address}:${to.port}: errno ${libc.errno()}`
    const connection = new EpollConnection(this, fd, handlers, true)
    // The caller has no reference yet: an unconnected socket polls as hung up, and the event loop tells what happened.
    connection.failure = failure
    return connection
  }

  async run(isDone: () => boolean): Promise<void> {
    const { libc, epollFd, events, eventView, pollables } = this
    while (!isDone()) {
      const count = libc.epollWait(epollFd, events, maxEvents, 50)
      for (let i = 0; i < count; i++) {
        const at = i * eventWords
        const pollable = pollables[eventView[at + dataWord] ?? 0]
        if (pollable !== undefined && pollable.generation === eventView[at + dataWord + 1]) {
          pollable.ready(eventView[at] ?? 0)
        }
      }
    }
  }

  nextGeneration(): number {
    this.generations = (this.generations + 1) >>> 0
    return this.generations
  }

  register(fd: number, pollable: Pollable): void {
    this.pollables[fd] = pollable
    this.registration.writeUInt32LE((EPOLL.IN | EPOLL.OUT | EPOLL.RDHUP | EPOLL.EDGE) >>> 0, 0)
    this.registration.writeUInt32LE(fd, dataWord * 4)
    this.registration.writeUInt32LE(pollable.generation, dataWord * 4 + 4)
    this.must(this.libc.epollControl(this.epollFd, EPOLL.ADD, fd, this.registration), 'epoll_ctl')
  }

  release(fd: number): void {
    this.pollables[fd] = undefined
    this.libc.close(fd)
  }

  must(result: number, call: string): number {
    if (result < 0) throw new Error(`${call} failed with errno ${this.libc.errno()}`)
    return result
  }

  /** Hosts are few and ports many: the buffer of a host is kept and its port overwritten. */
  private socketAddress({ address, port }: Endpoint): Buffer {
    const bytes = this.addresses.get(address) ?? makeSocketAddress(address, port)
    this.addresses.set(address, bytes)
    bytes[2] = port >> 8
    bytes[3] = port & 0xff
    return bytes
  }

  /** Nobody writes to us, so it can only be the end. */
  private readStdin(): void {
    this.dismissed = true
    this.pollables[stdinFd] = undefined
  }
}
