import { connect, type Socket } from 'node:net'
import type { Libc } from '../../kernel/libc.ts'
import type { ConnectCall, Connected, Connecting } from '../connection.ts'
import { NodeConnection, READS_ONCE_BYTES } from './connection.ts'

/**
 * Connects; a source port that the system does not give becomes any port. Half-open is allowed. Nagle's algorithm stays on:
 * towards a server one command is outstanding at a time, and data ends with a FIN, which waits for nothing.
 */
export function connectNode(call: ConnectCall, done: Connected, libc: Libc | null): Connecting {
  return new NodeConnecting(call, done, libc)
}

class NodeConnecting implements Connecting {
  readonly #done: Connected
  readonly #libc: Libc | null
  #socket: Socket
  #isCancelled = false

  constructor(call: ConnectCall, done: Connected, libc: Libc | null) {
    this.#done = done
    this.#libc = libc
    this.#socket = this.#try(call)
  }

  cancel(): void {
    if (this.#isCancelled) return
    this.#isCancelled = true
    const socket = this.#socket
    // Node learns of a connection that the system has made already within one turn, and it is reset then.
    socket.resetAndDestroy()
    setImmediate(() => setImmediate(() => socket.destroy()))
  }

  #try(call: ConnectCall): Socket {
    const { to, from } = call
    const local = from === null ? {} : { localAddress: from.address }
    const port = from === null || from.port === 0 ? {} : { localPort: from.port }
    const options = { host: to.address, port: to.port, ...local, ...port, ...socketOptions }
    const socket = connect(options)
    socket.pause()
    const failed = (error: NodeJS.ErrnoException) => {
      if (this.#isCancelled) return
      const mayBeThePort = from !== null && from.port !== 0 && portRefused.has(error.code)
      if (mayBeThePort) this.#socket = this.#try({ to, from: { ...from, port: 0 } })
      else this.#done(error, null)
    }
    socket.once('error', failed)
    socket.once('connect', () => {
      socket.off('error', failed)
      if (!this.#isCancelled) this.#done(null, new NodeConnection(socket, this.#libc))
    })
    return socket
  }
}

/** `readableHighWaterMark` is an option of every Duplex. */
const socketOptions = { allowHalfOpen: true, readableHighWaterMark: READS_ONCE_BYTES }

/**
 * The source port is unavailable, and no packet has left: we may not bind it (EACCES), another socket listens on it (EADDRINUSE), or
 * the same endpoint is connected with it (EADDRNOTAVAIL; also for a minute afterwards, but Linux does not wait where both
 * sides use TCP timestamps).
 */
const portRefused: ReadonlySet<string | undefined> = new Set(['EACCES', 'EADDRINUSE', 'EADDRNOTAVAIL'])
