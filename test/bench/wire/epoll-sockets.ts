// Sockets of the epoll wire. Bulk data leaves by sendfile(2) from a memory file and is swallowed by recv(MSG_TRUNC), which
// drops the bytes without copying them.

import type { EpollWire, Pollable } from './epoll.ts'
import { AF_INET, EAGAIN, EPOLL, IPPROTO_TCP, MSG, makeSocketAddress, SO, SOCK, TCP_NODELAY } from './libc.ts'
import type { Connection, ConnectionHandlers, Endpoint, Listener } from './wire.ts'
import { ignoreEverything, patternBytes } from './wire.ts'

const one = Buffer.from([1, 0, 0, 0])

/** Up to this size send(2) of a copy is cheaper than sendfile(2). */
const smallBytes = 1 << 16

export class EpollListener implements Listener, Pollable {
  readonly port: number
  readonly generation: number
  onConnection: (connection: Connection) => void = (connection) => connection.close()
  private readonly wire: EpollWire
  private readonly fd: number

  constructor(wire: EpollWire, at: Endpoint) {
    const { libc } = wire
    this.wire = wire
    this.generation = wire.nextGeneration()
    this.fd = wire.must(libc.socket(AF_INET, SOCK.STREAM | SOCK.NONBLOCK | SOCK.CLOEXEC, 0), 'socket')
    wire.must(libc.setsockopt(this.fd, SO.LEVEL, SO.REUSEADDR, one, 4), 'setsockopt')
    // Inherited by what is accepted: a 226 must not wait for the acknowledgement of the 150 before it.
    wire.must(libc.setsockopt(this.fd, IPPROTO_TCP, TCP_NODELAY, one, 4), 'setsockopt')
    wire.must(
      libc.bind(this.fd, makeSocketAddress(at.address, at.port), 16),
      `bind to ${at.address}:${at.port}`,
    )
    wire.must(libc.listen(this.fd, 4096), 'listen')
    const name = Buffer.alloc(16)
    wire.must(libc.getsockname(this.fd, name, Buffer.from([16, 0, 0, 0])), 'getsockname')
    this.port = name.readUInt16BE(2)
    wire.register(this.fd, this)
  }

  ready(): void {
    for (;;) {
      const fd = this.wire.libc.accept4(this.fd, null, null, SOCK.NONBLOCK | SOCK.CLOEXEC)
      if (fd < 0) return
      this.onConnection(new EpollConnection(this.wire, fd, ignoreEverything, false))
    }
  }

  close(): void {
    this.wire.release(this.fd)
  }
}

export class EpollConnection implements Connection, Pollable {
  readonly generation: number
  handlers: ConnectionHandlers
  bytesDiscarded = 0
  failure: string | null = null
  private readonly wire: EpollWire
  private readonly fd: number
  private connecting: boolean
  private open = true
  private discarding = false
  private bytesToPump = 0
  private bytesPumped = 0
  private readonly offset: Buffer = Buffer.alloc(8)

  constructor(wire: EpollWire, fd: number, handlers: ConnectionHandlers, connecting: boolean) {
    this.wire = wire
    this.fd = fd
    this.handlers = handlers
    this.connecting = connecting
    this.generation = wire.nextGeneration()
    wire.register(fd, this)
  }

  write(bytes: Buffer): void {
    const sent = this.wire.libc.send(this.fd, bytes, bytes.length, MSG.DONTWAIT | MSG.NOSIGNAL)
    if (sent !== bytes.length)
      this.failure = `wrote ${sent} of ${bytes.length} bytes, errno ${this.wire.libc.errno()}`
  }

  pump(bytes: number): void {
    this.bytesToPump = bytes
    this.bytesPumped = 0
    this.pumpOn()
  }

  discard(batchBytes: number): void {
    this.discarding = true
    if (batchBytes > 1) {
      const value = Buffer.alloc(4)
      value.writeUInt32LE(batchBytes, 0)
      this.wire.libc.setsockopt(this.fd, SO.LEVEL, SO.RCVLOWAT, value, 4)
    }
  }

  close(): void {
    if (!this.open) return
    this.open = false
    this.wire.release(this.fd)
  }

  ready(events: number): void {
    if (this.connecting) {
      if (this.failure === null && events & (EPOLL.ERR | EPOLL.HUP)) this.failure = 'connection refused'
      if (this.failure !== null) this.end(this.failure)
      if (!this.open || (events & EPOLL.OUT) === 0) return
      this.connecting = false
      this.handlers.connected?.(this)
    }
    if (this.open && this.bytesToPump > 0 && events & EPOLL.OUT) this.pumpOn()
    const mayHaveEnded = (events & (EPOLL.RDHUP | EPOLL.HUP | EPOLL.ERR)) !== 0
    if (this.open && (mayHaveEnded || events & EPOLL.IN)) this.readOn(mayHaveEnded)
  }

  private pumpOn(): void {
    const { libc, pattern, patternFd } = this.wire
    while (this.bytesPumped < this.bytesToPump) {
      const offset = this.bytesPumped % patternBytes
      const count = Math.min(patternBytes - offset, this.bytesToPump - this.bytesPumped)
      this.offset.writeUInt32LE(offset, 0)
      const sent =
        offset === 0 && count <= smallBytes
          ? libc.send(this.fd, pattern, count, MSG.DONTWAIT | MSG.NOSIGNAL)
          : libc.sendfile(this.fd, patternFd, this.offset, count)
      if (sent < 0) {
        if (libc.errno() !== EAGAIN) this.end(`sending: errno ${libc.errno()}`)
        return
      }
      this.bytesPumped += sent
    }
    this.bytesToPump = 0
    this.handlers.pumped?.(this)
  }

  private readOn(mayHaveEnded: boolean): void {
    const { libc, readBuffer } = this.wire
    while (this.open) {
      const room = this.discarding ? 1 << 24 : readBuffer.length
      const count = this.discarding
        ? libc.recv(this.fd, null, room, MSG.TRUNC | MSG.DONTWAIT)
        : libc.recv(this.fd, readBuffer, room, MSG.DONTWAIT)
      if (count > 0 && this.discarding) {
        this.bytesDiscarded += count
        this.handlers.discarded?.(this)
      } else if (count > 0) {
        this.handlers.received?.(this, readBuffer.subarray(0, count))
      } else if (count === 0) {
        this.end(null)
      } else if (libc.errno() !== EAGAIN) {
        this.end(`receiving: errno ${libc.errno()}`)
      } else {
        return
      }
      if (count < room && !mayHaveEnded) return
    }
  }

  private end(error: string | null): void {
    if (!this.open) return
    this.close()
    this.handlers.ended(this, this.failure ?? error)
  }
}
