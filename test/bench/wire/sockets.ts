// The same wire over node:net, for machines without epoll or koffi. Dearer by some 0.2 ms per FTP session, so the figures
// of a run that used it say so.

import type { AddressInfo } from 'node:net'
import { connect, createServer, Socket } from 'node:net'
import type { Connection, ConnectionHandlers, Endpoint, Listener, Wire } from './wire.ts'
import { ignoreEverything, makePattern, patternBytes } from './wire.ts'

export function openSocketsWire(): Wire {
  return {
    kind: 'net',
    isDismissed: watchStdin(),
    listen: listenOn,
    connect(to, handlers) {
      const connection = new SocketConnection(handlers)
      const onread = {
        buffer: takeBuffer,
        callback: (count: number, buffer: Uint8Array) => connection.take(buffer, count),
      }
      connection.adopt(connect({ host: to.address, port: to.port, noDelay: true, onread }))
      return connection
    },
    run: runUntil,
  }
}

/** `Wire.isDismissed`. */
export function watchStdin(): () => boolean {
  let dismissed = false
  process.stdin.on('end', () => {
    dismissed = true
  })
  process.stdin.resume()
  return () => dismissed
}

/** `Wire.run` where Node's own event loop does the work. */
export function runUntil(isDone: () => boolean): Promise<void> {
  return new Promise((resolve) => {
    const timer = setInterval(() => {
      if (!isDone()) return
      clearInterval(timer)
      resolve()
    }, 10)
  })
}

const readBuffer = Buffer.alloc(1 << 20)
const pattern = makePattern()

function takeBuffer(): Buffer {
  return readBuffer
}

function listenOn(at: Endpoint, done: (outcome: Listener | Error) => void): void {
  const server = createServer({ noDelay: true })
  const listener: Listener = {
    port: at.port,
    onConnection: (connection) => connection.close(),
    close: () => void server.close(),
  }
  server.on('connection', (socket) => {
    const connection = new SocketConnection(ignoreEverything)
    connection.adopt(socket)
    socket.on('data', (bytes) => connection.take(bytes, bytes.length))
    listener.onConnection(connection)
  })
  server.once('error', done)
  server.listen({ host: at.address, port: at.port, backlog: 4096 }, () => {
    // A TCP server that listens has an address object.
    done(Object.assign(listener, { port: (server.address() as AddressInfo).port }))
  })
}

export class SocketConnection implements Connection {
  handlers: ConnectionHandlers
  bytesDiscarded = 0
  private socket = new Socket()
  private isDiscarding = false
  private isOpen = true

  constructor(handlers: ConnectionHandlers) {
    this.handlers = handlers
  }

  adopt(socket: Socket, up: 'connect' | 'secureConnect' = 'connect'): void {
    this.socket = socket
    socket.on(up, () => this.isOpen && this.handlers.connected?.(this))
    socket.on('error', (error) => this.end(error.message))
    socket.on('end', () => this.end(null))
    socket.on('close', () => this.end(null))
  }

  /** Returns true so that the socket keeps reading. */
  take(bytes: Uint8Array, count: number): true {
    if (!this.isOpen) return true
    if (this.isDiscarding) {
      this.bytesDiscarded += count
      this.handlers.discarded?.(this)
    } else {
      this.handlers.received?.(this, Buffer.from(bytes.buffer, bytes.byteOffset, count))
    }
    return true
  }

  write(bytes: Buffer): void {
    this.socket.write(bytes)
  }

  pump(bytes: number): void {
    let left = bytes
    const pumpOn = (): void => {
      while (left > 0 && this.isOpen) {
        const part = left >= patternBytes ? pattern : pattern.subarray(0, left)
        left -= part.length
        if (!this.socket.write(part)) {
          this.socket.once('drain', pumpOn)
          return
        }
      }
      if (this.isOpen) this.handlers.pumped?.(this)
    }
    pumpOn()
  }

  discard(): void {
    this.isDiscarding = true
  }

  close(): void {
    this.isOpen = false
    this.socket.end()
    this.socket.resume()
  }

  private end(error: string | null): void {
    if (!this.isOpen) return
    this.isOpen = false
    this.socket.destroy()
    this.handlers.ended(this, error)
  }
}
